package eval

import (
	"math"
	"slices"

	"github.com/starvc/vc/features"
)

// octaveCents is how far F0 must be off to count as an octave error: half an octave.
const octaveCents = 600

// compareMelody compares F0 that was asked for with F0 that is heard, frame by frame, where the recording that gave the
// timing is no silence. It leaves the slope out.
func compareMelody(source features.Frames, asked, heard []float32) Melody {
	m := noMelody()
	var a, b []float64
	var mismatched, n, squares, up, down float64
	speech := within(source.LogEnergy, speechDB)
	for t := range min(len(asked), len(heard), len(speech)) {
		if !speech[t] {
			continue
		}
		n++
		switch {
		case asked[t] > 0 && heard[t] > 0:
			a, b = append(a, math.Log(float64(asked[t]))), append(b, math.Log(float64(heard[t])))
			d := (b[len(b)-1] - a[len(a)-1]) * centsPerNeper
			squares += d * d
			switch {
			case d > octaveCents:
				up++
			case d < -octaveCents:
				down++
			}
		case asked[t] > 0 || heard[t] > 0:
			mismatched++
		}
	}
	both := float64(len(a))
	m.Correlation, m.OffCents, m.Voicing = correlation(a, b), math.Sqrt(squares/both), mismatched/n
	m.OctaveUp, m.OctaveDown = up/both, down/both
	return m
}

// apart is how far the source's F0 of two frames must differ for them to tell a slope, in semitones.
const apart = 1

// melodySlope is how many semitones heard moves for each semitone of the source, over frames of speech that are voiced in both:
// the median slope of all pairs of frames between which the source moves by a semitone or more (Theil, "A rank-invariant method
// of linear and polynomial regression analysis", 1950; Sen 1968), so that octave errors in some frames do not count. NaN
// where the source does not move.
func melodySlope(source features.Frames, heard []float32) float64 {
	var x, y []float64 // semitones
	speech := within(source.LogEnergy, speechDB)
	for t := range min(len(source.F0), len(heard), len(speech)) {
		if speech[t] && source.F0[t] > 0 && heard[t] > 0 {
			x, y = append(x, 12*math.Log2(float64(source.F0[t]))), append(y, 12*math.Log2(float64(heard[t])))
		}
	}
	var slopes []float64
	for i := range x {
		for j := range i {
			if d := x[i] - x[j]; math.Abs(d) >= apart {
				slopes = append(slopes, (y[i]-y[j])/d)
			}
		}
	}
	if len(slopes) == 0 {
		return math.NaN()
	}
	slices.Sort(slopes)
	return (slopes[(len(slopes)-1)/2] + slopes[len(slopes)/2]) / 2
}
