package features

import (
	"fmt"
	"math"
	"math/cmplx"
	"math/rand/v2"
	"testing"
)

// noise is a reproducible signal with samples in [-0.5, 0.5).
func noise(samples int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, samples)
	for i := range x {
		x[i] = r.Float32() - 0.5
	}
	return x
}

func configs(t testing.TB) []Config {
	t.Helper()
	var cs []Config
	for _, rate := range []int{16000, 24000} {
		c, err := ConfigForRate(rate)
		if err != nil {
			t.Fatal(err)
		}
		cs = append(cs, c)
	}
	return cs
}

// directFrame is the definition of the transform, summed term by term.
func directFrame(cfg Config, x []float32, t int) []complex128 {
	spec := make([]complex128, cfg.Bins())
	for k := range spec {
		for i := range cfg.WinLength {
			n := t*cfg.Hop - cfg.WinLength/2 + i
			if n < 0 || n >= len(x) {
				continue
			}
			w := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(cfg.WinLength))
			turn := float64(k*(i+(cfg.NFFT-cfg.WinLength)/2)%cfg.NFFT) / float64(cfg.NFFT)
			spec[k] += complex(w*float64(x[n]), 0) * cmplx.Rect(1, -2*math.Pi*turn)
		}
	}
	return spec
}

func TestAnalyzeIsTheDefinition(t *testing.T) {
	for _, cfg := range configs(t) {
		t.Run(fmt.Sprint(cfg.SampleRate), func(t *testing.T) {
			x := noise(3*cfg.Hop+17, 1)
			spec := NewSTFT(cfg).Analyze(x)
			if got, want := len(spec), cfg.NumFrames(len(x))*cfg.Bins(); got != want {
				t.Fatalf("%d elements, want %d", got, want)
			}
			for f := range cfg.NumFrames(len(x)) {
				for k, want := range directFrame(cfg, x, f) {
					if got := spec[f*cfg.Bins()+k]; cmplx.Abs(got-want) > 1e-9 {
						t.Fatalf("frame %d, bin %d: %v, want %v", f, k, got, want)
					}
				}
			}
		})
	}
}

func TestSynthesizeReconstructs(t *testing.T) {
	sparse := DefaultConfig()
	sparse.Hop = sparse.WinLength / 2 // the largest that Validate lets pass
	for _, cfg := range append(configs(t), sparse) {
		s := NewSTFT(cfg)
		for _, samples := range []int{0, 1, 2, cfg.Hop - 1, cfg.Hop, cfg.Hop + 1, cfg.WinLength, 997, 16000} {
			t.Run(fmt.Sprintf("%d/hop %d/%d", cfg.SampleRate, cfg.Hop, samples), func(t *testing.T) {
				x := noise(samples, uint64(samples))
				y := s.Synthesize(s.Analyze(x), samples)
				if len(y) != samples {
					t.Fatalf("%d samples, want %d", len(y), samples)
				}
				largest := 0.0
				for i := range x {
					d := math.Abs(float64(x[i] - y[i]))
					if largest = max(largest, d); !(d <= 1e-5) {
						t.Fatalf("sample %d: %g, want %g", i, y[i], x[i])
					}
				}
				t.Logf("largest difference %.2g", largest)
			})
		}
	}
}

func TestSynthesizeWithoutFrames(t *testing.T) {
	cfg := DefaultConfig()
	for i, v := range NewSTFT(cfg).Synthesize(nil, 1000) {
		if v != 0 {
			t.Fatalf("sample %d: %g, want silence", i, v)
		}
	}
}

func TestInverseUndoesForward(t *testing.T) {
	cfg := DefaultConfig()
	s := NewSTFT(cfg)
	frame, back := make([]float64, cfg.WinLength), make([]float64, cfg.WinLength)
	for i, v := range noise(cfg.WinLength, 3) {
		frame[i] = float64(v)
	}
	spec := make([]complex128, s.Bins())
	s.Forward(spec, frame)
	s.Inverse(back, spec)
	for i := range back {
		if want := frame[i] * s.Window()[i]; math.Abs(back[i]-want) > 1e-12 {
			t.Fatalf("sample %d: %g, want %g", i, back[i], want)
		}
	}
	if n := testing.AllocsPerRun(10, func() { s.Forward(spec, frame); s.Inverse(back, spec) }); n != 0 {
		t.Errorf("%g allocations per frame, want 0", n)
	}
}
