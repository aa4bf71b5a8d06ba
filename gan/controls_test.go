package gan

import (
	"math"
	"testing"

	"github.com/starvc/vc/features"
)

func TestAppendControls(t *testing.T) {
	f0 := []float32{0, 150, float32(150 * math.Exp(0.5)), 75}
	energy := []float32{-5, -1, -11, -5}
	got := AppendControls([]float32{9}, f0, energy)
	want := []float64{9, 0, 0, 0, 0, 1, 2, 1, 1, -3, -2 * math.Ln2, 1, 0}
	if len(got) != len(want) {
		t.Fatalf("%d numbers, want %d", len(got), len(want))
	}
	for i, v := range got {
		if math.Abs(float64(v)-want[i]) > 1e-6 {
			t.Errorf("number %d is %g, want %g", i, v, want[i])
		}
	}
	dst := make([]float32, 0, Controls*len(f0))
	if n := testing.AllocsPerRun(10, func() { AppendControls(dst, f0, energy) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

func TestPitchMap(t *testing.T) {
	low, high := features.Pitch{Mean: math.Log(100), Std: 0.2}, features.Pitch{Mean: math.Log(200), Std: 0.1}
	for _, c := range []struct {
		name string
		p    PitchMap
		hz   float32
		want float64
	}{
		{"unvoiced", PitchMap{Source: low, Target: high, Semitones: 12}, 0, 0},
		{"mean to mean", PitchMap{Source: low, Target: high}, 100, 200},
		{"an octave up", PitchMap{Source: low, Target: high, Semitones: 12}, 100, 400},
		{"one deviation", PitchMap{Source: low, Target: high}, float32(100 * math.Exp(0.2)), 200 * math.Exp(0.1)},
		{"intervals kept", PitchMap{Source: low, Target: high, KeepIntervals: true}, 110, 220},
		{"to itself", PitchMap{Source: low, Target: low}, 123, 123},
		{"flat source", PitchMap{Source: features.Pitch{Mean: math.Log(100)}, Target: features.Pitch{Mean: math.Log(100), Std: leastStd}}, 110, 110},
		{"no lower than 20", PitchMap{Source: low, Target: high, Semitones: -99}, 100, 20},
		{"no higher than 2000", PitchMap{Source: low, Target: high, Semitones: 99}, 100, 2000},
	} {
		if got := float64(c.p.Hz(c.hz)); math.Abs(got-c.want) > 1e-4*c.want {
			t.Errorf("%s: %g Hz, want %g", c.name, got, c.want)
		}
	}
}
