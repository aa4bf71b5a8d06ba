package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/livesound"
	"github.com/starvc/vc/internal/untrained"
)

// feed sends bytes through a stream and gives what comes out, also beside an error. A hang fails the test.
func feed(t *testing.T, format string, rate int, in []byte) ([]byte, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := untrained.Model(gan.Tiny(), 2, 1).Save(path, gan.Full); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	e := testEnv()
	e.stdin, e.stdout, e.stderr = bytes.NewReader(in), &out, io.Discard
	o := streamOptions{
		format: format, rate: rate, channels: 1,
		liveOptions: liveOptions{
			model: path, latency: livesound.Normal, quiet: true, maxDelay: defaultMaxDelay,
			set: settings{voiceChoice: voiceChoice{to: "spk0"}, gateDB: -90, wet: 1},
		},
	}
	if err := o.validate(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := runStream(ctx, e, o)
	if ctx.Err() != nil {
		t.Fatal("the stream hangs")
	}
	return out.Bytes(), err
}

func floatsOf(t *testing.T, b []byte) []float32 {
	t.Helper()
	x := make([]float32, len(b)/4)
	if _, err := binary.Decode(b, binary.LittleEndian, x); err != nil {
		t.Fatal(err)
	}
	for i, v := range x {
		if v-v != 0 || v < -1 || v > 1 {
			t.Fatalf("sample %d of the output is %g", i, v)
		}
	}
	return x
}

// Whatever comes in, what goes out are numbers within full scale, one for each that came in.
func TestStreamSurvivesExtremes(t *testing.T) {
	const rate = 16000
	signal := func(f func(i int) float64) []float32 {
		x := make([]float32, rate+123)
		for i := range x {
			x[i] = float32(f(i))
		}
		return x
	}
	r := rand.New(rand.NewPCG(5, 5))
	square := func(half int) func(int) float64 {
		return func(i int) float64 { return 1 - 2*float64(i/half%2) }
	}
	for name, x := range map[string][]float32{
		"silence":             signal(func(int) float64 { return 0 }),
		"square of 40 Hz":     signal(square(200)),
		"square of 160 Hz":    signal(square(50)),
		"square of 8000 Hz":   signal(square(1)),
		"constant":            signal(func(int) float64 { return 1 }),
		"constant, negative":  signal(func(int) float64 { return -1 }),
		"white noise":         signal(func(int) float64 { return 2*r.Float64() - 1 }),
		"denormal":            signal(func(i int) float64 { return 1e-42 * square(50)(i) }),
		"beyond full scale":   signal(func(i int) float64 { return 1.5 * square(50)(i) }),
		"sudden":              signal(func(i int) float64 { return float64(i / 8000) }),
		"clicks":              signal(func(i int) float64 { return float64(1 - min(1, i%997)) }),
		"very quiet":          signal(func(i int) float64 { return 1e-5 * square(50)(i) }),
		"one sample of sound": signal(func(i int) float64 { return float64(1 - min(1, i)) }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := feed(t, "f32le", rate, floats(x))
			if err != nil {
				t.Fatal(err)
			}
			y := floatsOf(t, out)
			if len(y) != len(x) {
				t.Errorf("%d samples in, %d out", len(x), len(y))
			}
			if _, peak := audio.Level(y); name == "silence" && peak > -80 {
				t.Errorf("silence became sound with a peak of %.1f dB", peak)
			}
		})
	}
}

// What is no number is refused by place; what came before it is converted.
func TestStreamRefusesNoNumbers(t *testing.T) {
	for name, bad := range map[string]float32{
		"NaN": float32(math.NaN()), "infinity": float32(math.Inf(1)), "negative infinity": float32(math.Inf(-1)), "absurd": 1e30,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := buzz(16000, 1)
			x[9000] = bad
			out, err := feed(t, "f32le", 16000, floats(x))
			if err == nil || !strings.Contains(err.Error(), "raw input: ") {
				t.Errorf("error %v", err)
			}
			if y := floatsOf(t, out); len(y) > 9000 || len(y) < 9000-4096 {
				t.Errorf("%d samples went out, 9000 good ones came in", len(y))
			}
		})
	}
}

// An input that ends within a sample gives the whole ones.
func TestStreamEndsWithinASample(t *testing.T) {
	for format, bytes := range map[string]int{"s16le": 2, "s24le": 3, "s32le": 4, "f32le": 4} {
		for part := 1; part < bytes; part++ {
			in := make([]byte, 5000*bytes+part)
			out, err := feed(t, format, 48000, in)
			if err != nil || len(out) != 5000*bytes {
				t.Errorf("%s and %d bytes more: %d bytes out, error %v", format, part, len(out), err)
			}
		}
	}
}

// A header is believed as far as it can be true; where it cannot, the sound tells, or it is refused.
func TestStreamLyingHeader(t *testing.T) {
	half := pcm16(buzz(16000, 0.5), 1)
	for _, c := range []struct {
		name, refusal string
		in            []byte
		samples       int
	}{
		{"more than there is", "", riff(1, 1, 16000, 16, half, 1<<30), 8000},
		{"less than there is", "", riff(1, 1, 16000, 16, half, 6000), 8000},
		{"half a sample", "", riff(1, 1, 16000, 16, half[:6001], 6001), 3000},
		{"length 0, as pipes have", "", riff(1, 1, 16000, 16, half, 0), 8000},
		{"length just below 2^31, as pipes have", "", riff(1, 1, 16000, 16, half, 0x7ffffc00), 8000},
		{"no channels", "0 channels", riff(1, 0, 16000, 16, half, 16000), 0},
		{"block of two channels", "", bytes.Replace(riff(1, 1, 16000, 16, half, 16000), []byte{2, 0, 16, 0}, []byte{4, 0, 16, 0}, 1), 8000},
		{"no rate", "sample rate 0 Hz", riff(1, 1, 0, 16, half, 16000), 0},
		{"a rate of a gigahertz", "sample rate 1000000000 Hz", riff(1, 1, 1e9, 16, half, 16000), 0},
		{"a rate of 7 Hz", "sample rate 7 Hz", riff(1, 1, 7, 16, half, 16000), 0},
		{"12 bits", "", bytes.Replace(riff(1, 1, 16000, 12, half, 16000), []byte{1, 0, 12, 0}, []byte{2, 0, 12, 0}, 1), 8000},
		{"another coding", "WAV with MP3", riff(85, 1, 16000, 16, half, 16000), 0},
		{"cut short", "cut short", riff(1, 1, 16000, 16, nil, 0)[:30], 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			out, err := feed(t, "s16le", 48000, c.in)
			if c.refusal != "" {
				if err == nil || !strings.Contains(err.Error(), "WAV header: ") || !strings.Contains(err.Error(), c.refusal) {
					t.Errorf("error %v, want %q", err, c.refusal)
				}
				if len(out) > 0 {
					t.Errorf("%d bytes went out", len(out))
				}
				return
			}
			if want := 44 + 2*c.samples; err != nil || len(out) != want {
				t.Errorf("%d bytes out, want %d, error %v", len(out), want, err)
			}
		})
	}
}

// A stream that waits for somebody ends with its context all the same.
func TestStreamIsInterrupted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := untrained.Model(gan.Tiny(), 1, 1).Save(path, gan.Full); err != nil {
		t.Fatal(err)
	}
	for name, bytes := range map[string]int{"nothing comes in": 0, "nothing goes out": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			in, write := io.Pipe()
			_, out := io.Pipe()
			defer write.Close()
			go write.Write(make([]byte, bytes))
			e := testEnv()
			e.stdin, e.stdout, e.stderr = in, out, io.Discard
			ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
			defer cancel()
			done := make(chan error, 1)
			go func() {
				done <- runStream(ctx, e, streamOptions{
					format: "s16le", rate: 16000, channels: 1,
					liveOptions: liveOptions{
						model: path, latency: "low", quiet: true,
						set: settings{voiceChoice: voiceChoice{to: "spk0"}, gateDB: -90, wet: 1},
					},
				})
			}()
			select {
			case err := <-done:
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("error %v", err)
				}
			case <-time.After(20 * time.Second):
				t.Error("it goes on")
			}
			in.Close()
			out.Close()
		})
	}
}

// What sox and others write into a pipe as the length, 0x7ffffc00, ended a stream after 2 GiB without a word; RF64 was
// refused with a sentence that asked for the WAV stream it was.
func TestPipeReadsBeyondItsHeader(t *testing.T) {
	const want = 0x7ffffc00/2 + 1<<20
	silence := io.LimitReader(zeros{}, 2*want)
	p, err := openPipe(io.MultiReader(bytes.NewReader(riff(1, 1, 16000, 16, nil, 0x7ffffc00)), silence), pipeFormat{})
	if err != nil {
		t.Fatal(err)
	}
	got := 0
	for x := make([]float32, 1<<15); err == nil; {
		var n int
		n, err = p.readFull(x)
		got += n
	}
	if got != want || err != io.EOF || p.warnings() != nil {
		t.Errorf("%d samples, want %d, error %v, warnings %q", got, want, err, p.warnings())
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestStreamTakesRF64(t *testing.T) {
	half := pcm16(buzz(16000, 0.5), 1)
	plain := riff(1, 1, 16000, 16, half, 1<<32-1)
	long := append([]byte("RF64\xff\xff\xff\xffWAVEds64\x1c\x00\x00\x00"), make([]byte, 28)...)
	binary.LittleEndian.PutUint64(long[28:], uint64(len(half)))
	out, err := feed(t, "s16le", 48000, append(long, plain[12:]...))
	if err != nil || len(out) != 44+len(half) {
		t.Errorf("%d bytes out, error %v", len(out), err)
	}
}
