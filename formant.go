package vc

import (
	"fmt"
	"math"

	"github.com/starvc/vc/features"
)

// MaxFormantSemitones bounds the shift of the formants, in either direction.
const MaxFormantSemitones = 12

func checkFormant(semitones float64) error {
	if !(semitones >= -MaxFormantSemitones && semitones <= MaxFormantSemitones) {
		return fmt.Errorf("formant is %g semitones, want %d to %d", semitones, -MaxFormantSemitones, MaxFormantSemitones)
	}
	return nil
}

// leastEnvelopeHz is the half-width of the window that takes a frame's envelope where no pitch asks for a wider one.
const leastEnvelopeHz = 100

// formantWarp moves the formants of log-mel frames without moving their pitch, as a longer or shorter mouth would: the
// spectral envelope is stretched along the frequency axis by 2^(semitones/12), the harmonics stay where they are.
//
// The envelope is the frame's mean, in the logarithm, under a triangle that reaches one F0 to both sides, which is blind
// to harmonics. With e the envelope as a function of the frequency f, linear between the centres of bands and constant
// beyond the first and the last one, a band's value grows by e(f/2^(semitones/12)) - e(f). Stretching the frame itself
// would take the harmonics along, and those of a high voice would then contradict the F0 that a vocoder is told.
type formantWarp struct {
	hz   []float64 // centres of the bands
	now  float64   // semitones
	goal float64
	left int // frames until now is goal

	env []float32 // scratch, [nMels]
}

func newFormantWarp(cfg features.Config, semitones float64) *formantWarp {
	w := &formantWarp{hz: make([]float64, cfg.NMels), env: make([]float32, cfg.NMels), now: semitones, goal: semitones}
	for m := range w.hz {
		w.hz[m] = cfg.BandHz(m)
	}
	return w
}

// moveTo reaches another shift after that many frames, in equal steps.
func (w *formantWarp) moveTo(semitones float64, frames int) {
	w.goal, w.left = semitones, frames
	if frames <= 0 {
		w.now, w.left = semitones, 0
	}
}

// settle ends a move.
func (w *formantWarp) settle() { w.moveTo(w.goal, 0) }

// frame changes one frame, [nMels], in place. f0 is in Hz, 0 where unvoiced. It does not allocate. Each call is a step of
// a move, so frames that need no change must come too.
func (w *formantWarp) frame(logMel []float32, f0 float32) {
	if w.left > 0 {
		w.now += (w.goal - w.now) / float64(w.left)
		w.left--
	}
	if w.now == 0 {
		return
	}
	w.envelope(logMel, max(float64(f0), leastEnvelopeHz))
	stretch := math.Exp2(-w.now / 12)
	last := len(w.hz) - 1
	at := 0
	for m, hz := range w.hz {
		from := min(max(hz*stretch, w.hz[0]), w.hz[last])
		for at < last-1 && w.hz[at+1] < from {
			at++
		}
		part := float32((from - w.hz[at]) / (w.hz[at+1] - w.hz[at]))
		logMel[m] += w.env[at] + float32(part*(w.env[at+1]-w.env[at])) - w.env[m]
	}
}

// envelope fills w.env with the mean under a triangle of that half-width around each band.
func (w *formantWarp) envelope(logMel []float32, halfWidth float64) {
	from := 0
	for m, centre := range w.hz {
		for centre-w.hz[from] >= halfWidth {
			from++
		}
		sum, weights := 0.0, 0.0
		for k := from; k < len(w.hz) && w.hz[k]-centre < halfWidth; k++ {
			g := halfWidth - math.Abs(w.hz[k]-centre)
			sum += g * float64(logMel[k])
			weights += g
		}
		w.env[m] = float32(sum / weights)
	}
}
