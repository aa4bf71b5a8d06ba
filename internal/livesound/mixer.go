package livesound

import "slices"

// Mixer mixes a voice with what came in for it, as late as the voice is, and makes it louder or quieter. Changes are spread over what
// is given out, so that they make no click.
type Mixer struct {
	gain, wet float32   // of the last sample given out
	dry       []float32 // input whose output is still to come
}

// NewMixer begins with that gain, a factor, and that part of the voice, from 0 to 1; the rest is the input.
func NewMixer(gain, wet float32) Mixer { return Mixer{gain: gain, wet: wet} }

// Take is told of input, which it copies.
func (m *Mixer) Take(x []float32) { m.dry = append(m.dry, x...) }

// Waiting is how many samples came in whose output is still to come.
func (m *Mixer) Waiting() int { return len(m.dry) }

// Forget drops the input whose output is still to come.
func (m *Mixer) Forget() { m.dry = m.dry[:0] }

// Mix changes y, the voice's next samples, to the mixture that is wanted now. It is not clipped. Input that is missing is silence.
func (m *Mixer) Mix(y []float32, gain, wet float32) {
	if len(y) == 0 {
		return
	}
	n := float32(len(y))
	gainStep, wetStep := (gain-m.gain)/n, (wet-m.wet)/n
	for i, v := range y {
		m.gain += gainStep
		m.wet += wetStep
		dry := float32(0)
		if i < len(m.dry) {
			dry = m.dry[i]
		}
		y[i] = m.gain * (m.wet*v + (1-m.wet)*dry)
	}
	m.gain, m.wet = gain, wet
	m.dry = slices.Delete(m.dry, 0, min(len(y), len(m.dry)))
}
