package features

import (
	"fmt"
	"math"
)

// MelBank gathers the magnitudes of a spectrum into mel bands: triangles whose corners are equally spaced on the mel
// scale from FMinHz to FMaxHz, in the form of Slaney's Auditory Toolbox (1998), which is librosa's default. The scale
// is linear up to 1 kHz and logarithmic above; drawn over the frequency in Hz every triangle has an area of 1, so its
// peak is 2 divided by its width. A MelBank is only read and may be shared between goroutines.
type MelBank struct {
	bins    int
	filters []melFilter
	last    int // one more than the highest bin that any band uses
}

// melFilter is one band: the bins from first on, where its triangle is not zero.
type melFilter struct {
	first   int
	weights []float64
}

// The mel scale: melsPerHz up to breakHz, from there melsPerLog for every factor of e.
const (
	breakHz   = 1000.0
	melsPerHz = 3.0 / 200
	breakMel  = breakHz * melsPerHz
)

// melsPerLog is 27 mels from 1 kHz to 6.4 kHz.
var melsPerLog = 27 / math.Log(6.4)

func hzToMel(hz float64) float64 {
	if hz < breakHz {
		return hz * melsPerHz
	}
	return breakMel + melsPerLog*math.Log(hz/breakHz)
}

func melToHz(mel float64) float64 {
	if mel < breakMel {
		return mel / melsPerHz
	}
	return breakHz * math.Exp((mel-breakMel)/melsPerLog)
}

// BandHz is the centre of mel band m in Hz, where its triangle has its peak.
func (c Config) BandHz(m int) float64 {
	low, high := hzToMel(c.FMinHz), hzToMel(c.FMaxHz)
	return melToHz(low + (high-low)*float64(m+1)/float64(c.NMels+1))
}

// NewMelBank builds the bands of a valid cfg. It is an error if a band is so narrow that it holds no bin: such a band
// would be silent for ever. It panics on a cfg that Validate refuses.
func NewMelBank(cfg Config) (*MelBank, error) {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	low, high := hzToMel(cfg.FMinHz), hzToMel(cfg.FMaxHz)
	cornerHz := func(i int) float64 { return melToHz(low + (high-low)*float64(i)/float64(cfg.NMels+1)) }

	b := &MelBank{bins: cfg.Bins(), filters: make([]melFilter, cfg.NMels)}
	binHz := float64(cfg.SampleRate) / float64(cfg.NFFT)
	for m := range b.filters {
		left, centre, right := cornerHz(m), cornerHz(m+1), cornerHz(m+2)
		f := &b.filters[m]
		for k := int(left / binHz); k < b.bins && float64(k)*binHz < right; k++ {
			hz := float64(k) * binHz
			w := min((hz-left)/(centre-left), (right-hz)/(right-centre)) * 2 / (right - left)
			if w <= 0 {
				continue
			}
			if f.weights == nil {
				f.first = k
			}
			f.weights = append(f.weights, w)
		}
		if f.weights == nil {
			return nil, fmt.Errorf("features: mel band %d of %d (%.1f to %.1f Hz) holds none of the frequencies, which are %.1f Hz apart: "+
				"fewer nMels or a larger nFFT is needed", m, cfg.NMels, left, right, binHz)
		}
		b.last = max(b.last, f.first+len(f.weights))
	}
	return b, nil
}

// Apply writes the mel magnitudes of one frame to mel. magnitude is [Bins] (not squared), mel is [NMels].
func (b *MelBank) Apply(mel, magnitude []float64) {
	if len(mel) != len(b.filters) || len(magnitude) != b.bins {
		panic(fmt.Sprintf("features: MelBank: %d bins into %d bands, want %d and %d", len(magnitude), len(mel), b.bins, len(b.filters)))
	}
	for m, f := range b.filters {
		var sum float64
		bins := magnitude[f.first:][:len(f.weights)]
		for i, w := range f.weights {
			sum += w * bins[i]
		}
		mel[m] = sum
	}
}

// Weights is the bank as a new dense matrix, [NMels*Bins], band-major, for those who must invert it.
func (b *MelBank) Weights() []float64 {
	w := make([]float64, len(b.filters)*b.bins)
	for m, f := range b.filters {
		copy(w[m*b.bins+f.first:], f.weights)
	}
	return w
}

// NormalizeMel maps a mel magnitude to what the networks see: (ln(max(mel, LogFloor)) - MelMean) / MelScale.
func (c Config) NormalizeMel(mel float64) float32 {
	return float32((math.Log(max(mel, c.LogFloor)) - c.MelMean) / c.MelScale)
}

// DenormalizeMel is the mel magnitude that NormalizeMel maps to v.
func (c Config) DenormalizeMel(v float32) float64 {
	return math.Exp(float64(v)*c.MelScale + c.MelMean)
}
