package train

import (
	"math"

	"github.com/starvc/vc/features"
)

// steering follows the phase of a recording's fundamental, so that the pulses that the network is given in training stand where
// the recording has its own, and it can learn how a voice shapes them. In conversion there is nothing to follow, and nothing to
// be in step with.
type steering struct {
	pull   float64   // 0 leaves the phase alone, 1 takes the recording's
	phases []float64 // of the recording, from the first frame on
	voiced bool      // the frame before
}

// at is the steering of frame t, nil where there is nothing to follow. Frames are asked for in turn.
func (s *steering) at(t int, f0 float64) func(turn float64) float64 {
	first := !s.voiced
	s.voiced = f0 > 0
	if f0 <= 0 || s.pull == 0 || math.IsNaN(s.phases[t]) {
		return nil
	}
	want, pull := s.phases[t], s.pull
	if first {
		pull = 1
	}
	return func(turn float64) float64 {
		d := want - turn
		return turn + pull*(d-math.Floor(d+0.5))
	}
}

// phases are those of a recording's fundamental at the centres of its frames, [frames], in turns; NaN in frames without voice or
// where none is to be seen.
func phases(cfg features.Config, sound, f0 []float32) []float64 {
	window := features.NewSTFT(cfg).Window()
	turns := make([]float64, len(f0))
	for t, hz := range f0 {
		turns[t] = math.NaN()
		if hz <= 0 {
			continue
		}
		if v, clear := phase(cfg, window, sound, t*cfg.Hop, float64(hz)); clear {
			turns[t] = v
		}
	}
	return turns
}

// phase is that of the fundamental around a sample, in turns, and whether there is one to speak of.
func phase(cfg features.Config, window []float64, sound []float32, centre int, f0 float64) (turns float64, clear bool) {
	half := len(window) / 2
	var re, im, power, weight float64
	step := 2 * math.Pi * f0 / float64(cfg.SampleRate)
	for i, w := range window {
		k := centre - half + i
		if k < 0 || k >= len(sound) {
			continue
		}
		x := float64(sound[k]) * w
		sin, cos := math.Sincos(step * float64(i-half))
		re, im = re+x*cos, im-x*sin
		power, weight = power+x*x, weight+w*w
	}
	amplitude := re*re + im*im
	return math.Atan2(im, re) / (2 * math.Pi), amplitude > 1e-3*power*weight
}
