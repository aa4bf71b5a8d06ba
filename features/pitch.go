package features

import (
	"math"
	"slices"
)

// Pitch describes how a voice uses its pitch: mean and standard deviation of ln F0, F0 in Hz, over the frames that sound like
// it. There is one measure: MeasurePitch takes it of whole recordings, RunningPitch of a voice that is still speaking.
type Pitch struct{ Mean, Std float64 }

// UnknownPitch stands for a voice that has not been heard: 150 Hz, between low and high voices, and the spread of a reader.
var UnknownPitch = Pitch{Mean: 5.0106352940962555, Std: 0.19}

// How frames are sorted out before mean and deviation are taken.
const (
	minVoicedFrames = 10   // fewer say nothing about a speaker
	minVoicedRun    = 3    // shorter stretches of voice are the tracker's accidents
	medianFrames    = 5    // window of the median filter
	jumpLimit       = 0.2  // nats from the local median; speech moves less in 20 ms
	minSpreadLimit  = 0.35 // nats from the speaker's median that are always let through, half an octave
	spreadLimit     = 3 * 1.4826
	minPitchStd     = 0.02
)

// priorSpreadFrames is how many voiced frames an expected spread weighs against the one that is measured: neighbouring frames say
// the same, so a sentence says little about the spread of its speaker.
const priorSpreadFrames = 300

// MeasurePitch is the pitch of a speaker, by the F0 of one or more recordings in Hz, 0 where unvoiced. Left out are voiced
// stretches under 30 ms, frames that jump away from the median of the five around them, and frames more than three robust
// deviations (1.4826 times the median absolute deviation) from the speaker's median, which is where octave errors lie. Std is at
// least 0.02. Without 10 frames voiced is false and the result is UnknownPitch.
func MeasurePitch(tracks ...[]float32) (p Pitch, voiced bool) {
	p, frames := measurePitch(tracks)
	return p, frames > 0
}

// MeasureSource is MeasurePitch for a recording that may be short: the less is heard of the voice, the nearer Std is to
// expected. Where that is the spread of the voice which it is to be turned into, unsure means that intervals stay as they are,
// and a voice turned into itself keeps its melody.
func MeasureSource(f0 []float32, expected float64) Pitch {
	p, frames := measurePitch([][]float32{f0})
	p.Std = blendSpread(p.Std, float64(frames), expected, priorSpreadFrames)
	return p
}

func measurePitch(tracks [][]float32) (p Pitch, frames int) {
	var logs []float64
	for _, f0 := range tracks {
		logs = appendSteady(logs, f0)
	}
	if len(logs) < minVoicedFrames {
		return UnknownPitch, 0
	}
	slices.Sort(logs)
	median := logs[len(logs)/2]
	deviations := make([]float64, len(logs))
	for i, l := range logs {
		deviations[i] = math.Abs(l - median)
	}
	slices.Sort(deviations)
	limit := max(spreadLimit*deviations[len(deviations)/2], minSpreadLimit)
	var sum, squares, n float64
	for _, l := range logs {
		if math.Abs(l-median) <= limit {
			d := l - median // keeps the squares small
			sum, squares, n = sum+d, squares+d*d, n+1
		}
	}
	std := math.Sqrt(max(squares/n-(sum/n)*(sum/n), 0))
	return Pitch{median + sum/n, max(std, minPitchStd)}, len(logs)
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

// blendSpread is the spread after n frames of a and weight frames of b.
func blendSpread(a, n, b, weight float64) float64 {
	if math.IsInf(weight, 1) {
		return b
	}
	return math.Sqrt((n*a*a + weight*b*b) / (n + weight))
}
