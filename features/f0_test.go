package features

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// harmonics is a tone of the harmonics from to to of f0, all of the same strength, with an RMS of -20 dBFS.
func harmonics(rate int, seconds, f0 float64, from, to int) []float32 {
	x := make([]float32, int(seconds*float64(rate)))
	var n int
	for h := from; h <= to && float64(h)*f0 < 0.45*float64(rate); h++ {
		n++
		for i := range x {
			x[i] += float32(math.Sin(2*math.Pi*float64(h)*f0*float64(i)/float64(rate) + float64(h*h)))
		}
	}
	gain := float32(0.1 * math.Sqrt(2/float64(n)))
	for i := range x {
		x[i] *= gain
	}
	return x
}

// whiteNoise is, Gaussian, with the given RMS.
func whiteNoise(seed uint64, samples int, rms float64) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, samples)
	for i := range x {
		x[i] = float32(rms * r.NormFloat64())
	}
	return x
}

func trackF0(cfg Config, x []float32) []float32 {
	p := NewF0Tracker(cfg)
	return p.Flush(p.Process(nil, x))
}

func rateConfig(t testing.TB, rate int) Config {
	t.Helper()
	cfg, err := ConfigForRate(rate)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// TestF0Tones tracks tones of known F0, among them some without a fundamental.
func TestF0Tones(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{16000, 24000} {
		cfg := rateConfig(t, rate)
		for _, f0 := range []float64{60, 75, 97.3, 120, 155.5, 200, 261.6, 333.3, 440, 523.25, 650, 800} {
			for _, c := range []struct{ from, to int }{{1, 12}, {1, 3}, {2, 12}, {3, 7}} {
				if f0*float64(c.from) > 1400 {
					continue // two or three lonely partials above the range of F0: no voice has such a spectrum
				}
				t.Run(fmt.Sprintf("%d/%g/%d-%d", rate, f0, c.from, c.to), func(t *testing.T) {
					got := trackF0(cfg, harmonics(rate, 1, f0, c.from, c.to))
					// The first frames hear less than the periods that a decision takes, the last ones the end.
					for i := 6; i < 97; i++ {
						if math.Abs(float64(got[i])/f0-1) > 0.01 {
							t.Fatalf("frame %d: %g Hz, want %g", i, got[i], f0)
						}
					}
				})
			}
		}
	}
}

// TestF0Disturbed adds what microphones and mains add, and changes the level.
func TestF0Disturbed(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	hum := func(x []float32) {
		for i := range x {
			x[i] += float32(math.Sqrt2 * 0.00316 * math.Sin(2*math.Pi*50*float64(i)/16000))
		}
	}
	for _, c := range []struct {
		name string
		do   func(x []float32)
	}{
		{"DC", func(x []float32) {
			for i := range x {
				x[i] += 0.2
			}
		}},
		{"hum of -50 dBFS", hum},
		{"noise of -40 dBFS", func(x []float32) {
			for i, v := range whiteNoise(3, len(x), 0.01) {
				x[i] += v
			}
		}},
		{"24 dB less", func(x []float32) {
			for i := range x {
				x[i] /= 16
			}
		}},
		{"clipped", func(x []float32) {
			for i, v := range x {
				x[i] = max(-0.1, min(0.1, v))
			}
		}},
	} {
		for _, f0 := range []float64{85, 130, 210, 380} {
			t.Run(fmt.Sprintf("%s/%g", c.name, f0), func(t *testing.T) {
				x := append(make([]float32, 4800), harmonics(16000, 0.8, f0, 1, 12)...)
				x = append(x, make([]float32, 8000)...)
				c.do(x)
				got := trackF0(cfg, x)
				for i, v := range got {
					switch {
					case i >= 36 && i < 107 && math.Abs(float64(v)/f0-1) > 0.01:
						t.Fatalf("frame %d: %g Hz, want %g", i, v, f0)
					case (i < 29 || i > 115) && v != 0:
						t.Fatalf("frame %d: %g Hz in the silence", i, v)
					}
				}
			})
		}
	}
}

// TestF0Unvoiced has no voice anywhere.
func TestF0Unvoiced(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{16000, 24000} {
		cfg := rateConfig(t, rate)
		check := func(name string, x []float32) {
			t.Helper()
			for i, v := range trackF0(cfg, x) {
				if v != 0 {
					t.Errorf("%d Hz, %s: frame %d has an F0 of %g Hz", rate, name, i, v)
					return
				}
			}
		}
		check("nothing", nil)
		check("silence", make([]float32, 2*rate))
		for seed := range uint64(8) {
			check("noise of -60 dBFS", whiteNoise(seed, 2*rate, 0.001))
			check("noise of -30 dBFS", whiteNoise(seed, 2*rate, 0.0316))
		}
		dc := make([]float32, rate)
		for i := range dc {
			dc[i] = 0.25
		}
		check("DC", dc[rate/2:])
	}
}

// TestF0Chunking cuts the signal in many ways.
func TestF0Chunking(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{16000, 24000} {
		cfg := rateConfig(t, rate)
		x := append(harmonics(rate, 0.5, 140, 1, 12), whiteNoise(1, rate/4+37, 0.05)...)
		x = append(x, harmonics(rate, 0.3, 230, 1, 8)...)
		want := trackF0(cfg, x)
		if len(want) != cfg.NumFrames(len(x)) {
			t.Fatalf("%d frames, want %d", len(want), cfg.NumFrames(len(x)))
		}
		p := NewF0Tracker(cfg)
		for _, chunk := range []int{1, cfg.Hop - 1, cfg.Hop, cfg.Hop + 1, 1009, len(x)} {
			var got []float32
			for from := 0; from < len(x); from += chunk {
				got = p.Process(got, x[from:min(from+chunk, len(x))])
			}
			if got = p.Flush(got); !slices.Equal(got, want) {
				t.Errorf("%d Hz: pieces of %d samples give another F0", rate, chunk)
			}
		}
		p.Process(nil, x[:1234])
		p.Reset()
		if got := p.Flush(p.Process(nil, x)); !slices.Equal(got, want) {
			t.Errorf("%d Hz: another F0 after Reset", rate)
		}
	}
}

// TestF0Causal cuts the signal off where a frame is said to be complete.
func TestF0Causal(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	x := append(harmonics(16000, 0.4, 110, 1, 12), whiteNoise(2, 3000, 0.1)...)
	want := trackF0(cfg, x)
	for _, frame := range []int{0, 1, 7, 20, 39, 40, 41, 42, 50} {
		end := frame*cfg.Hop + cfg.WinLength/2
		got := NewF0Tracker(cfg).Process(nil, x[:end])
		if len(got) != frame+1 || !slices.Equal(got, want[:frame+1]) {
			t.Errorf("the first %d samples give %d frames that are not the whole signal's", end, len(got))
		}
		if got := NewF0Tracker(cfg).Process(nil, x[:end-1]); len(got) != frame {
			t.Errorf("%d samples give %d frames, want %d", end-1, len(got), frame)
		}
	}
}

// TestF0NewVoice changes to a voice an octave higher: the guard must follow.
func TestF0NewVoice(t *testing.T) {
	t.Parallel()
	x := append(harmonics(16000, 3, 105, 1, 12), make([]float32, 8000)...)
	x = append(x, harmonics(16000, 1, 220, 1, 12)...)
	got := trackF0(DefaultConfig(), x)
	for i := 360; i < 447; i++ {
		if math.Abs(float64(got[i])/220-1) > 0.01 {
			t.Fatalf("frame %d: %g Hz, want 220", i, got[i])
		}
	}
}

// TestF0BrokenSamples puts NaN and infinity into the signal: neither may outlast its moment.
func TestF0BrokenSamples(t *testing.T) {
	t.Parallel()
	x := harmonics(16000, 1, 150, 1, 12)
	x[3000], x[3100], x[3200] = float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))
	for i, v := range trackF0(DefaultConfig(), x)[30:95] {
		if math.Abs(float64(v)/150-1) > 0.01 {
			t.Fatalf("frame %d: %g Hz, want 150", 30+i, v)
		}
	}
}

// TestF0Configs runs with every kind of configuration that Validate lets pass.
func TestF0Configs(t *testing.T) {
	t.Parallel()
	for _, change := range []func(c *Config){
		func(c *Config) { c.SampleRate = 1000; c.FMaxHz, c.F0MaxHz = 500, 500 },
		func(c *Config) { c.SampleRate = 48000; c.F0MinHz = 1e-9 },
		func(c *Config) { c.F0MinHz, c.F0MaxHz = 7000, 8000 },
		func(c *Config) { c.WinLength, c.Hop = 4, 1 },
		func(c *Config) { c.WinLength, c.NFFT, c.Hop = 4096, 4096, 2048 },
		func(c *Config) { c.F0MinHz, c.F0MaxHz = 499, 500 },
		func(c *Config) { c.SampleRate = 11025; c.Hop = 113; c.FMaxHz = 5000 },
	} {
		cfg := DefaultConfig()
		change(&cfg)
		if err := cfg.Validate(); err != nil {
			t.Fatal(err)
		}
		x := whiteNoise(5, 3000, 0.1)
		if got := trackF0(cfg, x); len(got) != cfg.NumFrames(len(x)) {
			t.Errorf("%+v: %d frames, want %d", cfg, len(got), cfg.NumFrames(len(x)))
		}
	}
}

func TestF0Allocations(t *testing.T) {
	cfg := DefaultConfig()
	x := harmonics(16000, 0.5, 150, 1, 12)
	p := NewF0Tracker(cfg)
	dst := make([]float32, 0, 100)
	if n := testing.AllocsPerRun(20, func() { dst = p.Process(dst[:0], x) }); n != 0 {
		t.Errorf("Process allocates %g times", n)
	}
}

func BenchmarkF0Tracker(b *testing.B) {
	for _, rate := range []int{16000, 24000} {
		b.Run(fmt.Sprint(rate), func(b *testing.B) {
			cfg := rateConfig(b, rate)
			x := append(harmonics(rate, 0.7, 120, 1, 30), whiteNoise(1, rate*3/10, 0.02)...)
			p := NewF0Tracker(cfg)
			dst := make([]float32, 0, 200)
			b.ReportAllocs()
			for b.Loop() {
				dst = p.Process(dst[:0], x)
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "RTF") // x lasts a second
		})
	}
}
