package features

import (
	"math"
	"slices"
)

// RunningPitchFrames is how many voiced frames a RunningPitch remembers, a minute: then it forgets.
const RunningPitchFrames = 6000

const (
	pitchBins   = 128                // of a quarter tone
	pitchStep   = math.Ln2 / 24      // nats
	pitchLowest = 3.4657359027997265 // ln 32 Hz; above 1250 Hz all is in the last bin

	// A voice that nothing is known of. Its first frames outweigh the guess at once, or voices far from it would begin semitones
	// off; but they lie within 75 to 300 Hz and a little beyond, since what is not is likelier to be a slip of the tracker than a
	// speaker, until more of them say so.
	priorMean      = 0.15           // frames that the guess weighs
	priorReach     = 1.1 * math.Ln2 // nats from the guess
	priorReachMore = math.Ln2 / 50  // the same for each frame heard
)

// RunningPitch is MeasurePitch for a stream: what is known of a voice so far. It begins with a guess that the first voiced
// frames outweigh, the mean within a word and the spread within sentences, and after a minute of voice it slowly forgets, so that
// it follows another speaker. The zero value is ready. Every frame changes it, so a stream that adds and reads frame by frame
// does not depend on how it is cut. Nothing is allocated.
type RunningPitch struct {
	frames, sums [pitchBins]float64 // of ln F0 by its bin, the older the lighter
	squares      [pitchBins]float64 // of the distance from the bin's lower edge, as sums is
	total        float64            // frames

	run      int                   // voiced frames without a pause
	recent   [medianFrames]float64 // the last of them
	settled  Pitch
	measured bool // settled is up to date

	expected               float64 // spread; 0 means UnknownPitch's
	known                  Pitch   // what stood at the start, where knownMean or knownStd is more than 0
	knownMean, knownSpread float64
}

// Start begins with what is known of the voice, as if meanFrames and spreadFrames voiced frames (10 ms) had shown it;
// math.Inf(1) keeps it for ever, 0 is nothing. It resets p.
func (r *RunningPitch) Start(known Pitch, meanFrames, spreadFrames float64) {
	*r = RunningPitch{expected: r.expected, known: known, knownMean: meanFrames, knownSpread: spreadFrames}
}

// Expect says which spread to go by as long as little is known, as in MeasureSource.
func (r *RunningPitch) Expect(spread float64) { r.expected, r.measured = spread, false }

// Reset forgets the voice, but not what Start knew.
func (r *RunningPitch) Reset() { r.Start(r.known, r.knownMean, r.knownSpread) }

// Frames is how many voiced frames have made the pitch, a minute's at most.
func (r *RunningPitch) Frames() float64 { return r.total }

// Add takes one frame's F0 in Hz; 0 is unvoiced. The first frames of a stretch of voice count as soon as there are three of
// them; a frame that jumps away from the median of the last five is left out.
func (r *RunningPitch) Add(hz float32) {
	if !(hz > 0) || math.IsInf(float64(hz), 1) {
		r.run = 0
		return
	}
	l := math.Log(float64(hz))
	r.recent[r.run%medianFrames] = l
	r.run++
	r.measured = false
	if r.run < minVoicedRun {
		return
	}
	if r.run == minVoicedRun {
		for _, v := range r.recent[:minVoicedRun] {
			if math.Abs(v-r.local()) <= jumpLimit {
				r.count(v)
			}
		}
		return
	}
	if math.Abs(l-r.local()) <= jumpLimit {
		r.count(l)
	}
}

// local is the median of the last frames of the stretch.
func (r *RunningPitch) local() float64 {
	sorted := r.recent
	n := min(r.run, medianFrames)
	slices.Sort(sorted[:n])
	return sorted[n/2]
}

func (r *RunningPitch) count(l float64) {
	if r.total >= RunningPitchFrames {
		keep := 1 - 1.0/RunningPitchFrames
		for i := range r.frames {
			r.frames[i] *= keep
			r.sums[i] *= keep
			r.squares[i] *= keep
		}
		r.total *= keep
	}
	i := min(max(int((l-pitchLowest)/pitchStep), 0), pitchBins-1)
	d := l - pitchLowest - float64(i)*pitchStep
	r.frames[i]++
	r.sums[i] += d
	r.squares[i] += d * d
	r.total++
}

// Pitch is the pitch so far.
func (r *RunningPitch) Pitch() Pitch {
	if !r.measured {
		r.settled, r.measured = r.measure(), true
	}
	return r.settled
}

func (r *RunningPitch) measure() Pitch {
	start, meanWeight, spreadWeight := UnknownPitch, priorMean, float64(priorSpreadFrames)
	if r.expected > 0 {
		start.Std = r.expected
	}
	if r.knownMean > 0 {
		start.Mean, meanWeight = r.known.Mean, r.knownMean
	}
	if r.knownSpread > 0 {
		start.Std, spreadWeight = r.known.Std, r.knownSpread
	}
	own, n := Pitch{start.Mean, start.Std}, 0.0
	if r.total > 0 {
		own, n = r.trimmed()
	} else if r.run > 0 { // the very first frames
		own, n = Pitch{r.local(), start.Std}, float64(r.run)
	}
	if r.knownMean == 0 {
		reach := priorReach + priorReachMore*n
		own.Mean = min(max(own.Mean, start.Mean-reach), start.Mean+reach)
	}
	p := Pitch{Mean: start.Mean, Std: blendSpread(own.Std, n, start.Std, spreadWeight)}
	if !math.IsInf(meanWeight, 1) {
		p.Mean = (n*own.Mean + meanWeight*start.Mean) / (n + meanWeight)
	}
	p.Std = max(p.Std, minPitchStd)
	return p
}

// trimmed is the mean and the deviation of the frames near the median, as in MeasurePitch.
func (r *RunningPitch) trimmed() (p Pitch, frames float64) {
	middle := r.medianBin()
	lower := pitchLowest + float64(middle)*pitchStep
	median := lower + r.sums[middle]/r.frames[middle]
	// The median absolute deviation, bin by bin from the middle on.
	reach, within := 0, r.frames[middle]
	for within < r.total/2 && reach < pitchBins {
		reach++
		if i := middle - reach; i >= 0 {
			within += r.frames[i]
		}
		if i := middle + reach; i < pitchBins {
			within += r.frames[i]
		}
	}
	limit := max(spreadLimit*float64(reach)*pitchStep, minSpreadLimit)
	var sum, squares, n float64
	for i := range r.frames {
		edge := pitchLowest + float64(i)*pitchStep - median
		if r.frames[i] == 0 || math.Abs(edge+pitchStep/2) > limit {
			continue
		}
		n += r.frames[i]
		sum += r.sums[i] + edge*r.frames[i]
		squares += r.squares[i] + 2*edge*r.sums[i] + edge*edge*r.frames[i]
	}
	std := math.Sqrt(max(squares/n-(sum/n)*(sum/n), 0))
	return Pitch{median + sum/n, std}, r.total
}

// medianBin is the bin of the median.
func (r *RunningPitch) medianBin() int {
	below := 0.0
	for i, n := range r.frames {
		if below += n; n > 0 && below >= r.total/2 {
			return i
		}
	}
	return pitchBins - 1
}
