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
	silent bool
}

// TrackRecording finds the F0 of a whole recording in Hz, 0 where there is no voice, NumFrames(len(x)) values. It goes over it
// twice: what F0Tracker decides frame by frame is mended with hindsight, octave slips and dropped voices above all. cfg must be
// valid; x is as for F0Tracker.
func TrackRecording(cfg Config, x []float32) []float32 {
	moments, middle := f0Listen(cfg, x)
	return f0Refine(cfg, x, f0Decide(moments, middle))
}

// f0Listen is the first pass. middle is the median of log2 of the lags that it decided on, NaN where there is no voice.
func f0Listen(cfg Config, x []float32) (moments []f0Moment, middle float64) {
	moments = make([]f0Moment, 0, cfg.NumFrames(len(x)))
	keep := func(m *f0Moment) error {
		moments = append(moments, *m)
		return nil
	}
	l := newF0Listener(cfg, keep)
	l.process(x) // keep gives no errors
	l.end(cfg.NumFrames(len(x)))
	return moments, l.middle()
}

// f0Listener is the first pass, for sound that comes piece by piece.
type f0Listener struct {
	cfg     Config
	p       *F0Tracker
	late    f0Path
	now     int                  // frames that the tracker has decided on
	waiting [f0Back + 1]f0Moment // those that wait for their candidates, frame t at t%(f0Back+1)
	hz      []float32            // decided on
	take    func(*f0Moment) error
}

func newF0Listener(cfg Config, take func(*f0Moment) error) *f0Listener {
	l := &f0Listener{cfg: cfg, p: newF0Tracker(cfg, f0Back), take: take}
	l.late.init(&l.p.corr)
	return l
}

func (l *f0Listener) process(x []float32) error { return l.listen(x, math.MaxInt) }

// end goes on with zeros until that many frames are complete.
func (l *f0Listener) end(frames int) error {
	var zeros [64]float32
	for l.now < frames+f0Back {
		if err := l.listen(zeros[:min(len(zeros), l.p.untilFrame())], frames); err != nil {
			return err
		}
	}
	return nil
}

func (l *f0Listener) listen(x []float32, frames int) error {
	p := l.p
	for len(x) > 0 {
		n := min(len(x), p.untilFrame())
		p.take(x[:n])
		x = x[n:]
		if p.untilFrame() > 0 {
			continue
		}
		hz := p.emit()
		if l.now < frames {
			l.waiting[l.now%len(l.waiting)] = f0Moment{odds: p.voice.odds, silent: p.corr.wideLevels[0] <= f0SilenceDB}
			if hz > 0 {
				l.hz = append(l.hz, hz)
			}
		}
		if t := l.now - f0Back; t >= 0 {
			p.corr.around(float64(t*l.cfg.Hop)/float64(p.front.decimation), f0BackSec)
			l.late.gather(&p.corr)
			m := &l.waiting[t%len(l.waiting)]
			m.count = l.late.nowLen
			for i, q := range l.late.now[:l.late.nowLen] {
				m.lag[i], m.score[i] = float32(math.Log2(q.lag)), float32(q.score)
			}
			if err := l.take(m); err != nil {
				return err
			}
		}
		l.now++
	}
	return nil
}

// middle is the median of log2 of the lags that were decided on, NaN for none.
func (l *f0Listener) middle() float64 {
	if len(l.hz) == 0 {
		return math.NaN()
	}
	slices.Sort(l.hz)
	n := len(l.hz)
	return math.Log2(l.p.front.rate / float64(l.hz[n-1-n/2])) // the lags have the other order
}

// f0Decide is the second pass: log2 of the lag of every frame in decimated samples, noLag for no voice.
func f0Decide(moments []f0Moment, middle float64) []float32 {
	lags := make([]float32, 0, len(moments))
	d := f0Decider{middle: middle, lags: lags}
	for i := range moments {
		d.process(&moments[i])
	}
	return d.end()
}

// noLag stands for a frame without a voice. Lags are longer than a sample.
const noLag = -1

// f0Ahead is how many moments after a frame the odds are smoothed with.
const f0Ahead = 3

// f0Decider is the second pass, for moments that come one by one. It forgets what is decided: as soon as all paths have come
// together, nothing that comes later can change what lies before.
type f0Decider struct {
	middle  float64
	lags    []float32  // decided
	next    []f0Moment // of which up to f0Ahead wait for later odds
	odds    [2]float64 // of the frames before the first of next
	begun   bool
	was     [f0Candidates + 1]float64
	before  f0Moment // the latest that was weighed
	weighed int
	pending []f0Choice // not decided
}

// f0Choice is how the best paths reach a frame.
type f0Choice struct {
	lag   [f0Candidates]float32
	count int8
	from  [f0Candidates + 1]int8 // where the best path to each candidate comes from; the last is no voice
}

const noVoice = f0Candidates // the place of no voice among the candidates

func (d *f0Decider) process(m *f0Moment) {
	d.next = append(d.next, *m)
	if len(d.next) > f0Ahead {
		d.weigh()
	}
}

func (d *f0Decider) end() []float32 {
	for len(d.next) > 0 {
		d.weigh()
	}
	if n := len(d.pending); n > 0 {
		at := int8(noVoice)
		for i := range d.pending[n-1].count {
			if d.was[i] > d.was[at] {
				at = i
			}
		}
		d.decide(n, at)
	}
	return d.lags
}

// weigh finds the best paths to the first of next.
func (d *f0Decider) weigh() {
	if !d.begun {
		d.begun = true
		d.odds = [2]float64{-f0OddsLimit, -f0OddsLimit} // before the beginning
	}
	m := &d.next[0]
	voice := f0OddsBias
	for k, w := range f0OddsTaps {
		odds := -f0OddsLimit // after the end
		if k < 2 {
			odds = d.odds[k]
		} else if k-2 < len(d.next) {
			odds = min(max(d.next[k-2].odds, -f0OddsLimit), f0OddsLimit)
		}
		voice += f0OddsWeight * w * odds
	}
	if m.silent {
		voice = math.Inf(-1)
	}
	voices := 0
	if d.weighed > 0 {
		voices = d.before.count
	}
	choice := f0Choice{lag: m.lag, count: int8(m.count)}
	var now [f0Candidates + 1]float64
	now[noVoice], choice.from[noVoice] = d.was[noVoice], noVoice
	for j := range voices {
		if way := d.was[j] - f0Switch; way > now[noVoice] {
			now[noVoice], choice.from[noVoice] = way, int8(j)
		}
	}
	for i := range m.count {
		lag := float64(m.lag[i])
		best, from := d.was[noVoice]-f0Switch, int8(noVoice)
		for j := range voices {
			if way := d.was[j] - min(f0LeapMost, f0Leap*math.Abs(lag-float64(d.before.lag[j]))); way > best {
				best, from = way, int8(j)
			}
		}
		price := 0.0
		if d.middle-d.middle == 0 {
			price = f0High*max(0, d.middle-lag-f0HighRange) + f0Deep*max(0, lag-d.middle-f0DeepRange)
		}
		now[i], choice.from[i] = best+voice+float64(m.score[i])+f0Refund*(lag-6)-price, from
	}
	top := now[noVoice]
	for _, v := range now[:m.count] {
		top = max(top, v)
	}
	for i := range now {
		d.was[i] = now[i] - top // a sum over hours would lose its fraction
	}
	d.weighed++
	d.before = *m
	d.odds = [2]float64{d.odds[1], min(max(m.odds, -f0OddsLimit), f0OddsLimit)}
	d.next = d.next[:copy(d.next, d.next[1:])]
	d.pending = append(d.pending, choice)
	if len(d.pending)%f0Together == 0 {
		d.settle()
	}
}

// f0Together is how often it is looked whether the paths have come together, in frames.
const f0Together = 512

// settle decides on the frames before the latest one at which all paths are one.
func (d *f0Decider) settle() {
	var alive, earlier [f0Candidates + 1]bool
	n := len(d.pending)
	alive[noVoice] = true
	for i := range d.pending[n-1].count {
		alive[i] = true
	}
	for t := n - 1; t > 0; t-- {
		clear(earlier[:])
		for i, is := range alive {
			if is {
				earlier[d.pending[t].from[i]] = true
			}
		}
		alive = earlier
		one, paths := int8(0), 0
		for i, is := range alive {
			if is {
				one, paths = int8(i), paths+1
			}
		}
		if paths == 1 {
			d.decide(t, one)
			return
		}
	}
}

// decide takes the path that goes through a candidate of the last of the first n pending frames, which are then done.
func (d *f0Decider) decide(n int, at int8) {
	have := len(d.lags)
	d.lags = append(d.lags, make([]float32, n)...)
	for t := n - 1; t >= 0; t-- {
		d.lags[have+t] = noLag
		if at != noVoice {
			d.lags[have+t] = d.pending[t].lag[at]
		}
		at = d.pending[t].from[at]
	}
	d.pending = d.pending[:copy(d.pending, d.pending[n:])]
}

// f0Refine finds the periods near the lags at the full rate, and gives the F0, in the memory of the lags.
func f0Refine(cfg Config, x []float32, lags []float32) []float32 {
	r := newF0Refiner(cfg, lags)
	r.process(x)
	return r.end()
}

// f0Refiner is f0Refine for sound that comes piece by piece.
type f0Refiner struct {
	cfg      Config
	front    f0Front
	f0       []float32 // the lags of frames from done on
	done     int
	position int // samples taken in
}

func newF0Refiner(cfg Config, lags []float32) *f0Refiner {
	r := &f0Refiner{cfg: cfg, f0: lags}
	r.front.init(cfg)
	return r
}

func (r *f0Refiner) process(x []float32) {
	for len(x) > 0 && r.done < len(r.f0) {
		n := min(len(x), r.wanted()-r.position)
		for _, v := range x[:n] {
			r.front.push(float64(v))
		}
		r.position += n
		x = x[n:]
		r.step()
	}
}

// end goes on with zeros.
func (r *f0Refiner) end() []float32 {
	for r.done < len(r.f0) {
		for ; r.position < r.wanted(); r.position++ {
			r.front.push(0)
		}
		r.step()
	}
	return r.f0
}

// wanted is how many samples the next frame waits for.
func (r *f0Refiner) wanted() int { return r.done*r.cfg.Hop + r.cfg.WinLength/2 + f0Back*r.cfg.Hop }

// step refines the next frame if all its samples are there.
func (r *f0Refiner) step() {
	if r.position < r.wanted() {
		return
	}
	t := r.done
	r.done++
	if r.f0[t] == noLag {
		r.f0[t] = 0
		return
	}
	lag := math.Exp2(float64(r.f0[t]))
	period, _ := r.front.refine(lag*float64(r.front.decimation), t*r.cfg.Hop, r.position, 1)
	r.f0[t] = float32(min(max(float64(r.cfg.SampleRate)/period, r.cfg.F0MinHz), r.cfg.F0MaxHz))
}
