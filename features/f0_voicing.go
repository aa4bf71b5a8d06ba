package features

import "math"

const (
	f0LevelBlocks = 10 // blocks whose levels the voicing decision sees: 25 ms
	f0Inputs      = 18
)

// f0Voicing decides whether a frame has a voice.
type f0Voicing struct {
	voiced bool
	peak   float64 // the running maximum of the level, dB
	in     [f0Inputs]float64
}

func (v *f0Voicing) init(*f0Correlator) { v.reset() }

func (v *f0Voicing) reset() { v.voiced, v.peak = false, f0PeakFloor }

const (
	f0PeakFloor = -50.0 // dBFS
	f0PeakDecay = 0.02  // dB per frame
)

// inputs describes the frame for which c was filled last.
func (v *f0Voicing) inputs(c *f0Correlator) *[f0Inputs]float64 {
	si, s := peak(c.short)
	li, l := peak(c.long)
	in := &v.in
	in[0], in[1], in[2], in[3] = s, l, c.short[li], c.long[si]
	in[4] = math.Log2(float64(c.minLag+si) / float64(c.minLag+li))
	in[5] = math.Log2(float64(c.minLag+li) / (0.01 * c.front.rate))
	c.levels(in[6:12], c.wide)
	c.levels(in[12:18], c.low)
	v.peak = max(in[6], v.peak-f0PeakDecay, f0PeakFloor)
	for i := 6; i < f0Inputs; i++ {
		in[i] = max(in[i]-v.peak, -60)
	}
	return in
}

// levels writes the level of the last f0LevelBlocks blocks in dB, then those of pairs of blocks, the last first.
func (c *f0Correlator) levels(dst, energy []float64) {
	var sum float64
	for i := range f0LevelBlocks / 2 {
		var pair float64
		for j := range 2 {
			slot := (c.total - 1 - 2*i - j) % c.ring
			if slot < 0 {
				slot += c.ring
			}
			pair += energy[slot]
		}
		dst[1+i] = 10 * math.Log10(pair/2+1e-10)
		sum += pair
	}
	dst[0] = 10 * math.Log10(sum/f0LevelBlocks+1e-10)
}

// step decides: a hidden layer of hyperbolic tangents, then a sum that is positive for a voice.
func (v *f0Voicing) step(c *f0Correlator) bool {
	in := v.inputs(c)
	sum := f0VoicingBias
	for i := range f0VoicingWeights {
		w := &f0VoicingWeights[i]
		h := w[0]
		for j, x := range in {
			h += w[2+j] * x
		}
		sum += w[1] * math.Tanh(h)
	}
	v.voiced = sum > 0 && in[6]+v.peak > f0SilenceDB
	return v.voiced
}

// f0SilenceDB is the level below which nothing counts as a voice, in dBFS.
const f0SilenceDB = -65.0
