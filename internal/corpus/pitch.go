package corpus

import (
	"math"
	"slices"

	"github.com/starvc/vc/features"
)

// How F0 frames are sorted out before a speaker's mean and deviation are taken.
const (
	minVoicedFrames = 10   // fewer say nothing about a speaker
	minVoicedRun    = 3    // shorter stretches of voice are the tracker's accidents
	medianFrames    = 5    // window of the median filter
	jumpLimit       = 0.2  // nats from the local median; speech moves less in 20 ms
	minSpreadLimit  = 0.35 // nats from the speaker's median that are always let through, half an octave
	minLogF0Std     = 0.02
	guessLogF0Std   = 0.2
)

// PitchStats is the mean and the standard deviation of ln F0 over the voiced frames of the utterances, F0 in Hz and 0
// where unvoiced. Left out are voiced stretches under 30 ms, frames that jump away from the median of the five around
// them, and frames more than three robust deviations (1.4826 times the median absolute deviation) from the speaker's
// median, which is where octave errors lie. Without enough voiced frames voiced is false and the result a guess.
func PitchStats(cfg features.Config, tracks [][]float32) (mean, std float64, voiced bool) {
	var logs []float64
	for _, f0 := range tracks {
		logs = appendSteady(logs, f0)
	}
	if len(logs) < minVoicedFrames {
		return math.Log(cfg.F0MinHz*cfg.F0MaxHz) / 2, guessLogF0Std, false
	}
	slices.Sort(logs)
	median := logs[len(logs)/2]
	deviations := make([]float64, len(logs))
	for i, l := range logs {
		deviations[i] = math.Abs(l - median)
	}
	slices.Sort(deviations)
	limit := max(3*1.4826*deviations[len(deviations)/2], minSpreadLimit)

	var sum, squares, n float64
	for _, l := range logs {
		if math.Abs(l-median) <= limit {
			d := l - median // keeps the squares small
			sum, squares, n = sum+d, squares+d*d, n+1
		}
	}
	std = math.Sqrt(max(squares/n-(sum/n)*(sum/n), 0))
	return median + sum/n, max(std, minLogF0Std), true
}

// appendSteady appends ln F0 of the frames of one track that the local tests let through.
func appendSteady(dst []float64, f0 []float32) []float64 {
	for i := 0; i < len(f0); {
		j := i
		for j < len(f0) && f0[j] > 0 {
			j++
		}
		if run := f0[i:j]; len(run) >= minVoicedRun {
			for t, hz := range run {
				from, to := max(t-medianFrames/2, 0), min(t+medianFrames/2+1, len(run))
				around := slices.Sorted(slices.Values(run[from:to]))
				if l := math.Log(float64(hz)); math.Abs(l-math.Log(float64(around[len(around)/2]))) <= jumpLimit {
					dst = append(dst, l)
				}
			}
		}
		i = j + 1
	}
	return dst
}
