package train

import (
	"math"
	"math/rand/v2"
)

// A disturbed copy of the source is what G's encoder reads in the warm-up: its mel axis is stretched, as another vocal
// tract would, and its spectral slope bent, while the target stays as it was (Choi et al. 2021, NANSY). What survives
// the disturbance is what is said; whose voice it is must then come from the style.

// warpMatrix writes a [mels, mels] matrix that resamples a row of mel bands, out = in . matrix, so that output band m
// holds what stood at band m*factor. Bands beyond the edge repeat the last.
func warpMatrix(dst []float32, mels int, factor float64) {
	clear(dst)
	for m := range mels {
		at := math.Min(float64(m)*factor, float64(mels-1))
		low := int(at)
		high := min(low+1, mels-1)
		part := float32(at - float64(low))
		dst[low*mels+m] += 1 - part
		dst[high*mels+m] += part
	}
}

// shiftMatrix is the same for a shift by whole bands.
func shiftMatrix(dst []float32, mels, shift int) {
	clear(dst)
	for m := range mels {
		dst[min(max(m-shift, 0), mels-1)*mels+m] = 1
	}
}

// disturb draws a warp matrix [batch, mels, mels] and an additive slope [batch, mels] per item from the seed and step.
func disturb(warp, tilt []float32, batch, mels int, warpRange, tiltRange float64, seed uint64, step int) {
	r := rand.New(rand.NewPCG(seed^0x9e3779b97f4a7c15, uint64(step)))
	for b := range batch {
		factor := math.Exp((2*r.Float64() - 1) * math.Log(1+warpRange))
		warpMatrix(warp[b*mels*mels:(b+1)*mels*mels], mels, factor)
		slope, bow := (2*r.Float64()-1)*tiltRange, (2*r.Float64()-1)*tiltRange
		for m := range mels {
			x := 2*float64(m)/float64(mels-1) - 1
			tilt[b*mels+m] = float32(slope*x + bow*(x*x-1.0/3))
		}
	}
}
