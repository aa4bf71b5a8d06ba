package audio

import (
	"fmt"
	"math"
)

// SpeechDB is the level that speech is brought to before it is analysed, in dB relative to full scale, as SpeechLevel measures
// it: that of the speech that the networks learnt from.
const SpeechDB = -23

const (
	// What lies below is not heard, and is not measured either. Of a tone at 12 Hz and -20 dB a filter of this order leaves -76 dB,
	// less than most pauses hold; one of order 2 leaves -39 dB, more than many consonants.
	rumbleHz    = 35
	rumbleOrder = 6

	maxGainDB     = 40 // in either direction
	leastSpeechDB = -85.0

	// Output that would clip is turned down to highestPeak, but by no more than 12 dB: what is beyond is broken.
	highestPeak   = 0.99
	leastTurnDown = 0.25118864
	releaseTime   = 0.2 // seconds
)

// WithoutRumble is x, a whole signal at rate Hz, without offset and what lies below 35 Hz, which is not heard and must not be
// measured. It is new memory.
func WithoutRumble(x []float32, rate int) []float32 {
	r := newRumbleFilter(rate)
	return r.flush(r.process(make([]float32, 0, len(x)), x))
}

// rumbleFilter is WithoutRumble for a recording that comes piece by piece. It waits for the first quarter of a second.
type rumbleFilter struct {
	high  *HighPass // nil for a rate below 70 Hz, which has nothing else
	lead  int
	first []float32 // held back until there are more than lead
	begun bool
}

func newRumbleFilter(rate int) *rumbleFilter {
	high, err := NewHighPass(rate, rumbleHz, rumbleOrder)
	if err != nil {
		high = nil
	}
	return &rumbleFilter{high: high, lead: rate / 4}
}

func (r *rumbleFilter) process(dst, x []float32) []float32 {
	switch {
	case r.high == nil:
		return append(dst, x...)
	case r.begun:
		return r.high.Process(dst, x)
	}
	n := min(len(x), r.lead+1-len(r.first))
	r.first = append(r.first, x[:n]...)
	if len(r.first) <= r.lead {
		return dst
	}
	return r.high.Process(r.flush(dst), x[n:])
}

// flush gives what was held back.
func (r *rumbleFilter) flush(dst []float32) []float32 {
	if r.begun || r.high == nil {
		return dst
	}
	r.begun = true
	r.high.lead(r.first, r.lead)
	dst = r.high.Process(dst, r.first)
	r.first = nil
	return dst
}

// Leveled is a recording made ready to be analysed: without what lies below 35 Hz, and its speech at SpeechDB.
type Leveled struct {
	Samples []float32 // not those of the recording
	GainDB  float64   // what they were amplified by, -40 to 40
}

// LevelSpeech makes a recording at rate Hz ready to be analysed: a causal high-pass takes off offset and rumble, and one gain
// brings the speech to SpeechDB. A steady sound, such as noise alone, is not amplified, nor is silence. Samples that are not
// finite count as 0. Training, conversion and scores all hear recordings through it.
func LevelSpeech(x []float32, rate int) Leveled {
	p := NewLevelPieces(rate)
	y := p.Flush(p.Process(make([]float32, 0, len(x)), x))
	gainDB := p.GainDB()
	Amplify(y, gainDB)
	return Leveled{Samples: y, GainDB: gainDB}
}

// LevelPieces is LevelSpeech for a recording that comes piece by piece, but for the gain, which is known at the end and is not
// applied. It must not be used by two goroutines at once.
type LevelPieces struct {
	rumble *rumbleFilter
	meter  *speechMeter
}

// NewLevelPieces begins a recording at rate Hz.
func NewLevelPieces(rate int) *LevelPieces {
	return &LevelPieces{newRumbleFilter(rate), newSpeechMeter(rate)}
}

// Process appends to dst x without what lies below 35 Hz, as far as it is complete: the first quarter of a second is held back.
func (l *LevelPieces) Process(dst, x []float32) []float32 {
	have := len(dst)
	dst = l.rumble.process(dst, x)
	l.meter.add(dst[have:])
	return dst
}

// Flush appends what was held back.
func (l *LevelPieces) Flush(dst []float32) []float32 {
	have := len(dst)
	dst = l.rumble.flush(dst)
	l.meter.add(dst[have:])
	return dst
}

// GainDB is what brings the speech of all that came to SpeechDB.
func (l *LevelPieces) GainDB() float64 {
	level, contrast := l.meter.level()
	if level < leastSpeechDB {
		return 0
	}
	gainDB := min(max(SpeechDB-level, -maxGainDB), maxGainDB)
	if gainDB > 0 {
		gainDB *= min(max((contrast-leastContrast)/(fullContrast-leastContrast), 0), 1)
	}
	return gainDB
}

// Restorer is Leveled.Restore for what comes piece by piece. It must not be used by two goroutines at once.
type Restorer struct {
	gainDB float64
	limit  limiter
}

// NewRestorer takes off a gain that was put on, in dB, at rate Hz.
func NewRestorer(gainDB float64, rate int) *Restorer { return &Restorer{gainDB, newLimiter(rate)} }

// Process gives y, the next samples, their level back, in place.
func (r *Restorer) Process(y []float32) {
	Amplify(y, -r.gainDB)
	for i, v := range y {
		y[i] = r.limit.next(v)
	}
}

// Restore gives y, in place, the level that the recording had: what was made of its Samples, at the same rate, becomes as loud
// as the recording. A limiter turns down what would clip.
func (l Leveled) Restore(y []float32, rate int) {
	NewRestorer(l.GainDB, rate).Process(y)
}

// limiter turns sound down at once where it would clip, and up again within half a second, without delay.
type limiter struct {
	envelope, release float32
}

func newLimiter(rate int) limiter {
	return limiter{release: float32(math.Exp(-1 / (releaseTime * float64(rate))))}
}

func (l *limiter) next(v float32) float32 {
	l.envelope = max(l.envelope*l.release, v, -v)
	if l.envelope > highestPeak {
		v *= max(highestPeak/l.envelope, leastTurnDown)
	}
	return v
}

// How a Leveler learns.
const (
	smoothedBlocks = 3   // of which the background is the quietest
	floorParts     = 8   // of the time in which the background is looked for
	floorPart      = 40  // blocks, 0.4 s
	speechRun      = 3   // blocks in a row that stand out before they count: a click is shorter
	speechContrast = 8.0 // dB above the background

	sureAfter = 5.0  // blocks of speech before anything is amplified
	sureOver  = 25.0 // and so many more until it is in full
	loudAfter = 15.0 // blocks of speech until what is too loud is turned down in full
	memory    = 500  // blocks of speech: 5 s
	slewDB    = 3.0  // per block, at most
)

// Leveler does to sound that arrives piece by piece what LevelSpeech does to a recording, without delay, and gives what is made
// of it the input's level back. The level is a running estimate: from the first 0.3 s of speech, then over the last 5 s of it.
// Only speech moves it, blocks of 10 ms that stand out of the background, so that pauses, noise and clicks are amplified as the
// speech before them was; before any speech the gain is 0 dB. What comes out does not depend on how the signal is cut. It must
// not be used by two goroutines at once.
type Leveler struct {
	block int // samples
	high  *HighPass

	filled   int     // samples of the block that is being received
	power    float64 // sum of their squares
	gainDB   float64 // at the end of it
	from     float32 // gain at its beginning
	to       float32 // and at its end
	learnt   levelHistogram
	blocks   float64 // of speech that were learnt from
	run      int     // of blocks that stand out
	targetDB float64 // dB

	recent    [smoothedBlocks]float64 // power, the latest last
	known     int                     // of them
	floor     [floorParts]float64     // quietest level of each part, the current one first
	floorLeft int                     // blocks until the current part is over

	gains    []gainStep // of the blocks whose output has not all come, the oldest first
	restored int        // samples of the oldest that have
	limit    limiter
}

// gainStep is the gain of a block: it goes from the first value to the second in a straight line.
type gainStep struct{ from, to float32 }

// NewLeveler makes a Leveler for sound at rate Hz. It is an error if the rate is too low for a high-pass.
func NewLeveler(rate int) (*Leveler, error) {
	high, err := NewHighPass(rate, rumbleHz, rumbleOrder)
	if err != nil {
		return nil, fmt.Errorf("level: %w", err)
	}
	l := &Leveler{block: blockLength(rate), high: high, limit: newLimiter(rate)}
	l.Reset()
	return l, nil
}

// Reset forgets the sound and its level, for the next.
func (l *Leveler) Reset() {
	l.high.Reset()
	l.filled, l.power = 0, 0
	l.gainDB, l.targetDB, l.from, l.to = 0, 0, 1, 1
	l.learnt = levelHistogram{}
	l.blocks, l.run = 0, 0
	l.known = 0
	for i := range l.floor {
		l.floor[i] = math.Inf(1)
	}
	l.floorLeft = floorPart
	l.gains = append(l.gains[:0], gainStep{1, 1})
	l.restored = 0
	l.limit.envelope = 0
}

// Grow makes room for output that is up to n samples behind the input, so that nothing is allocated.
func (l *Leveler) Grow(n int) {
	if want := n/l.block + 4; cap(l.gains) < want {
		l.gains = append(make([]gainStep, 0, want), l.gains...)
	}
}

// GainDB is what the latest block is amplified by.
func (l *Leveler) GainDB() float64 { return l.gainDB }

// Process brings x, the next samples, to the level of analysis, in place. Samples that are not finite count as 0.
func (l *Leveler) Process(x []float32) {
	l.high.Process(x[:0], x)
	for len(x) > 0 {
		n := min(len(x), l.block-l.filled)
		step := (l.to - l.from) / float32(l.block)
		for i, v := range x[:n] {
			l.power += float64(v) * float64(v)
			x[i] = v * (l.from + step*float32(l.filled+i))
		}
		l.filled += n
		x = x[n:]
		if l.filled == l.block {
			l.next()
		}
	}
}

// next begins a block, whose gain is what was learnt from those before it.
func (l *Leveler) next() {
	l.learn(l.power / float64(l.block))
	l.filled, l.power = 0, 0
	l.from = l.to
	if change := l.targetDB - l.gainDB; change != 0 {
		l.gainDB += min(max(change, -slewDB), slewDB)
		l.to = gainOf(l.gainDB)
	}
	l.gains = append(l.gains, gainStep{l.from, l.to})
}

// learn takes a block of that power.
func (l *Leveler) learn(power float64) {
	if powerLevel(power) < quietestBlock {
		l.known, l.run = 0, 0
		l.recent = [smoothedBlocks]float64{}
		return
	}
	background := l.background(power)
	power = (l.recent[smoothedBlocks-2] + power) / 2
	level := powerLevel(power)
	if !(level > background+speechContrast && level > leastSpeechDB) {
		l.run = 0
		return
	}
	if l.run++; l.run < speechRun {
		return
	}
	l.blocks++
	if l.blocks > memory {
		l.learnt.fade(1 - 1.0/memory)
	}
	l.learnt.add(power)
	l.targetDB = min(max(SpeechDB-l.learnt.speech(lowestLevel), -maxGainDB), maxGainDB)
	if l.targetDB > 0 {
		l.targetDB *= min(max((l.blocks-sureAfter)/sureOver, 0), 1)
	} else {
		l.targetDB *= min(l.blocks/loudAfter, 1)
	}
}

// background takes a block of that power and returns the level of the background: the quietest of the smoothed levels of the
// last three seconds, +Inf where none is known yet.
func (l *Leveler) background(power float64) float64 {
	copy(l.recent[:], l.recent[1:])
	l.recent[smoothedBlocks-1] = power
	if l.known = min(l.known+1, smoothedBlocks); l.known == smoothedBlocks {
		var sum float64
		for _, p := range l.recent {
			sum += p
		}
		l.floor[0] = min(l.floor[0], powerLevel(sum/smoothedBlocks))
	}
	quietest := math.Inf(1)
	for _, f := range l.floor {
		quietest = min(quietest, f)
	}
	if l.floorLeft--; l.floorLeft == 0 {
		copy(l.floor[1:], l.floor[:])
		l.floor[0] = math.Inf(1)
		l.floorLeft = floorPart
	}
	return quietest
}

// Restore gives y, the next samples of what is made of the input, the input's level back, in place: sample k of the output by
// the gain that sample k of the input had. It must not run ahead of the input. A limiter turns down what would clip.
func (l *Leveler) Restore(y []float32) {
	used := 0
	for len(y) > 0 {
		g := l.gains[used]
		n := min(len(y), l.block-l.restored)
		if g.from == 1 && g.to == 1 {
			for i, v := range y[:n] {
				y[i] = l.limit.next(v)
			}
		} else {
			step := (g.to - g.from) / float32(l.block)
			for i, v := range y[:n] {
				y[i] = l.limit.next(v / (g.from + step*float32(l.restored+i)))
			}
		}
		l.restored += n
		y = y[n:]
		if l.restored == l.block {
			l.restored = 0
			if used < len(l.gains)-1 { // else y runs ahead
				used++
			}
		}
	}
	l.gains = l.gains[:copy(l.gains, l.gains[used:])]
}
