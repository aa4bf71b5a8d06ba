package vocoder

import (
	"math"

	"github.com/starvc/vc/features"
	"gonum.org/v1/gonum/dsp/fourier"
)

// bandFilter finds gains under which a spectrum has wanted mel bands. It is tables and scratch, without a past.
type bandFilter struct {
	cfg    features.Config
	stft   *features.STFT
	mel    *melInverse
	fft    *fourier.FFT
	centre []float64 // [NMels] centres of gravity, Hz
	spread []float64 // [Bins] phase that spreads pulses

	gain      []float64 // [Bins] what match and gains found
	band      []float64 // [NMels] gains of the bands
	low, high []float64 // [NMels] between which those lie
	have      []float64 // [NMels]
	magnitude []float64 // [Bins]
	cepstrum  []float64 // [NFFT]
	log       []complex128
}

func newBandFilter(cfg features.Config) (*bandFilter, error) {
	stft := features.NewSTFT(cfg)
	mel, err := newMelInverse(cfg, stft.Window())
	if err != nil {
		return nil, err
	}
	bins, n := cfg.Bins(), cfg.NMels
	f := &bandFilter{
		cfg: cfg, stft: stft, mel: mel, fft: fourier.NewFFT(cfg.NFFT),
		centre: make([]float64, n), spread: make([]float64, bins),
		gain: make([]float64, bins), band: make([]float64, n), low: make([]float64, n), high: make([]float64, n),
		have: make([]float64, n), magnitude: make([]float64, bins),
		cepstrum: make([]float64, cfg.NFFT), log: make([]complex128, bins),
	}
	binHz := float64(cfg.SampleRate) / float64(cfg.NFFT)
	mel.centres(f.centre)
	for k := range f.spread {
		f.spread[k] = 2 * math.Pi * spreadSeconds * spreadHz * (1 - math.Exp(-float64(k)*binHz/spreadHz))
	}
	return f, nil
}

// The lowest harmonics of a voice lead, since the glottis opens slowly and closes at once. By how much at 0 Hz, and at
// which frequency by an e-th of that; found by how much the power of recordings and of their resynthesis varies within
// a period. Pulses in phase at all frequencies buzz.
const (
	spreadSeconds = 0.002
	spreadHz      = 1000.0
)

// magnitudes are those of spec, [Bins]. They belong to f until the next call.
func (f *bandFilter) magnitudes(spec []complex128) []float64 {
	for k, c := range spec {
		f.magnitude[k] = math.Sqrt(real(c)*real(c) + imag(c)*imag(c))
	}
	return f.magnitude
}

// Bands are smoothed by shapeWidth times F0 before they are compared, and each may differ by a factor of shapeFreedom
// from what comes out. With no freedom the resolved harmonics of a high voice lose their own levels; with much, the
// blurred ones that a network makes of them fight F0's.
const (
	shapeWidth   = 1.0
	shapeFreedom = 1.5
	shapeUpdates = 1
)

// shape makes the mel bands of an excitation the wanted ones, and reports whether there is any sound; if not, spec stays
// as it is.
func (f *bandFilter) shape(spec []complex128, want wantedFrame) bool {
	loudest := 0.0
	for _, v := range want.mel {
		loudest = max(loudest, v)
	}
	if loudest == 0 {
		return false
	}
	magnitude := f.magnitudes(spec)
	f.match(want, magnitude, shapeWidth, shapeFreedom)
	f.gains()
	for range shapeUpdates {
		f.measure(f.have, magnitude, f.gain)
		for m, v := range f.have {
			if v > 0 {
				f.band[m] = min(max(f.band[m]*want.mel[m]/v, f.low[m]), f.high[m])
			}
		}
		f.gains()
	}
	if want.f0 > 0 {
		f.filter(spec, want.f0)
		return true
	}
	for k, g := range f.gain {
		spec[k] *= complex(g, 0)
	}
	return true
}

// match sets the gains of the bands to those that take magnitude, [Bins], to what is wanted, and their limits. In voiced
// frames the limits are around the ratio of bands smoothed by width times F0; in noise there are none.
func (f *bandFilter) match(want wantedFrame, magnitude []float64, width, freedom float64) {
	f.measure(f.have, magnitude, nil)
	for m, v := range f.have {
		f.band[m], f.low[m], f.high[m] = 0, 0, math.MaxFloat64
		if v > 0 {
			f.band[m] = want.mel[m] / v
		}
	}
	if want.f0 == 0 {
		return
	}
	f.smooth(f.low, want.mel, width*want.f0)
	f.smooth(f.high, f.have, width*want.f0)
	for m, v := range f.low {
		ratio := 0.0
		if f.high[m] > 0 {
			ratio = v / f.high[m]
		}
		f.low[m], f.high[m] = ratio/freedom, ratio*freedom
		f.band[m] = min(max(f.band[m], f.low[m]), f.high[m])
	}
}

// measure writes the mel bands of magnitude times gain to dst; a nil gain is 1 everywhere.
func (f *bandFilter) measure(dst, magnitude, gain []float64) {
	for m, b := range f.mel.bands {
		bins := magnitude[b.first:][:len(b.weights)]
		var sum float64
		if gain == nil {
			for i, w := range b.weights {
				sum += w * bins[i]
			}
		} else {
			for i, w := range b.weights {
				sum += w * bins[i] * gain[b.first+i]
			}
		}
		dst[m] = sum
	}
}

// gains interpolates the gains of the bands to those of the bins.
func (f *bandFilter) gains() {
	sum := f.mel.sum
	clear(sum)
	for m, b := range f.mel.bands {
		for i, w := range b.weights {
			sum[b.first+i] += w * f.band[m]
		}
	}
	f.mel.divide(f.gain)
}

// smooth writes the weighted mean of each band of src and its neighbours up to widthHz away to dst.
func (f *bandFilter) smooth(dst, src []float64, widthHz float64) {
	smoothBands(dst, src, f.centre, widthHz)
}

// smoothBands writes the weighted mean of each band of src, centred on so many Hz, and its neighbours up to widthHz away to
// dst. The weights fall linearly with the distance.
func smoothBands(dst, src, centre []float64, widthHz float64) {
	for m, hz := range centre {
		sum, weight := src[m], 1.0
		for j := m - 1; j >= 0 && hz-centre[j] < widthHz; j-- {
			w := 1 - (hz-centre[j])/widthHz
			sum += w * src[j]
			weight += w
		}
		for j := m + 1; j < len(src) && centre[j]-hz < widthHz; j++ {
			w := 1 - (centre[j]-hz)/widthHz
			sum += w * src[j]
			weight += w
		}
		dst[m] = sum / weight
	}
}

// The filter rings for at most this long behind a pulse, and for as much of a period: where it rang longer the filters
// of neighbouring frames did not fit together.
const (
	ringSeconds = 0.001
	ringPeriods = 0.25
)

// filter multiplies spec by the gains with the phase of a filter that only rings after a pulse, as a vocal tract does:
// the minimum phase, from the cepstrum folded to positive times (Oppenheim and Schafer, "Discrete-time signal
// processing", section 13.5), which is cut off smoothly.
func (f *bandFilter) filter(spec []complex128, f0 float64) {
	top := 0.0
	for _, g := range f.gain {
		top = max(top, g)
	}
	if top == 0 {
		clear(spec)
		return
	}
	last := len(f.log) - 1
	for k, g := range f.gain {
		f.log[k] = complex(math.Log(max(g, 1e-5*top)), 0)
	}
	f.log[0], f.log[last] = f.log[1], f.log[last-1] // which no band covers
	f.fft.Sequence(f.cepstrum, f.log)
	ring := min(int(min(ringSeconds, ringPeriods/f0)*float64(f.cfg.SampleRate)), len(f.cepstrum)/2-1)
	for i := 1; i <= ring; i++ {
		taper := 0.5 + 0.5*math.Cos(math.Pi*float64(i)/float64(ring+1))
		f.cepstrum[i] *= 2 * taper / float64(len(f.cepstrum))
	}
	f.cepstrum[0] = 0
	clear(f.cepstrum[ring+1:])
	f.fft.Coefficients(f.log, f.cepstrum)
	for k, g := range f.gain {
		sin, cos := math.Sincos(imag(f.log[k]) + f.spread[k])
		spec[k] *= complex(g*cos, g*sin)
	}
}
