package vocoder

import (
	"fmt"

	"github.com/starvc/vc/features"
)

// melInverse finds non-negative magnitudes whose mel bands are the given ones. There are fewer bands than bins, so
// many spectra fit; it begins with the mean magnitude of each band, interpolated, which is smooth, and makes it fit by
// multiplicative updates, which keep what is zero at zero and a smooth spectrum smooth. The updates are those of
// Richardson and Lucy (Lee and Seung, "Algorithms for non-negative matrix factorization", 2001, equation 5): they
// descend on the Kullback-Leibler divergence, which counts relative errors as the ear does, where plain least squares
// would only look after the loudest bands.
type melInverse struct {
	cfg     features.Config
	bands   []melBand
	cover   []float64 // [Bins] sum of all bands' weights at a bin
	loudest []float64 // [NMels] the mel magnitude that no signal in [-1, 1] can pass

	mel []float64 // [NMels] scratch: the wanted mel magnitudes
	sum []float64 // [Bins] scratch
}

// melBand is one row of the filter bank where it is not zero.
type melBand struct {
	first   int
	weights []float64
	total   float64
}

// melUpdates is where more of them change nothing that can be heard or measured in speech.
const melUpdates = 12

func newMelInverse(cfg features.Config, window []float64) (*melInverse, error) {
	bank, err := features.NewMelBank(cfg)
	if err != nil {
		return nil, fmt.Errorf("vocoder: %w", err)
	}
	var peak float64 // the largest magnitude of a bin
	for _, w := range window {
		peak += w
	}
	bins := cfg.Bins()
	v := &melInverse{
		cfg: cfg, bands: make([]melBand, cfg.NMels), cover: make([]float64, bins),
		loudest: make([]float64, cfg.NMels), mel: make([]float64, cfg.NMels), sum: make([]float64, bins),
	}
	weights := bank.Weights()
	for m := range v.bands {
		row := weights[m*bins : (m+1)*bins]
		// A constant offset and the highest frequency are no part of a voice, and have no phase.
		row[0], row[bins-1] = 0, 0
		first, last := 0, bins
		for first < last && row[first] == 0 {
			first++
		}
		for last > first && row[last-1] == 0 {
			last--
		}
		b := melBand{first: first, weights: row[first:last]}
		for i, w := range b.weights {
			b.total += w
			v.cover[first+i] += w
		}
		v.bands[m] = b
		v.loudest[m] = peak * b.total
	}
	return v, nil
}

// centres writes the bands' centres of gravity, in Hz, to dst, [NMels].
func (v *melInverse) centres(dst []float64) {
	binHz := float64(v.cfg.SampleRate) / float64(v.cfg.NFFT)
	for m, b := range v.bands {
		var sum float64
		for i, w := range b.weights {
			sum += w * float64(b.first+i)
		}
		dst[m] = binHz * sum / max(b.total, 1e-9)
	}
}

// wanted writes the mel magnitudes of one normalised log-mel frame to dst, [NMels] both. A band at the floor is silent.
// NaN counts as the floor, and more than a full-scale signal can have as that.
func (v *melInverse) wanted(dst []float64, logMel []float32) {
	for m, x := range logMel {
		// The floor stands for everything below it, silence above all. Written so that NaN ends up as 0.
		mel := v.cfg.DenormalizeMel(x)
		if !(mel > 1.001*v.cfg.LogFloor) {
			mel = 0
		}
		dst[m] = min(mel, v.loudest[m])
	}
}

// magnitudes writes the magnitude spectrum of one normalised log-mel frame, [NMels], to dst, [Bins].
func (v *melInverse) magnitudes(dst []float64, logMel []float32) {
	v.wanted(v.mel, logMel)
	v.envelope(dst, 1)
	v.fit(dst)
}

// fit makes magnitudes, [Bins], have the mel bands v.mel, and leaves their fine structure as far as those allow. What is zero
// stays zero.
func (v *melInverse) fit(dst []float64) {
	for range melUpdates {
		clear(v.sum)
		for m, b := range v.bands {
			bins := dst[b.first:][:len(b.weights)]
			var have float64
			for i, w := range b.weights {
				have += w * bins[i]
			}
			if have <= 0 {
				continue
			}
			ratio := v.mel[m] / have
			sum := v.sum[b.first:][:len(b.weights)]
			for i, w := range b.weights {
				sum[i] += w * ratio * bins[i]
			}
		}
		v.divide(dst)
	}
}

// envelope writes the mean magnitude of each band of v.mel, interpolated and over scale, to dst, [Bins].
func (v *melInverse) envelope(dst []float64, scale float64) {
	clear(v.sum)
	for m, b := range v.bands {
		if b.total == 0 {
			continue
		}
		mean := v.mel[m] / (b.total * scale)
		for i, w := range b.weights {
			v.sum[b.first+i] += w * mean
		}
	}
	v.divide(dst)
}

// divide writes the weighted means to dst: the sums over the weights, zero at bins that no band covers.
func (v *melInverse) divide(dst []float64) {
	for k, c := range v.cover {
		if c > 0 {
			dst[k] = v.sum[k] / c
		} else {
			dst[k] = 0
		}
	}
}
