package features

import "math"

// VoicingInputs is how many numbers the voicing of a frame is decided from.
const VoicingInputs = 19

// f0SilenceDB is the level in dBFS below which nothing counts as a voice.
const f0SilenceDB = -65.0

// f0Voicing decides whether a frame has a voice, by a network of one hidden layer: no single threshold on a correlation
// serves deep and high, clear and hoarse voices alike. It was taught the decisions of Praat, which sees the
// future as well (package train); the speakers whose recordings are the test were not among the teachers.
type f0Voicing struct {
	voiced bool    // the last decision
	odds   float64 // their logarithm, from which it was made
	in     [VoicingInputs]float64
	decide func(in *[VoicingInputs]float64) bool // in place of the network, where not nil
}

// SetVoicing has decide say, instead of the tracker's own network, whether a frame has a voice; nil brings the network
// back. It is for package train. decide is called once for every frame that is not silent, with inputs that it must not
// change or keep, and what it says also guides the path through the frames that follow. Reset does not undo it.
func (p *F0Tracker) SetVoicing(decide func(in *[VoicingInputs]float64) bool) { p.voice.decide = decide }

func (v *f0Voicing) reset() { v.voiced, v.odds = false, 0 }

// step decides about the frame that c describes. wide is the wide-band correlation at the period.
func (v *f0Voicing) step(c *f0Correlator, wide float64) bool {
	v.look(c, wide)
	silent := c.wideLevels[0] <= f0SilenceDB
	switch {
	case v.decide == nil:
		v.odds = v.score()
	case !silent && v.decide(&v.in):
		v.odds = 1
	default:
		v.odds = -1
	}
	v.voiced = v.odds > 0 && !silent
	return v.voiced
}

// score is the log of the odds of a voice that the network gives for in.
func (v *f0Voicing) score() float64 {
	sum := f0VoicingBias
	for i := range f0VoicingWeights {
		w := &f0VoicingWeights[i]
		h := w[0]
		for j, x := range v.in {
			h += w[2+j] * x
		}
		sum += w[1] * math.Tanh(h)
	}
	return sum
}

// look fills in. All of it is independent of the signal's level, but for levels near silence.
func (v *f0Voicing) look(c *f0Correlator, wide float64) {
	short, long := largestPeak(c.short), largestPeak(c.long)
	v.in[0], v.in[1] = c.short[short], c.long[long]
	v.in[2], v.in[3] = c.short[long], c.long[short]
	v.in[4] = math.Log2(float64(c.minLag+short) / float64(c.minLag+long))
	v.in[5] = math.Log2(float64(c.minLag+long) / (0.01 * c.front.rate))
	for i := range c.wideLevels {
		v.in[6+i] = math.Max(c.wideLevels[i]-c.loudest, -60)
		v.in[12+i] = math.Max(c.lowLevels[i]-c.loudest, -60)
	}
	v.in[18] = wide
}

// largestPeak is the place of the largest local maximum of r within its margins, that of the largest value where there
// is none.
func largestPeak(r []float64) int {
	peak, top := -1, f0Margin
	for i := f0Margin; i+f0Margin < len(r); i++ {
		if r[i] > r[top] {
			top = i
		}
		if r[i] >= r[i-1] && r[i] > r[i+1] && (peak < 0 || r[i] > r[peak]) {
			peak = i
		}
	}
	if peak < 0 {
		return top
	}
	return peak
}
