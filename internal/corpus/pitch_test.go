package corpus

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/starvc/vc/features"
)

func TestPitchStats(t *testing.T) {
	t.Parallel()
	cfg := features.DefaultConfig()
	r := rand.New(rand.NewPCG(3, 4))
	var track []float32
	var sum, squares, n float64
	for range 40 { // phrases around 140 Hz, each followed by a pause
		l := math.Log(140) + 0.15*r.NormFloat64()
		for range 50 {
			l += 0.005 * r.NormFloat64()
			track = append(track, float32(math.Exp(l)))
			sum, squares, n = sum+l, squares+l*l, n+1
		}
		track = append(track, make([]float32, 20)...)
	}
	wantMean := sum / n
	wantStd := math.Sqrt(squares/n - wantMean*wantMean)
	check := func(name string, track []float32) {
		t.Helper()
		mean, std, voiced := PitchStats(cfg, [][]float32{track[:900], nil, track[900:]})
		if !voiced || math.Abs(mean-wantMean) > 0.01 || math.Abs(std-wantStd) > 0.02 {
			t.Errorf("%s: mean %.4f and deviation %.4f, want %.4f and %.4f", name, mean, std, wantMean, wantStd)
		}
	}
	check("clean", track)
	broken := slices.Clone(track)
	for i := 7; i < len(broken); i += 45 { // single octave jumps, up and down
		broken[i] *= []float32{2, 0.5}[i%2]
	}
	for i := 55; i < len(broken); i += 70 { // accidents in the pauses
		broken[i], broken[i+1] = 800, 820
	}
	for i := 140; i < 190; i++ { // a phrase an octave up
		broken[i] *= 2
	}
	check("with errors", broken)

	for name, track := range map[string][]float32{"empty": nil, "unvoiced": make([]float32, 100), "accidents": {0, 100, 100, 0, 0, 200, 0}} {
		mean, std, voiced := PitchStats(cfg, [][]float32{track})
		if voiced || math.Abs(math.Exp(mean)-math.Sqrt(50*1000)) > 1 || std != guessLogF0Std {
			t.Errorf("%s: mean %v, deviation %v, voiced %v", name, mean, std, voiced)
		}
	}
	if _, std, voiced := PitchStats(cfg, [][]float32{slices.Repeat([]float32{100}, 50)}); !voiced || std != minLogF0Std {
		t.Errorf("monotone: deviation %v, voiced %v", std, voiced)
	}
}
