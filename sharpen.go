package vc

import (
	"math"

	"github.com/starvc/vc/features"
)

// How much deeper the valleys between formants are made, and half the width of the window over which a frame is smoothed to
// find them. A network that learns by mean errors gives the mean of what might have been said, whose formants are too flat.
// Measured over 44 conversions by the base voices: with 0.2 the global variance of mel-cepstra, against that of recordings,
// rises from -2.0 to -1.4 dB and DNSMOS (P.808) from 3.25 to 3.34, at the same mel-cepstral distortion (3.84 dB), similarity
// and, within their intervals, phone errors (6.9 and 7.1 points added); 0.4 costs 1.7 points.
const (
	sharpness  = 0.2
	sharpBands = 8
)

// sharpener is a postfilter of log-mel frames, of the kind that speech coders have for the same fault (Chen and Gersho,
// "Adaptive postfiltering for quality enhancement of coded speech", 1995): what a frame has more or less than its
// smoothed self grows by sharpness, and the power stays.
type sharpener struct {
	scale  float64
	window []float64 // [sharpBands], from the middle outwards
	smooth []float64 // [nMels] scratch
}

func newSharpener(cfg features.Config) *sharpener {
	s := &sharpener{scale: cfg.MelScale, window: make([]float64, sharpBands), smooth: make([]float64, cfg.NMels)}
	for d := range s.window {
		s.window[d] = 0.5 + 0.5*math.Cos(math.Pi*float64(d)/sharpBands)
	}
	return s
}

// frame sharpens a normalised log-mel, [nMels], in place. It does not allocate.
func (s *sharpener) frame(logMel []float32) {
	last := len(logMel) - 1
	for m := range logMel {
		sum, weights := 0.0, 0.0
		for k := max(0, m-sharpBands+1); k <= min(last, m+sharpBands-1); k++ {
			w := s.window[max(k-m, m-k)]
			sum += w * float64(logMel[k])
			weights += w
		}
		s.smooth[m] = sum / weights
	}
	before := s.power(logMel)
	for m, v := range logMel {
		logMel[m] = v + float32(sharpness*(float64(v)-s.smooth[m]))
	}
	level := float32(math.Log(before/s.power(logMel)) / 2 / s.scale)
	for m := range logMel {
		logMel[m] += level
	}
}

// power is the sum of the bands' squared magnitudes, but for a factor.
func (s *sharpener) power(logMel []float32) (sum float64) {
	for _, v := range logMel {
		sum += math.Exp(2 * s.scale * float64(v))
	}
	return sum
}
