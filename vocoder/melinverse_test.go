package vocoder

import (
	"math"
	"testing"

	"github.com/starvc/vc/features"
)

// configs are the configurations that every test of quality and length covers.
func configs(t *testing.T) map[string]features.Config {
	t.Helper()
	all := map[string]features.Config{}
	for name, rate := range map[string]int{"16 kHz": 16000, "24 kHz": 24000} {
		cfg, err := features.ConfigForRate(rate)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = cfg
	}
	return all
}

func TestMelInverseFitsTheBands(t *testing.T) {
	for name, cfg := range configs(t) {
		t.Run(name, func(t *testing.T) {
			bank, err := features.NewMelBank(cfg)
			if err != nil {
				t.Fatal(err)
			}
			inverse, err := newMelInverse(cfg, features.NewSTFT(cfg).Window())
			if err != nil {
				t.Fatal(err)
			}
			// Two resonances and a slope of 40 dB, from which the inverse sees the bands only.
			magnitude := make([]float64, cfg.Bins())
			for k := range magnitude {
				hz := float64(k) / float64(cfg.NFFT) * float64(cfg.SampleRate)
				magnitude[k] = math.Exp(-hz/1800)*2 + 8/(1+math.Pow((hz-700)/120, 2)) + 3/(1+math.Pow((hz-2300)/200, 2))
			}
			magnitude[0] = 0
			mel, again := make([]float64, cfg.NMels), make([]float64, cfg.NMels)
			bank.Apply(mel, magnitude)
			logMel := make([]float32, cfg.NMels)
			for m, v := range mel {
				logMel[m] = cfg.NormalizeMel(v)
			}
			got := make([]float64, cfg.Bins())
			inverse.magnitudes(got, logMel)
			bank.Apply(again, got)
			for m, v := range mel {
				if math.Abs(math.Log(again[m]/v)) > 0.03 {
					t.Errorf("band %d: %g, want %g within 3 %%", m, again[m], v)
				}
			}
			var difference, energy float64
			for k, v := range magnitude {
				if got[k] < 0 {
					t.Errorf("bin %d: %g is negative", k, got[k])
				}
				difference += (got[k] - v) * (got[k] - v)
				energy += v * v
			}
			if difference > 1e-3*energy {
				t.Errorf("spectrum off by %.1f dB, want -30 dB or less", 10*math.Log10(difference/energy))
			}
			if got[0] != 0 || got[len(got)-1] != 0 {
				t.Errorf("first and last bin %g and %g, want 0", got[0], got[len(got)-1])
			}
		})
	}
}

func TestMelInverseTamesAbsurdValues(t *testing.T) {
	cfg := features.DefaultConfig()
	window := features.NewSTFT(cfg).Window()
	inverse, err := newMelInverse(cfg, window)
	if err != nil {
		t.Fatal(err)
	}
	peak := float64(cfg.WinLength) / 2 // the sum of a Hann window
	tests := []struct {
		name  string
		value float32
		most  float64
	}{
		{"floor", cfg.NormalizeMel(0), 0},
		{"NaN", float32(math.NaN()), 0},
		{"minus infinity", float32(math.Inf(-1)), 0},
		{"infinity", float32(math.Inf(1)), 2 * peak},
		{"huge", 1e30, 2 * peak},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := make([]float64, cfg.Bins())
			inverse.magnitudes(got, constant(cfg.NMels, tt.value))
			for k, v := range got {
				if !(v >= 0 && v <= tt.most) {
					t.Fatalf("bin %d: %g, want 0 to %g", k, v, tt.most)
				}
			}
		})
	}
}

func constant(n int, v float32) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = v
	}
	return x
}
