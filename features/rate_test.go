package features

import (
	"math"
	"slices"
	"testing"

	"github.com/starvc/vc/audio"
)

// The encoder and the phone network hear the same numbers at either rate.
func TestLowerBandsAreTheSameAtAnyRate(t *testing.T) {
	narrow, wide := configs(t)[0], configs(t)[1]
	if n := wide.SpeechMels(); n != narrow.NMels || narrow.SpeechMels() != n {
		t.Fatalf("%d bands up to 8 kHz, and %d at 16000 Hz, want %d", n, narrow.SpeechMels(), narrow.NMels)
	}
	for m := range narrow.NMels {
		if d := math.Abs(wide.BandHz(m) - narrow.BandHz(m)); d > 1e-9*wide.BandHz(m) {
			t.Fatalf("band %d lies at %g Hz, and at %g", m, wide.BandHz(m), narrow.BandHz(m))
		}
	}
	if !SameSpeech(narrow, wide) || !SameSpeech(wide, wide) {
		t.Error("SameSpeech says that they are not the same")
	}
	for name, change := range map[string]func(*Config){
		"hop": func(c *Config) { c.Hop++ }, "floor": func(c *Config) { c.LogFloor *= 2 }, "mean": func(c *Config) { c.MelMean++ },
		"points": func(c *Config) { c.NFFT = 1024 }, "bands": func(c *Config) { c.NMels++ }, "edge": func(c *Config) { c.FMaxHz -= 100 },
	} {
		other := wide
		if change(&other); SameSpeech(narrow, other) {
			t.Errorf("another %s counts as the same", name)
		}
	}
	x := speech(t)
	low := audio.Resample(x, 24000, 16000)
	at24, err := Extract(wide, x)
	if err != nil {
		t.Fatal(err)
	}
	at16, err := Extract(narrow, low)
	if err != nil {
		t.Fatal(err)
	}
	frames := min(at24.Len(), at16.Len())
	var sum, most, energies float64
	count, voices := 0, 0
	for i := range frames {
		if at16.LogEnergy[i] < -7 { // silence, where rounding counts
			continue
		}
		energies += math.Abs(float64(at24.LogEnergy[i]-at16.LogEnergy[i])) * 20 / math.Ln10
		voices++
		for m := range narrow.NMels - 4 { // the last lie in the resampler's slope
			d := math.Abs(float64(at24.Mel(i)[m]-at16.Mel(i)[m])) * narrow.MelScale * 20 / math.Ln10
			sum, most, count = sum+d, max(most, d), count+1
		}
	}
	mean, energy := sum/float64(count), energies/float64(voices)
	t.Logf("%d frames: bands differ by %.3f dB in the mean and %.2f dB at most, energies by %.2f dB in the mean", voices, mean, most, energy)
	if !(mean < 0.02) || !(most < 0.2) || !(energy < 0.2) {
		t.Error("want at most 0.02, 0.2 and 0.2 dB")
	}
}

func TestNarrow(t *testing.T) {
	wide := configs(t)[1]
	x := speech(t)
	for name, c := range map[string]struct {
		cfg  Config
		x    []float32
		want bool
	}{
		"full band":      {wide, x, false},
		"up to 8 kHz":    {wide, audio.Resample(audio.Resample(x, 24000, 16000), 16000, 24000), true},
		"no upper bands": {DefaultConfig(), audio.Resample(x, 24000, 16000), false},
		"nothing":        {wide, nil, true},
	} {
		f, err := Extract(c.cfg, c.x)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.cfg.Narrow(f); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		was := slices.Clone(f.LogMel)
		c.cfg.SilenceUpper(f.LogMel)
		for i, v := range f.LogMel {
			switch m := i % c.cfg.NMels; {
			case m < 80 && v != was[i]:
				t.Fatalf("%s: band %d has changed", name, m)
			case m >= 80 && v != c.cfg.NormalizeMel(0):
				t.Fatalf("%s: band %d is not at the floor", name, m)
			}
		}
	}
}

// Frames go from one rate's bands to the other's and back, without those above.
func TestInConfig(t *testing.T) {
	narrow := DefaultConfig()
	wide, err := ConfigForRate(24000)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Extract(narrow, audio.Resample(speech(t), 24000, 16000))
	if err != nil {
		t.Fatal(err)
	}
	there := f.InConfig(narrow, wide)
	if there.Len() != f.Len() || there.NMels != wide.NMels || there.Mel(3)[wide.NMels-1] != wide.NormalizeMel(0) {
		t.Errorf("%d frames of %d bands, the highest at %g", there.Len(), there.NMels, there.Mel(3)[wide.NMels-1])
	}
	if back := there.InConfig(wide, narrow); !slices.Equal(back.LogMel, f.LogMel) {
		t.Error("the way back is another")
	}
}
