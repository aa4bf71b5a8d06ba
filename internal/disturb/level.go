package disturb

import (
	"math"
	"slices"
)

func fromDB(db float64) float64 { return math.Pow(10, db/20) }

func scale(x []float32, gain float64) {
	for i, v := range x {
		x[i] = float32(gain * float64(v))
	}
}

// marginDB is how far below the active level the quietest frames of activity lie (ITU-T P.56).
const marginDB = 15.9

// ActiveLevel is the RMS of x, of rate samples per second, where there is speech: over the frames of 20 ms that lie at most 15.9 dB
// below it, the margin of ITU-T P.56. Frames rather than that recommendation's envelope are compared, without its hangover. It is
// 0 for silence, NaN if a sample is.
func ActiveLevel(x []float32, rate int) float64 {
	var powers []float64
	for frame := range slices.Chunk(x, max(1, rate/50)) {
		powers = append(powers, power(frame))
	}
	if slices.ContainsFunc(powers, math.IsNaN) {
		return math.NaN()
	}
	slices.Sort(powers)
	slices.Reverse(powers)
	var sum, mean float64
	margin := math.Pow(10, marginDB/10)
	for n, p := range powers {
		if p*margin < mean {
			break
		}
		sum += p
		mean = sum / float64(n+1)
	}
	return math.Sqrt(mean)
}

// power is the mean square.
func power(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return sum / float64(max(1, len(x)))
}

// keepLevel brings x to an active level, in place.
func keepLevel(x []float32, rate int, level float64) []float32 {
	if now := ActiveLevel(x, rate); now > 0 {
		scale(x, level/now)
	}
	return x
}
