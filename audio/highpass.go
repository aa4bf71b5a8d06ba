package audio

import (
	"fmt"
	"math"
)

// HighPass takes offset and rumble off a signal, piece by piece: a Butterworth filter of even order as a cascade of biquads
// (bilinear transform, the cutoff prewarped), causal, without look-ahead. What comes out does not depend on how the signal is
// cut. It must not be used by two goroutines at once.
//
// The signal counts as having stood at its first sample for ever, so that an offset makes no thump at the beginning. What is not
// finite counts as 0 and what is beyond 8 as 8, since a recursive filter would never forget them.
type HighPass struct {
	sections []biquad
	begun    bool
}

// biquad is a section in transposed direct form II: y = b0 x + s1, s1 = b1 x - a1 y + s2, s2 = b2 x - a2 y.
type biquad struct {
	b0, b1, b2, a1, a2 float64
	s1, s2             float64
}

// leastState is the state of a section that counts as none: far below any sample, and far above numbers that are slow.
const leastState = 1e-30

const mostSample = 8 // 18 dB above full scale

// NewHighPass makes a filter that is 3 dB down at cutoffHz and falls by 6 dB per octave and order below. It is an error if
// the order is not an even number from 2 to 16, or the cutoff not above 0 and below half of the rate.
func NewHighPass(rate int, cutoffHz float64, order int) (*HighPass, error) {
	if order < 2 || order > 16 || order%2 != 0 {
		return nil, fmt.Errorf("high-pass: order %d, want an even number from 2 to 16", order)
	}
	if !(cutoffHz > 0 && cutoffHz < float64(rate)/2) {
		return nil, fmt.Errorf("high-pass: cutoff %g Hz, want more than 0 and less than half of the rate (%d Hz)", cutoffHz, rate)
	}
	h := &HighPass{sections: make([]biquad, order/2)}
	k := math.Tan(math.Pi * cutoffHz / float64(rate))
	for i := range h.sections {
		damping := 2 * math.Sin(math.Pi*(2*float64(i)+1)/(2*float64(order))) // 1/Q
		norm := 1 / (1 + damping*k + k*k)
		h.sections[i] = biquad{b0: norm, b1: -2 * norm, b2: norm, a1: 2 * (k*k - 1) * norm, a2: (1 - damping*k + k*k) * norm}
	}
	return h, nil
}

// Process appends the filtered x to dst. dst may be x[:0].
func (h *HighPass) Process(dst, x []float32) []float32 {
	for _, in := range x {
		v := float64(in)
		if v-v != 0 { // not finite
			v = 0
		}
		v = min(max(v, -mostSample), mostSample)
		if !h.begun {
			h.settle(v)
		}
		for i := range h.sections {
			v = h.sections[i].next(v)
		}
		dst = append(dst, float32(v))
	}
	return dst
}

// lead lets the filter hear what may have come before x: its first n samples, turned about the first. So a slow wave that is
// under way when the recording begins goes on without a jolt.
func (h *HighPass) lead(x []float32, n int) {
	n = min(n, len(x)-1)
	if n <= 0 {
		return
	}
	before := make([]float32, n)
	for i := range before {
		before[i] = 2*x[0] - x[n-i]
	}
	h.Process(before[:0], before)
}

// settle puts the filter where a constant input has taken it, whose output is 0.
func (h *HighPass) settle(v float64) {
	h.begun = true
	s := &h.sections[0] // the others have had no input but 0
	s.s1, s.s2 = -s.b0*v, s.b2*v
}

func (s *biquad) next(x float64) float64 {
	y := s.b0*x + s.s1
	s.s1 = s.b1*x - s.a1*y + s.s2
	s.s2 = s.b2*x - s.a2*y
	if math.Abs(s.s1) < leastState && math.Abs(s.s2) < leastState {
		s.s1, s.s2 = 0, 0
	}
	return y
}

// Reset forgets the signal, for the next one.
func (h *HighPass) Reset() {
	h.begun = false
	for i := range h.sections {
		h.sections[i].s1, h.sections[i].s2 = 0, 0
	}
}
