package eval

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/starvc/vc/features"
)

// melodyOf is 4 s of F0 that moves by 3 semitones about 120 Hz, with pauses, under even loudness.
func melodyOf() features.Frames {
	f := features.Frames{F0: make([]float32, 400), LogEnergy: make([]float32, 400)}
	for t := range f.F0 {
		if t%50 < 40 {
			f.F0[t] = float32(120 * math.Exp2(3*math.Sin(float64(t)/20)/12))
		}
	}
	return f
}

func TestMelodySlope(t *testing.T) {
	source := melodyOf()
	for _, want := range []float64{1, 0.8, 1.2, 0, -0.5} {
		random := rand.New(rand.NewPCG(1, 1))
		heard := make([]float32, len(source.F0))
		for i, f := range source.F0 {
			if f == 0 {
				heard[i] = float32(100 * (i % 2)) // of frames without F0 in the source nothing counts
				continue
			}
			heard[i] = float32(200 * math.Pow(float64(f)/120, want) * math.Exp2(0.1*random.NormFloat64()/12))
			switch random.IntN(10) {
			case 0:
				heard[i] *= 2
			case 1:
				heard[i] = 0
			}
		}
		if got := melodySlope(source, heard); math.Abs(got-want) > 0.03 {
			t.Errorf("slope %.3f, want %g", got, want)
		}
	}
	for i := range source.F0 {
		source.F0[i] = 120
	}
	if got := melodySlope(source, source.F0); !math.IsNaN(got) {
		t.Errorf("of a source that does not move: %g", got)
	}
	if got := melodySlope(features.Frames{}, nil); !math.IsNaN(got) {
		t.Errorf("of nothing: %g", got)
	}
}

func TestOctaveErrors(t *testing.T) {
	source := melodyOf()
	heard := make([]float32, len(source.F0))
	voiced := 0
	for i, f := range source.F0 {
		heard[i] = f * 1.2 // three semitones are no octave error
		if f > 0 {
			voiced++
			switch {
			case voiced%20 == 0:
				heard[i] = f * 2
			case voiced%40 == 1:
				heard[i] = f / 2
			}
		}
	}
	m := compareMelody(source, source.F0, heard)
	if m.OctaveUp != 0.05 || m.OctaveDown != 0.025 || m.Voicing != 0 || !math.IsNaN(m.Slope) {
		t.Errorf("%+v of %d voiced frames", m, voiced)
	}
	heard[10] = 0
	if m := compareMelody(source, source.F0, heard); m.OctaveUp != 16./319 && m.OctaveUp != 15./319 {
		t.Errorf("an unvoiced frame counts: %+v", m)
	}
}
