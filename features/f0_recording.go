package features

import (
	"math"
	"slices"
)

// The second pass over a recording. A path over all frames weighs the candidates, and none for a frame without a voice, with
// the future at hand: the Viterbi recursion of Boersma (1993). The prices were chosen for the agreement with Praat on nine
// speakers: ls19, ls26, ls2033, rufem, s0913, gael, ls3080, bdl and ksp of the corpus.
const (
	f0Back    = 2     // frames that the candidates are late, so that their windows lie around the frame on both sides
	f0BackSec = 0.025 // the long window of the candidates

	f0OddsWeight = 0.22  // of the logarithm of the odds of a voice, smoothed over neighbouring frames
	f0OddsBias   = -0.65 // added to it
	f0OddsLimit  = 12.0  // what odds count at most, either way
	f0Refund     = 0.028 // of the cost of an octave that the correlator takes off: the path needs it less
	f0Leap       = 0.43  // the price of a jump per octave
	f0LeapMost   = 1.48  // and at most
	f0Switch     = 0.23  // the price of the voice setting in or out

	// Prices per octave beyond a range around the recording's middle, upwards and downwards.
	f0High, f0HighRange = 0.11, 0.72
	f0Deep, f0DeepRange = 0.02, 0.35
)

// f0OddsTaps smooth the odds, from two frames before to three after: a logistic regression of Praat's decisions on them.
var f0OddsTaps = [6]float64{0.066, 0.197, 0.657, 0.26, 0.027, 0.018}

// f0Moment is what the first pass found in a frame.
type f0Moment struct {
	odds   float64
	count  int
	lag    [f0Candidates]float32 // log2 of decimated samples
	score  [f0Candidates]float32
	from   [f0Candidates + 1]int8 // where the best path to each candidate comes from; the last is no voice
	silent bool
}

// TrackRecording finds the F0 of a whole recording in Hz, 0 where there is no voice, NumFrames(len(x)) values. It goes over it
// twice: what F0Tracker decides frame by frame is mended with hindsight, octave slips and dropped voices above all. cfg must be
// valid; x is as for F0Tracker.
func TrackRecording(cfg Config, x []float32) []float32 {
	moments, middle := f0Listen(cfg, x)
	lags := f0Decide(moments, middle)
	return f0Refine(cfg, x, lags)
}

// f0Listen is the first pass. middle is the median of log2 of the lags that it decided on, NaN where there is no voice.
func f0Listen(cfg Config, x []float32) (moments []f0Moment, middle float64) {
	p := newF0Tracker(cfg, f0Back)
	var late f0Path
	late.init(&p.corr)
	moments = make([]f0Moment, cfg.NumFrames(len(x)))
	var decided []float64
	var zeros [64]float32
	for now := 0; now < len(moments)+f0Back; {
		piece := x
		if len(piece) == 0 {
			piece = zeros[:]
		}
		n := min(len(piece), p.untilFrame())
		p.take(piece[:n])
		x = x[min(n, len(x)):]
		if p.untilFrame() > 0 {
			continue
		}
		hz := p.emit()
		if now < len(moments) {
			moments[now].odds, moments[now].silent = p.voice.odds, p.corr.wideLevels[0] <= f0SilenceDB
			if hz > 0 {
				decided = append(decided, math.Log2(p.front.rate/float64(hz)))
			}
		}
		if t := now - f0Back; t >= 0 {
			p.corr.around(float64(t*cfg.Hop)/float64(p.front.decimation), f0BackSec)
			late.gather(&p.corr)
			m := &moments[t]
			m.count = late.nowLen
			for i, q := range late.now[:late.nowLen] {
				m.lag[i], m.score[i] = float32(math.Log2(q.lag)), float32(q.score)
			}
		}
		now++
	}
	if len(decided) == 0 {
		return moments, math.NaN()
	}
	slices.Sort(decided)
	return moments, decided[len(decided)/2]
}

// f0Decide is the second pass: the lag of every frame in decimated samples, 0 for no voice.
func f0Decide(moments []f0Moment, middle float64) []float64 {
	const none = f0Candidates
	var was, now [f0Candidates + 1]float64
	for t := range moments {
		m := &moments[t]
		voice := f0OddsBias
		for k, w := range f0OddsTaps {
			odds := -f0OddsLimit // before the beginning and after the end
			if at := t + k - 2; at >= 0 && at < len(moments) {
				odds = min(max(moments[at].odds, -f0OddsLimit), f0OddsLimit)
			}
			voice += f0OddsWeight * w * odds
		}
		if m.silent {
			voice = math.Inf(-1)
		}
		var before *f0Moment
		voices := 0
		if t > 0 {
			before = &moments[t-1]
			voices = before.count
		}
		now[none], m.from[none] = was[none], none
		for j := range voices {
			if way := was[j] - f0Switch; way > now[none] {
				now[none], m.from[none] = way, int8(j)
			}
		}
		for i := range m.count {
			lag := float64(m.lag[i])
			best, from := was[none]-f0Switch, int8(none)
			for j := range voices {
				if way := was[j] - min(f0LeapMost, f0Leap*math.Abs(lag-float64(before.lag[j]))); way > best {
					best, from = way, int8(j)
				}
			}
			price := 0.0
			if middle-middle == 0 {
				price = f0High*max(0, middle-lag-f0HighRange) + f0Deep*max(0, lag-middle-f0DeepRange)
			}
			now[i], m.from[i] = best+voice+float64(m.score[i])+f0Refund*(lag-6)-price, from
		}
		top := now[none]
		for _, v := range now[:m.count] {
			top = max(top, v)
		}
		for i := range now {
			was[i] = now[i] - top // a sum over hours would lose its fraction
		}
	}
	lags := make([]float64, len(moments))
	at := int8(none)
	if n := len(moments); n > 0 {
		for i := range moments[n-1].count {
			if was[i] > was[at] {
				at = int8(i)
			}
		}
	}
	for t := len(moments) - 1; t >= 0; t-- {
		if at != none {
			lags[t] = math.Exp2(float64(moments[t].lag[at]))
		}
		at = moments[t].from[at]
	}
	return lags
}

// f0Refine finds the periods near the lags at the full rate.
func f0Refine(cfg Config, x []float32, lags []float64) []float32 {
	var front f0Front
	front.init(cfg)
	f0 := make([]float32, len(lags))
	position := 0
	for t, lag := range lags {
		if lag == 0 {
			continue
		}
		centre := t * cfg.Hop
		for end := centre + cfg.WinLength/2 + f0Back*cfg.Hop; position < end; position++ {
			v := 0.0
			if position < len(x) {
				v = float64(x[position])
			}
			front.push(v)
		}
		period, _ := front.refine(lag*float64(front.decimation), centre, position, 1)
		f0[t] = float32(min(max(float64(cfg.SampleRate)/period, cfg.F0MinHz), cfg.F0MaxHz))
	}
	return f0
}
