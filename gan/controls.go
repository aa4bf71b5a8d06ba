package gan

import "math"

// AppendControls appends a frame's Controls values for each frame to dst: log-F0 standardised by a fixed map (0
// where there is no voice), 1 or 0 for voiced, and log-energy to about unit variance. f0 is in Hz, 0 for unvoiced,
// and is the TARGET's: a PitchMap has been applied already. logEnergy is features.Frames.LogEnergy.
func AppendControls(dst, f0, logEnergy []float32) []float32 {
	have := len(dst)
	dst = grow(dst, Controls*len(f0))
	for t, hz := range f0 {
		c := dst[have+Controls*t:][:Controls]
		c[0], c[1], c[2] = 0, 0, (logEnergy[t]+5)/2
		if hz > 0 {
			c[0], c[1] = float32((math.Log(float64(hz))-lnCentreHz)/0.5), 1
		}
	}
	return dst
}

// lnCentreHz is the log-F0 that counts as 0: 150 Hz, between low and high voices.
const lnCentreHz = 5.0106352940962555

// LogF0 describes how a voice uses its pitch: mean and standard deviation of ln F0 over its voiced frames.
type LogF0 struct{ Mean, Std float64 }

// What stands for a voice that has not been heard yet, and how many voiced frames (10 ms each) that guess weighs
// against the voice. The mean is learnt within a word; the spread needs sentences.
const (
	guessStd        = 0.2
	guessMeanFrames = 5
	guessStdFrames  = 50
	forgetFrames    = 6000 // a minute of voice, after which a running statistic forgets
	leastStd        = 0.03 // half a semitone: no voice is flatter, but an estimate may be
)

// MeasureLogF0 gives the statistic of a whole recording's F0 in Hz, 0 for unvoiced.
func MeasureLogF0(f0 []float32) LogF0 {
	var n, sum, squares float64
	for _, hz := range f0 {
		if hz > 0 {
			v := math.Log(float64(hz))
			n++
			sum += v
		}
	}
	if n == 0 {
		return LogF0{lnCentreHz, guessStd}
	}
	mean := sum / n
	for _, hz := range f0 {
		if hz > 0 {
			d := math.Log(float64(hz)) - mean
			squares += d * d
		}
	}
	// The guess about the spread keeps recordings with a few voiced frames from being stretched out of all measure.
	return LogF0{mean, math.Sqrt((squares + guessStdFrames*guessStd*guessStd) / (n + guessStdFrames))}
}

// RunningLogF0 is the same for a stream: what is known of a voice so far. It begins with a guess, and after a minute
// of voice it slowly forgets, so that it follows another speaker. The zero value is ready. Every frame changes it,
// so a stream that adds and reads frame by frame does not depend on how it is cut.
type RunningLogF0 struct {
	n, mean, square float64 // voiced frames, capped; mean; mean square deviation
}

// Add takes one frame's F0 in Hz; 0, unvoiced, changes nothing.
func (r *RunningLogF0) Add(hz float32) {
	if !(hz > 0) {
		return
	}
	v := math.Log(float64(hz))
	r.n = min(r.n+1, forgetFrames)
	d := v - r.mean
	r.mean += d / r.n
	r.square += (d*(v-r.mean) - r.square) / r.n
}

// Stats is the statistic so far.
func (r *RunningLogF0) Stats() LogF0 {
	if r.n == 0 {
		return LogF0{lnCentreHz, guessStd}
	}
	mean := (r.n*r.mean + guessMeanFrames*lnCentreHz) / (r.n + guessMeanFrames)
	square := (r.n*r.square + guessStdFrames*guessStd*guessStd) / (r.n + guessStdFrames)
	return LogF0{mean, math.Sqrt(square)}
}

// Reset forgets the voice.
func (r *RunningLogF0) Reset() { *r = RunningLogF0{} }

// PitchMap takes a source's F0 to where the target would have it: standardised by the source's statistic, rescaled
// to the target's, shifted by semitones.
type PitchMap struct {
	Source, Target LogF0
	Semitones      float64
}

// Hz maps one F0 in Hz:
//
//	exp((ln f0 - source.Mean) / source.Std * target.Std + target.Mean) * 2^(semitones/12)
//
// Unvoiced, 0, stays 0. Spreads below half a semitone count as that, and the result is kept within 20 to 2000 Hz.
func (p PitchMap) Hz(f0 float32) float32 {
	if !(f0 > 0) {
		return 0
	}
	z := (math.Log(float64(f0)) - p.Source.Mean) / max(p.Source.Std, leastStd)
	v := z*max(p.Target.Std, leastStd) + p.Target.Mean + p.Semitones*(math.Ln2/12)
	return float32(math.Exp(min(max(v, math.Log(20)), math.Log(2000))))
}
