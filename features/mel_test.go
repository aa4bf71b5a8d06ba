package features

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/internal/golden"
)

// goldenVoice, goldenClick and goldenClip are the signals of testdata/make_golden.py.

func goldenVoice(rate, samples int) []float32 {
	x := make([]float32, samples)
	state := uint32(1)
	for i := range x {
		at := float64(i) / float64(rate)
		phase := 2 * math.Pi * (120*at + 60*at*at)
		var v float64
		for h := 1.0; h <= 12; h++ {
			v += 0.3 / h * math.Sin(h*phase)
		}
		state = state*1664525 + 1013904223
		x[i] = float32(v + 0.02*(float64(state)/(1<<32)-0.5))
	}
	return x
}

func goldenClick(samples int) []float32 {
	x := make([]float32, samples)
	x[777] = 0.75
	return x
}

func goldenClip(t *testing.T, samples int) []float32 {
	return speech(t)[24000:][:samples]
}

// speech is a recording of 24000 samples per second.
func speech(t testing.TB) []float32 {
	t.Helper()
	clip, err := audio.ReadFile("../testdata/clips/kathleen_arctic_a0344.flac")
	if err != nil {
		t.Fatal(err)
	}
	return clip.Samples
}

func TestLogMelIsLibrosas(t *testing.T) {
	for _, cfg := range configs(t) {
		file := golden.Load(t, fmt.Sprintf("testdata/mel_%d.golden", cfg.SampleRate))
		samples := 2*cfg.SampleRate/5 + 7
		for name, x := range map[string][]float32{
			"voice": goldenVoice(cfg.SampleRate, samples),
			"click": goldenClick(cfg.SampleRate / 10),
			"clip":  goldenClip(t, samples),
		} {
			t.Run(fmt.Sprintf("%d/%s", cfg.SampleRate, name), func(t *testing.T) {
				plain := cfg
				plain.MelMean, plain.MelScale = 0, 1
				f, err := Extract(plain, x)
				if err != nil {
					t.Fatal(err)
				}
				far := golden.Compare(t, name, f.LogMel, file.Array(t, name), golden.Tolerance{Abs: 1e-4})
				t.Logf("largest difference %.2g", far)
			})
		}
	}
}

func TestMelBank(t *testing.T) {
	for _, cfg := range configs(t) {
		t.Run(fmt.Sprint(cfg.SampleRate), func(t *testing.T) {
			bank, err := NewMelBank(cfg)
			if err != nil {
				t.Fatal(err)
			}
			weights, bins := bank.Weights(), cfg.Bins()
			magnitude, mel := make([]float64, bins), make([]float64, cfg.NMels)
			for k, v := range noise(bins, 2) {
				magnitude[k] = float64(v) + 0.5
			}
			bank.Apply(mel, magnitude)
			previous := -1.0
			for m := range cfg.NMels {
				var sum, area, moment float64
				for k, w := range weights[m*bins : (m+1)*bins] {
					sum += w * magnitude[k]
					area += w * float64(cfg.SampleRate) / float64(cfg.NFFT)
					moment += w * float64(k)
				}
				if math.Abs(sum-mel[m]) > 1e-12 {
					t.Errorf("band %d: %g, want %g", m, mel[m], sum)
				}
				// Narrow bands are sampled by few bins, so the sum only comes near the triangle's area of 1.
				if math.Abs(area-1) > 0.35 {
					t.Errorf("band %d has an area of %g, want about 1", m, area)
				}
				if centre := moment / area; centre <= previous {
					t.Errorf("band %d is not above the one before it", m)
				} else {
					previous = centre
				}
			}
		})
	}
}

func TestMelScale(t *testing.T) {
	// The scale's definition: 200/3 Hz per mel below 1 kHz, and 27 mels for a factor of 6.4 above.
	for hz, mel := range map[float64]float64{0: 0, 200: 3, 1000: 15, 6400: 42} {
		if got := hzToMel(hz); math.Abs(got-mel) > 1e-12 {
			t.Errorf("hzToMel(%g) = %g, want %g", hz, got, mel)
		}
		if got := melToHz(mel); math.Abs(got-hz) > 1e-9 {
			t.Errorf("melToHz(%g) = %g, want %g", mel, got, hz)
		}
	}
}

func TestMelBankRefusesEmptyBands(t *testing.T) {
	cfg := DefaultConfig()
	cfg.NMels = 400
	if _, err := NewMelBank(cfg); err == nil {
		t.Error("no error for bands between two frequencies")
	}
	if _, err := NewExtractor(cfg); err == nil {
		t.Error("no error from the extractor")
	}
}

func TestNormalizeMel(t *testing.T) {
	cfg := DefaultConfig()
	for _, mel := range []float64{cfg.LogFloor, 1e-3, 1, 30} {
		if got := cfg.DenormalizeMel(cfg.NormalizeMel(mel)); math.Abs(got/mel-1) > 1e-5 {
			t.Errorf("%g comes back as %g", mel, got)
		}
	}
	if cfg.NormalizeMel(0) != cfg.NormalizeMel(cfg.LogFloor) {
		t.Error("0 is not at the floor")
	}
}

// The constants of the affine map were measured on other recordings; this clip must come out about as they say.
func TestSpeechIsNormalised(t *testing.T) {
	cfg, err := ConfigForRate(24000)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Extract(cfg, speech(t))
	if err != nil {
		t.Fatal(err)
	}
	loud := slices.Max(f.LogEnergy) - 4
	var n, sum, squares float64
	for i := range f.Len() {
		if f.LogEnergy[i] < loud {
			continue
		}
		for _, v := range f.Mel(i) {
			n++
			sum += float64(v)
			squares += float64(v) * float64(v)
		}
	}
	mean := sum / n
	deviation := math.Sqrt(squares/n - mean*mean)
	t.Logf("mean %.3f, standard deviation %.3f", mean, deviation)
	if math.Abs(mean) > 0.5 || math.Abs(deviation-1) > 0.3 {
		t.Errorf("mean %.3f and standard deviation %.3f, want about 0 and 1", mean, deviation)
	}
}
