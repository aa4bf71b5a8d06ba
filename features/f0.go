package features

import "math"

// F0Tracker finds the fundamental frequency of a voice, one value per frame, with the timing of the log-mel frames: the
// value of frame t describes the signal around sample t*Hop and depends only on the samples before t*Hop + WinLength/2,
// so that it costs no latency of its own. What comes out does not depend on how the signal is cut, bit for bit. It must
// not be used by two goroutines at once.
//
// The method is a chain of known parts, each made causal. The signal loses DC and hum, is decimated to about 8 kHz and
// correlated with its own past by the normalised cross-correlation (Talkin, "A robust algorithm for pitch tracking
// (RAPT)", 1995) under two windows: a short one that follows onsets and a longer one that resists noise. Both are centred
// on the frame for as far as the samples reach, since a window that grows into the past alone would make low voices late.
// Peaks of the sum, weighted against long lags as in Boersma ("Accurate short-term analysis of the fundamental frequency
// and the harmonics-to-noise ratio of a sampled sound", 1993), are the candidates; a path over them with a price on jumps
// guards against octave errors, and since no later frame may be asked, the best end of a path so far is the answer. The
// winner is refined at the full rate, and a small network decides the voicing (f0_voicing.go). On voices that did not
// teach it, clear ones, the gross error against Praat is 0.1 to 2 % and the voicing error 2 to 5 %; on a creaky one,
// where the references differ among themselves, it was 8 and 7 %.
type F0Tracker struct {
	cfg   Config
	front f0Front
	corr  f0Correlator
	path  f0Path
	voice f0Voicing

	received int // samples given to Process
	position int // samples taken in, with the zeros of Flush
	emitted  int // frames
}

// NewF0Tracker makes a tracker at the beginning of a signal. cfg must be valid. Whatever it says, no F0 under 20 Hz or over a
// fifth of the correlator's rate (1600 Hz) is found.
func NewF0Tracker(cfg Config) *F0Tracker {
	return newF0Tracker(cfg, 0)
}

// newF0Tracker makes one whose correlator can look so many frames back.
func newF0Tracker(cfg Config, back int) *F0Tracker {
	p := &F0Tracker{cfg: cfg}
	p.front.init(cfg)
	p.corr.init(cfg, &p.front, back*cfg.Hop/(p.front.decimation*p.front.block)+back)
	p.path.init(&p.corr)
	return p
}

// Process appends to dst the F0 in Hz, 0 where there is no voice, of every frame that the samples up to the end of x
// complete. x is mono, in [-1, 1], and is not kept; a sample that is not finite counts as 0. Nothing is allocated while
// dst has room.
func (p *F0Tracker) Process(dst, x []float32) []float32 {
	p.received += len(x)
	for len(x) > 0 {
		n := min(len(x), p.untilFrame())
		p.take(x[:n])
		x = x[n:]
		if p.untilFrame() == 0 {
			dst = append(dst, p.emit())
		}
	}
	return dst
}

// Flush appends the frames that still waited for samples, as if zeros followed, so that a signal of n samples has given
// Config.NumFrames(n) values in all. Then the tracker is as after Reset.
func (p *F0Tracker) Flush(dst []float32) []float32 {
	var zeros [64]float32
	for p.emitted < p.cfg.NumFrames(p.received) {
		n := min(len(zeros), p.untilFrame())
		p.take(zeros[:n])
		if p.untilFrame() == 0 {
			dst = append(dst, p.emit())
		}
	}
	p.Reset()
	return dst
}

// Reset forgets the signal, for the next one.
func (p *F0Tracker) Reset() {
	p.received, p.position, p.emitted = 0, 0, 0
	p.front.reset()
	p.corr.reset()
	p.path.reset()
	p.voice.reset()
}

// untilFrame is how many samples the next frame waits for.
func (p *F0Tracker) untilFrame() int {
	return p.emitted*p.cfg.Hop + p.cfg.WinLength/2 - p.position
}

func (p *F0Tracker) take(x []float32) {
	p.position += len(x)
	for _, v := range x {
		if p.front.push(float64(v)) {
			p.corr.endBlock()
		}
	}
}

// emit is the F0 of the frame that has just been completed.
func (p *F0Tracker) emit() float32 {
	centre := p.emitted * p.cfg.Hop
	p.emitted++
	p.corr.correlate(float64(centre) / float64(p.front.decimation))
	lag := p.path.step(&p.corr, p.voice.voiced)
	var period, wide float64
	if lag > 0 {
		period, wide = p.front.refine(lag*float64(p.front.decimation), centre, p.position, p.corr.noise)
	}
	if voiced := p.voice.step(&p.corr, wide); !voiced || lag == 0 {
		return 0
	}
	p.path.learn()
	f0 := float64(p.cfg.SampleRate) / period
	return float32(math.Min(math.Max(f0, p.cfg.F0MinHz), p.cfg.F0MaxHz))
}
