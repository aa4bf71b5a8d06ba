package gan

import (
	"math"
	"slices"
	"testing"
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
	low, high := LogF0{math.Log(100), 0.2}, LogF0{math.Log(200), 0.1}
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
		{"to itself", PitchMap{Source: low, Target: low}, 123, 123},
		{"flat source", PitchMap{Source: LogF0{Mean: math.Log(100)}, Target: LogF0{math.Log(100), leastStd}}, 110, 110},
		{"no lower than 20", PitchMap{Source: low, Target: high, Semitones: -99}, 100, 20},
		{"no higher than 2000", PitchMap{Source: low, Target: high, Semitones: 99}, 100, 2000},
	} {
		if got := float64(c.p.Hz(c.hz)); math.Abs(got-c.want) > 1e-4*c.want {
			t.Errorf("%s: %g Hz, want %g", c.name, got, c.want)
		}
	}
}

// melody is an F0 contour with pauses, mean ln 220 and deviation 0.25.
func melody(frames int) []float32 {
	f0 := make([]float32, frames)
	for t := range f0 {
		if t%50 < 40 {
			f0[t] = float32(220 * math.Exp(0.25*math.Sqrt2*math.Sin(2*math.Pi*float64(t)/40.77)))
		}
	}
	return f0
}

func TestMeasureLogF0(t *testing.T) {
	s := MeasureLogF0(melody(5000))
	if math.Abs(s.Mean-math.Log(220)) > 0.01 || math.Abs(s.Std-0.25) > 0.01 {
		t.Errorf("%+v, want mean %g and deviation 0.25", s, math.Log(220))
	}
	if s := MeasureLogF0([]float32{0, 0}); s != (LogF0{lnCentreHz, guessStd}) {
		t.Errorf("silence has %+v", s)
	}
	if s := MeasureLogF0([]float32{300}); s.Mean != math.Log(300) || s.Std < 0.15 {
		t.Errorf("one frame has %+v", s)
	}
}

func TestRunningLogF0(t *testing.T) {
	var r RunningLogF0
	f0 := melody(6000)
	var track []LogF0
	for _, hz := range f0 {
		r.Add(hz)
		track = append(track, r.Stats())
	}
	whole := MeasureLogF0(f0)
	if s := r.Stats(); math.Abs(s.Mean-whole.Mean) > 0.01 || math.Abs(s.Std-whole.Std) > 0.01 {
		t.Errorf("running %+v, measured %+v", s, whole)
	}
	if s := track[100]; math.Abs(s.Mean-whole.Mean) > 0.1 || math.Abs(s.Std-whole.Std) > 0.1 {
		t.Errorf("after a second %+v, measured %+v", s, whole)
	}
	for _, hz := range []float32{110} { // another voice takes over
		for range 3 * forgetFrames {
			r.Add(hz)
		}
		if s := r.Stats(); math.Abs(s.Mean-math.Log(float64(hz))) > 0.06 {
			t.Errorf("three minutes at %g Hz: mean %g Hz", hz, math.Exp(s.Mean))
		}
	}
	r.Reset()
	r.Add(float32(math.NaN()))
	if s := r.Stats(); s != (LogF0{lnCentreHz, guessStd}) {
		t.Errorf("fresh: %+v", s)
	}
	for _, hz := range f0[:10] {
		r.Add(hz)
	}
	if !slices.Contains(track, r.Stats()) {
		t.Error("Reset leaves something")
	}
}
