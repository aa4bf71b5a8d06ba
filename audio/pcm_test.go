package audio

import (
	"bytes"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestParseFormat(t *testing.T) {
	for name, want := range map[string]Format{"s16le": S16LE, "S16_LE": S16LE, "s24le": S24LE, "S24_3LE": S24LE,
		"s32le": S32LE, "f32le": F32LE, "FLOAT_LE": F32LE, "F32LE": F32LE} {
		if got, err := ParseFormat(name); err != nil || got != want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for f, size := range map[Format]int{S16LE: 2, S24LE: 3, S32LE: 4, F32LE: 4} {
		if back, err := ParseFormat(f.String()); err != nil || back != f || f.BytesPerSample() != size {
			t.Errorf("%v: %v, %v, %d bytes", f, back, err, f.BytesPerSample())
		}
	}
	for _, name := range []string{"", "s16be", "u8", "mp3"} {
		if _, err := ParseFormat(name); err == nil || !strings.Contains(err.Error(), "s16le, s24le, s32le, f32le") {
			t.Errorf("%q: error %v", name, err)
		}
	}
}

var formats = []Format{S16LE, S24LE, S32LE, F32LE}

func TestRawRoundTrip(t *testing.T) {
	x := noise(10000, 7)
	copy(x, []float32{0, 1, -1, 2, -2, 0.5})
	// Half a step, plus the rounding of float32 where that is coarser; the positive end is one step short of 1.
	tolerance := map[Format]float64{S16LE: 0.5 / (1 << 15), S24LE: 0.5/(1<<23) + 1e-7, S32LE: 1e-7, F32LE: 0}
	highest := map[Format]float64{S16LE: 1 - 1./(1<<15), S24LE: 1 - 1./(1<<23), S32LE: 1, F32LE: 1}
	for _, f := range formats {
		var b bytes.Buffer
		if n, err := NewPCMWriter(&b, f).Write(x); n != len(x) || err != nil {
			t.Fatalf("%v: wrote %d, error %v", f, n, err)
		}
		if b.Len() != len(x)*f.BytesPerSample() {
			t.Fatalf("%v: %d bytes", f, b.Len())
		}
		got, err := DecodeRaw(bytes.NewReader(b.Bytes()), f, 48000, 1)
		if err != nil || got.Rate != 48000 || got.Warnings != nil {
			t.Fatalf("%v: %d Hz, warnings %q, error %v", f, got.Rate, got.Warnings, err)
		}
		for i, v := range x {
			want := min(float64(clip(v)), highest[f])
			if d := math.Abs(float64(got.Samples[i]) - want); d > tolerance[f] {
				t.Fatalf("%v: sample %d: %g, want %g", f, i, got.Samples[i], v)
			}
		}
		var again bytes.Buffer
		NewPCMWriter(&again, f).Write(got.Samples)
		if !bytes.Equal(b.Bytes(), again.Bytes()) {
			t.Errorf("%v: the second round changes bytes", f)
		}
	}
}

func TestDecodeRaw(t *testing.T) {
	clip, err := DecodeRaw(bytes.NewReader(append(pcm16(16384, 0, -16384, 0), 1, 2, 3)), S16LE, 8000, 2)
	if err != nil || !slices.Equal(clip.Samples, []float32{0.25, -0.25}) {
		t.Errorf("stereo: %v, error %v", clip.Samples, err)
	}
	if len(clip.Warnings) != 1 || !strings.Contains(clip.Warnings[0], "the last 3 bytes") {
		t.Errorf("warnings %q", clip.Warnings)
	}
	tests := []struct {
		name, want     string
		body           []byte
		f              Format
		rate, channels int
	}{
		{"empty", "no samples", nil, S16LE, 8000, 1},
		{"less than a frame", "ended after 3 bytes", []byte{1, 2, 3}, S16LE, 8000, 2},
		{"rate", "sample rate 0 Hz", pcm16(1), S16LE, 0, 1},
		{"channels", "0 channels", pcm16(1), S16LE, 8000, 0},
		{"NaN", "not a number", le(float32(math.NaN())), F32LE, 8000, 1},
		{"another format", "beyond full scale", pcm16(12345, 23456, 12345, 23456), F32LE, 8000, 1},
	}
	for _, tt := range tests {
		if _, err := DecodeRaw(bytes.NewReader(tt.body), tt.f, tt.rate, tt.channels); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
	if _, err := decodeRaw(&endless{b: []byte{0}}, S16LE, 8000, 1, 1<<16); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("endless: error %v", err)
	}
}

func TestPCMReaderAnyChunking(t *testing.T) {
	for _, f := range formats {
		want := noise(7001, 8)
		var b bytes.Buffer
		NewPCMWriter(&b, f).Write(want)
		clip, err := DecodeRaw(bytes.NewReader(b.Bytes()), f, 16000, 1)
		if err != nil {
			t.Fatal(err)
		}
		raw := append(b.Bytes(), 0) // and a byte that belongs to nothing
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader, "halves": iotest.HalfReader,
			"error with data": iotest.DataErrReader,
		} {
			for _, chunk := range []int{1, 159, 160, 161, 4099, len(want)} {
				r := NewPCMReader(wrap(bytes.NewReader(raw)), f, 16000)
				var got []float32
				dst := make([]float32, chunk)
				for {
					n, err := r.Read(dst)
					got = append(got, dst[:n]...)
					if err == io.EOF {
						break
					}
					if err != nil || n == 0 {
						t.Fatalf("%v, %s: %d samples, error %v", f, name, n, err)
					}
				}
				if !slices.Equal(got, clip.Samples) {
					t.Fatalf("%v, %s, %d at once: other samples", f, name, chunk)
				}
				if n, err := r.Read(dst); n != 0 || err != io.EOF {
					t.Errorf("after the end: %d, %v", n, err)
				}
			}
		}
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

func TestPCMReaderErrors(t *testing.T) {
	dst := make([]float32, 10)
	if _, err := NewPCMReader(stuck{}, S16LE, 16000).Read(dst); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("stuck: error %v", err)
	}
	if n, err := NewPCMReader(stuck{}, S16LE, 16000).Read(nil); n != 0 || err != nil {
		t.Errorf("nothing asked for: %d, %v", n, err)
	}
	r := NewPCMReader(bytes.NewReader(le(float32(0.5), float32(math.Inf(1)), float32(0))), F32LE, 16000)
	for range 3 {
		if n, err := r.Read(dst); n != 0 || err == nil || !strings.Contains(err.Error(), "sample 1 ") {
			t.Errorf("infinity: %d, error %v", n, err)
		}
	}
	r = NewPCMReader(io.MultiReader(bytes.NewReader(pcm16(1, 2)), iotest.ErrReader(errFull)), S16LE, 16000)
	if n, err := r.Read(dst); n != 2 || err != nil {
		t.Errorf("before the error: %d, %v", n, err)
	}
	if n, err := r.Read(dst); n != 0 || !errors.Is(err, errFull) {
		t.Errorf("the error: %d, %v", n, err)
	}
}

func TestPCMWriterErrors(t *testing.T) {
	w := NewPCMWriter(&shortWriter{left: 20001}, S16LE)
	if n, err := w.Write(make([]float32, 20000)); n != 10000 || !errors.Is(err, errFull) {
		t.Errorf("wrote %d, error %v", n, err)
	}
	var b bytes.Buffer
	for _, f := range formats {
		b.Reset()
		NewPCMWriter(&b, f).Write([]float32{float32(math.NaN())})
		if !bytes.Equal(b.Bytes(), make([]byte, f.BytesPerSample())) {
			t.Errorf("%v: NaN becomes %x", f, b.Bytes())
		}
	}
}

func TestPCMAllocs(t *testing.T) {
	x := make([]float32, 480)
	for _, f := range formats {
		r, w := NewPCMReader(&endless{b: make([]byte, 12)}, f, 16000), NewPCMWriter(io.Discard, f)
		if n := testing.AllocsPerRun(100, func() {
			if n, err := r.Read(x); n == 0 || err != nil {
				t.Fatal(n, err)
			}
		}); n != 0 {
			t.Errorf("%v: %v allocations per Read", f, n)
		}
		if n := testing.AllocsPerRun(100, func() { w.Write(x) }); n != 0 {
			t.Errorf("%v: %v allocations per Write", f, n)
		}
	}
}
