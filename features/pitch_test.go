package features

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestMeasurePitch(t *testing.T) {
	t.Parallel()
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
		p, voiced := MeasurePitch(track[:900], nil, track[900:])
		if !voiced || math.Abs(p.Mean-wantMean) > 0.01 || math.Abs(p.Std-wantStd) > 0.02 {
			t.Errorf("%s: mean %.4f and deviation %.4f, want %.4f and %.4f", name, p.Mean, p.Std, wantMean, wantStd)
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
		if p, voiced := MeasurePitch(track); voiced || p != UnknownPitch {
			t.Errorf("%s: %+v, voiced %v", name, p, voiced)
		}
	}
	if p, voiced := MeasurePitch(slices.Repeat([]float32{100}, 50)); !voiced || p.Std != minPitchStd {
		t.Errorf("monotone: %+v, voiced %v", p, voiced)
	}
}

// melody is an F0 contour with pauses around a mean, with the given deviation.
func melody(frames int, hz, std float64) []float32 {
	f0 := make([]float32, frames)
	for t := range f0 {
		if t%50 < 40 {
			f0[t] = float32(hz * math.Exp(std*math.Sqrt2*math.Sin(2*math.Pi*float64(t)/40.77)))
		}
	}
	return f0
}

func TestMeasureSource(t *testing.T) {
	t.Parallel()
	if p := MeasureSource(melody(40000, 220, 0.25), 0.19); math.Abs(p.Mean-math.Log(220)) > 0.01 || math.Abs(p.Std-0.25) > 0.01 {
		t.Errorf("%+v, want mean %g and deviation 0.25", p, math.Log(220))
	}
	if p := MeasureSource([]float32{0, 0}, UnknownPitch.Std); p != UnknownPitch {
		t.Errorf("silence has %+v", p)
	}
	if p := MeasureSource(slices.Repeat([]float32{300}, 12), 0.19); math.Abs(p.Mean-math.Log(300)) > 1e-6 || p.Std < 0.15 {
		t.Errorf("a moment of 300 Hz has %+v", p)
	}
}

func TestRunningPitch(t *testing.T) {
	var r RunningPitch
	f0 := melody(6000, 220, 0.25)
	for i := 30; i < len(f0); i += 97 { // single slips
		f0[i] *= 2
	}
	for i := 1000; i < 1040; i++ { // a phrase an octave up
		f0[i] *= 2
	}
	var track []Pitch
	for _, hz := range f0 {
		r.Add(hz)
		track = append(track, r.Pitch())
	}
	whole := MeasureSource(f0, UnknownPitch.Std)
	if p := r.Pitch(); math.Abs(p.Mean-whole.Mean) > 0.01 || math.Abs(p.Std-whole.Std) > 0.02 {
		t.Errorf("running %+v, measured %+v", p, whole)
	}
	if p := track[100]; math.Abs(p.Mean-whole.Mean) > 0.1 || math.Abs(p.Std-whole.Std) > 0.1 {
		t.Errorf("after a second %+v, measured %+v", p, whole)
	}
	r.Reset()
	r.Add(float32(math.NaN()))
	r.Add(float32(math.Inf(1)))
	if p := r.Pitch(); math.Abs(p.Mean-UnknownPitch.Mean) > 1e-12 || math.Abs(p.Std-UnknownPitch.Std) > 1e-12 {
		t.Errorf("fresh: %+v", p)
	}
	r.Reset()
	for i, hz := range f0[:10] {
		if r.Add(hz); r.Pitch() != track[i] {
			t.Errorf("frame %d: Reset leaves something", i)
		}
	}
	for range 3 * RunningPitchFrames { // another voice takes over
		r.Add(110)
	}
	if p := r.Pitch(); math.Abs(p.Mean-math.Log(110)) > 0.06 {
		t.Errorf("three minutes at 110 Hz: mean %g Hz", math.Exp(p.Mean))
	}
	if n := testing.AllocsPerRun(100, func() { r.Add(120); r.Pitch() }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

// TestRunningPitchStart has voices of all heights: from the first voiced frame on, the mean lies within two semitones of the
// voice's.
func TestRunningPitchStart(t *testing.T) {
	t.Parallel()
	for _, hz := range []float64{75, 90, 120, 150, 200, 250, 300} {
		var r RunningPitch
		for i, v := range melody(500, hz, 0.06) {
			switch i { // the tracker's accidents at an onset
			case 51, 52, 150, 300:
				v *= 2
			case 250:
				v /= 2
			}
			r.Add(v)
			if off := 12 / math.Ln2 * (r.Pitch().Mean - math.Log(hz)); math.Abs(off) > 2 {
				t.Errorf("%g Hz, frame %d: the mean is %.1f semitones off", hz, i, off)
				break
			}
		}
	}
}

func TestRunningPitchKnown(t *testing.T) {
	t.Parallel()
	known := Pitch{math.Log(100), 0.1}
	var r RunningPitch
	r.Start(known, math.Inf(1), math.Inf(1))
	for _, hz := range melody(3000, 220, 0.25) {
		r.Add(hz)
	}
	if p := r.Pitch(); p != known {
		t.Errorf("fixed: %+v, want %+v", p, known)
	}
	r.Start(known, math.Inf(1), 0)
	for _, hz := range melody(8000, 220, 0.25) {
		r.Add(hz)
	}
	if p := r.Pitch(); p.Mean != known.Mean || math.Abs(p.Std-0.25) > 0.02 {
		t.Errorf("fixed mean: %+v, want %g and a deviation of 0.25", p, known.Mean)
	}
	r.Reset()
	if r.Expect(0.3); r.Pitch() != (Pitch{known.Mean, 0.3}) {
		t.Errorf("expected a spread of 0.3: %+v", r.Pitch())
	}
	r.Start(known, 1000, 1000)
	if p := r.Pitch(); math.Abs(p.Mean-known.Mean) > 1e-12 || math.Abs(p.Std-known.Std) > 1e-12 {
		t.Errorf("at the start: %+v, want %+v", p, known)
	}
	for _, hz := range melody(1250, 200, 0.1) { // 1000 of them voiced
		r.Add(hz)
	}
	if p := r.Pitch(); math.Abs(math.Exp(p.Mean)-100*math.Sqrt2) > 3 {
		t.Errorf("half and half: %g Hz, want 141", math.Exp(p.Mean))
	}
	r.Reset()
	if p := r.Pitch(); math.Abs(p.Mean-known.Mean) > 1e-12 {
		t.Errorf("Reset forgets what was known: %+v", p)
	}
}
