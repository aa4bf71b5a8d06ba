package corpus

import (
	"math"
	"slices"

	"github.com/starvc/vc/features"
)

// What counts as silence, on the natural logarithm of a frame's RMS.
const (
	trimNats    = 40 * nepersPerDB // below the speech level: silence at the ends
	activeNats  = 30 * nepersPerDB // within this of the speech level: speech, for choosing crops
	silenceNats = -60 * nepersPerDB
	keepFrames  = 25 // silence left at each end
	trimFrames  = 50 // shorter silences at the ends are left alone
	speechShare = 0.95
	nepersPerDB = math.Ln10 / 20
	floorLogRMS = -11.512925464970229 // ln 1e-5, what features gives for digital silence
)

// speechLevel is the log-energy that 95 % of the frames do not pass.
func speechLevel(logEnergy []float32) float64 {
	sorted := slices.Sorted(slices.Values(logEnergy))
	return float64(sorted[int(math.Round(speechShare*float64(len(sorted)-1)))])
}

// trimEnds is the range of frames without long silences at the ends: where more than half a second is 40 dB under the
// speech level or under -60 dB, a quarter of a second of it stays.
func trimEnds(f features.Frames) (from, to int) {
	n := f.Len()
	if n == 0 || len(f.LogEnergy) != n {
		return 0, n
	}
	limit := float32(max(speechLevel(f.LogEnergy)-trimNats, silenceNats))
	loud := func(e float32) bool { return e > limit }
	first := slices.IndexFunc(f.LogEnergy, loud)
	if first < 0 {
		return 0, n
	}
	last := n - 1
	for !loud(f.LogEnergy[last]) {
		last--
	}
	to = n
	if first > trimFrames {
		from = first - keepFrames
	}
	if n-1-last > trimFrames {
		to = last + 1 + keepFrames
	}
	return from, to
}

// activeLimit is the log-energy that frames with speech pass.
func activeLimit(f features.Frames) float32 {
	if f.Len() == 0 {
		return silenceNats
	}
	return float32(max(speechLevel(f.LogEnergy)-activeNats, silenceNats))
}

// activeFrames is the number of frames with speech.
func activeFrames(logEnergy []float32, limit float32) int {
	n := 0
	for _, e := range logEnergy {
		if e > limit {
			n++
		}
	}
	return n
}
