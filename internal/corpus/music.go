package corpus

import (
	"math"
	"slices"

	"github.com/starvc/vc/features"
)

// Speech has gaps: between words and sounds its level falls by tens of dB several times a second. Music and noise go on. Saunders,
// "Real-time discrimination of broadcast speech/music", 1996, and Scheirer and Slaney, 1997, tell them apart so.
const (
	musicWindow     = 100 // frames in which the level is compared
	musicRangeDB    = 14.0
	musicLowShare   = 0.2 // of the frames, below lowOfMean of their window's mean
	lowOfMean       = 0.5
	musicLeast      = 300 // frames, below which nothing is said
	voicelessShare  = 0.08
	voicelessFrames = 100
)

// hardlyMoves is said of music and noise, and may be said of speech in loud noise.
const hardlyMoves = "music, or much noise: its level hardly moves"

// notSpeech says of a piece of a recording why it is hardly speech, or nothing.
func notSpeech(f features.Frames) string {
	n := f.Len()
	if n < voicelessFrames || len(f.LogEnergy) != n {
		return ""
	}
	limit := activeLimit(f)
	active, voiced := 0, 0
	for t, e := range f.LogEnergy {
		if e > limit {
			active++
			if f.F0[t] > 0 {
				voiced++
			}
		}
	}
	if float64(voiced) < voicelessShare*float64(active) {
		return "no voice in it"
	}
	if n < musicLeast {
		return ""
	}
	ranges, low, all := []float64{}, 0, 0
	for from := 0; from+musicWindow <= n; from += musicWindow {
		window := f.LogEnergy[from : from+musicWindow]
		mean := 0.0
		for _, e := range window {
			mean += math.Exp(float64(e)) / musicWindow
		}
		if mean < math.Exp(float64(limit)) {
			continue // a pause
		}
		for _, e := range window {
			all++
			if math.Exp(float64(e)) < lowOfMean*mean {
				low++
			}
		}
		sorted := slices.Sorted(slices.Values(window))
		ranges = append(ranges, float64(sorted[musicWindow*9/10]-sorted[musicWindow/10])/nepersPerDB)
	}
	if len(ranges) == 0 {
		return ""
	}
	slices.Sort(ranges)
	if percentile(ranges, 0.5) < musicRangeDB && float64(low) < musicLowShare*float64(all) {
		return hardlyMoves
	}
	return ""
}
