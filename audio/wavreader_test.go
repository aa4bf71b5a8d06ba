package audio

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// ints lays values out in bytes of a width, little-endian.
func ints(width int, values ...int32) []byte {
	var b []byte
	for _, v := range values {
		b = append(b, binary.LittleEndian.AppendUint32(nil, uint32(v))[:width]...)
	}
	return b
}

func wave64(chunks ...[]byte) []byte {
	return slices.Concat([]byte("riff"+wave64Riff), le(uint64(0)), []byte("wave"+wave64Tail), slices.Concat(chunks...))
}

func chunk64(id string, body []byte) []byte {
	b := slices.Concat([]byte(id+wave64Tail), le(uint64(24+len(body))), body)
	return append(b, make([]byte, -len(b)&7)...)
}

// What a header says is believed as far as it can be true.
func TestWAVAgainstItsHeader(t *testing.T) {
	const rate = 16000
	x := sine16(8000, 0.05)
	want := make([]float32, len(x))
	up := func(shift int) []int32 {
		y := slices.Clone(x)
		for i := range y {
			y[i] <<= shift
		}
		return y
	}
	for i, v := range x {
		want[i] = float32(v) / 32768
	}
	data := ints(2, x...)
	head := riffFile(fmtChunk(tagPCM, 1, rate, 16))
	whole := slices.Concat(head, chunk("data", data))
	claim := func(n int) []byte { return slices.Concat(head, dataHeader(uint32(n)), data) }
	odd := func(bits, block int, samples []byte) []byte {
		return riffFile(chunk("fmt ", le(uint16(tagPCM), uint16(1), uint32(rate), uint32(rate*block), uint16(block), uint16(bits))), chunk("data", samples))
	}
	twice := slices.Concat(want, want)
	list, tag := chunk("LIST", []byte("INFOISFTabc")), slices.Concat([]byte("TAG"), make([]byte, 125))
	id3 := []byte("ID3\x04\x00\x00\x00\x00\x00\x05hello")
	other := slices.Concat(riffFile(fmtChunk(tagPCM, 1, 8000, 16)), chunk("data", data))
	tests := []struct {
		name string
		file []byte
		want []float32
		warn string
	}{
		{"a length too small", claim(2000), want, "longer than its header says: 0.44 s more than 0.0625 s were found and read (87.5 % of all)"},
		{"a length wrapped at 2^32, or odd", claim(2001), nil, "longer than its header says"},
		{"a length of 0x7ffffc00", claim(0x7ffffc00), want, ""},
		{"a little behind", slices.Concat(whole, make([]byte, 100)), want, "100 bytes behind the sound are no samples and were left out"},
		{"tags behind", slices.Concat(whole, list, id3, tag), want, ""},
		{"an unknown chunk behind", slices.Concat(whole, chunk("abcd", make([]byte, 500))), want, ""},
		{"a chunk cut short behind", slices.Concat(whole, list[:12]), want, ""},
		{"an ID3 tag before", slices.Concat(id3, whole), want, ""},
		{"two joined", slices.Concat(whole, whole), twice, "2 recordings joined into one: all were read"},
		{"two joined with tags", slices.Concat(whole, list, whole, list), twice, "2 recordings joined"},
		{"two joined, the lengths not known", slices.Concat(claim(0), claim(0xffffffff)), twice, "2 recordings joined"},
		{"two joined, the length not known, half a frame between", slices.Concat(claim(0), []byte{1}, claim(0)), twice, "2 recordings joined"},
		{"two data chunks", slices.Concat(whole, chunk("data", data)), twice, "2 recordings joined"},
		{"two joined of other rates", slices.Concat(whole, other), want,
			"a recording of another kind (8000 Hz, 1 channels, 16 bits, 1.00 s beside 0.50 s), which was left out"},
		{"two joined, the second cut short", slices.Concat(whole, whole[:len(whole)-4000]), twice[:14000], "joined"},
		{"Wave64", wave64(chunk64("fmt ", fmtBody(tagPCM, 1, rate, 16)), chunk64("junk", []byte("abc")), chunk64("data", data), chunk64("list", nil)), want, ""},
		{"RF64 without a length", slices.Concat([]byte("RF64"), le(uint32(1<<32-1)), []byte("WAVE"), chunk("ds64", make([]byte, 28)),
			fmtChunk(tagPCM, 1, rate, 16), dataHeader(1<<32-1), data), want, ""},
		{"24 bits in 4 bytes, upper", odd(24, 4, ints(4, up(16)...)), want, "of 24 bits; samples of 4 bytes were taken, which sounds most like a recording"},
		{"24 bits in 4 bytes, lower", odd(24, 4, ints(4, up(8)...)), want, "of 24 bits; the lower 3 of 4 bytes were taken"},
		{"24 bits in 3 bytes, 4 said", odd(24, 4, ints(3, up(8)...)), want, "the header says 4 bytes for a moment of 1 channels of 24 bits; 3 were taken"},
		{"16 bits in 3 bytes", odd(16, 3, ints(3, up(8)...)), want, "of 16 bits; samples of 3 bytes were taken"},
		{"16 bits in 2 bytes, 3 said", odd(16, 3, data), want, "of 16 bits; 2 were taken"},
		{"24 bits said, 2 bytes right", odd(24, 2, data), want, "of 24 bits; samples of 2 bytes were taken"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, r := range map[string]io.Reader{"memory": bytes.NewReader(tt.file), "pipe": iotest.OneByteReader(bytes.NewReader(tt.file))} {
				got, err := Decode(r)
				if err != nil || got.Rate != rate {
					t.Fatalf("%s: %d Hz, error %v", name, got.Rate, err)
				}
				if tt.want != nil && !slices.Equal(got.Samples, tt.want) {
					t.Errorf("%s: %d samples, other than the %d wanted", name, len(got.Samples), len(tt.want))
				}
				if tt.warn == "" && got.Warnings != nil || tt.warn != "" && !strings.Contains(strings.Join(got.Warnings, "\n"), tt.warn) {
					t.Errorf("%s: warnings %q, want %q", name, got.Warnings, tt.warn)
				}
			}
		})
	}
}

// The samples do not depend on how they are asked for and how they arrive.
func TestWAVReaderAnyChunking(t *testing.T) {
	x := sine16(3000, 0.05)
	file := slices.Concat(riffFile(fmtChunk(tagPCM, 2, 16000, 16)), dataHeader(0), ints(2, x...), []byte("R"))
	var want []float32
	for _, v := range x {
		want = append(want, float32(v)/32768)
	}
	for _, n := range []int{2, 3, 4, 7, 318, 320, 322, 10000} {
		for name, r := range map[string]io.Reader{"memory": bytes.NewReader(file), "pipe": iotest.OneByteReader(bytes.NewReader(file))} {
			w, err := NewWAVReader(r)
			if err != nil {
				t.Fatal(err)
			}
			var got []float32
			for dst := make([]float32, n); err == nil; {
				var k int
				k, err = w.Read(dst)
				if k%2 != 0 {
					t.Fatalf("%s: %d samples are no whole frames", name, k)
				}
				got = append(got, dst[:k]...)
			}
			if err != io.EOF || !slices.Equal(got, want) {
				t.Errorf("%s, %d at a time: %d samples, error %v", name, n, len(got), err)
			}
		}
	}
}

func TestWAVReaderAllocs(t *testing.T) {
	w, err := NewWAVReader(io.MultiReader(bytes.NewReader(slices.Concat(riffFile(fmtChunk(tagPCM, 2, 16000, 16)), dataHeader(0))), &endless{b: []byte{1, 2, 3}}))
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]float32, 640)
	if n := testing.AllocsPerRun(1000, func() { w.Read(dst) }); n > 0 {
		t.Errorf("%g allocations", n)
	}
	if math.IsNaN(float64(dst[0])) {
		t.Error("not a number")
	}
}
