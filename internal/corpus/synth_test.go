package corpus

import (
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
)

// voiceSignal is a glottal pulse train of falling harmonics with syllables and pauses, around f0 Hz, over a little noise.
func voiceSignal(f0, seconds float64, rate int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, int(math.Round(seconds*float64(rate))))
	phase, offset := 0.0, r.Float64()
	for i := range x {
		t := float64(i) / float64(rate)
		hz := f0 * (1 + 0.08*math.Sin(2*math.Pi*(1.3*t+offset)))
		phase += hz / float64(rate)
		envelope := max(0, math.Sin(2*math.Pi*(2*t+offset)))
		var v float64
		for k := 1; float64(k)*hz < 0.45*float64(rate) && k <= 25; k++ {
			v += math.Sin(2*math.Pi*phase*float64(k)) / float64(k)
		}
		x[i] = float32(0.2*envelope*v + 0.0005*r.NormFloat64())
	}
	return x
}

func constant(v float32, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = v
	}
	return x
}

func writeClip(t testing.TB, path string, x []float32, rate int) string {
	t.Helper()
	makeDir(t, filepath.Dir(path))
	if err := audio.WriteFile(path, audio.Clip{Samples: x, Rate: rate}); err != nil {
		t.Fatal(err)
	}
	return path
}

func makeDir(t testing.TB, path string) string {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func writeBytes(t testing.TB, path string, data []byte) string {
	t.Helper()
	makeDir(t, filepath.Dir(path))
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// handSet is a set without files: every value of an utterance's features tells where it comes from. LogMel holds
// speaker*1e4 + utterance*1e3 + frame (below 1000), F0 100*(speaker+1), and every tenth frame is silent.
func handSet(lengths ...[]int) *Set {
	cfg := features.DefaultConfig()
	cfg.NMels, cfg.LogFloor, cfg.MelMean, cfg.MelScale = 16, 1e-5, -4, 2
	set := &Set{Features: cfg}
	for sp, frames := range lengths {
		set.Speakers = append(set.Speakers, SpeakerInfo{Name: string(rune('a' + sp)), LogF0Mean: 5, LogF0Std: 0.2})
		for u, n := range frames {
			f := features.Frames{NMels: cfg.NMels}
			for t := range n {
				for range cfg.NMels {
					f.LogMel = append(f.LogMel, float32(sp*10000+u*1000+t))
				}
				f.F0 = append(f.F0, float32(100*(sp+1)))
				energy := float32(-3)
				if t%10 == 9 {
					energy = -11
				}
				f.LogEnergy = append(f.LogEnergy, energy)
			}
			set.Train = append(set.Train, Utterance{Speaker: sp, Frames: f})
		}
	}
	return set
}

// origin undoes handSet's numbering.
func origin(v float32) (speaker, utterance, frame int) {
	n := int(v)
	return n / 10000, n / 1000 % 10, n % 1000
}

// failingWriter takes left bytes and then fails.
type failingWriter struct{ left int }

func (w *failingWriter) Write(p []byte) (int, error) {
	if len(p) > w.left {
		return w.left, io.ErrShortWrite
	}
	w.left -= len(p)
	return len(p), nil
}
