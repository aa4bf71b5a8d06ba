package features

import (
	"math"

	"github.com/mjibson/go-dsp/spectral"
)

// SpectrumPoint is one frequency of a spectrum.
type SpectrumPoint struct {
	Hz float64
	DB float64 // power density in dB, where 0 dB is a mean square of 1 per Hz
}

// spectrumFloor keeps the spectrum of silence finite: -200 dB.
const spectrumFloor = 1e-20

// LongTermSpectrum is the long-term average spectrum of x, from 0 Hz to half the rate: what a report shows of how dark
// or bright a voice is on the whole. It follows Welch's method with Hann windows of 40 to 80 ms, half overlapping. x is
// mono; a signal shorter than one window counts as followed by silence, and an empty one has no spectrum. It is for
// reports: it allocates freely.
func LongTermSpectrum(x []float32, rate int) []SpectrumPoint {
	if len(x) == 0 || rate <= 0 {
		return nil
	}
	nFFT := 2
	for nFFT < rate/25 {
		nFFT *= 2
	}
	options := &spectral.PwelchOptions{NFFT: nFFT, Noverlap: nFFT / 2}

	// The library copies all segments of what it is given, so it is given a few seconds at a time.
	const segmentsPerBlock = 256
	stride := nFFT / 2
	var points []SpectrumPoint
	var total float64
	for from := 0; from == 0 || from+nFFT <= len(x); from += segmentsPerBlock * stride {
		to := min(from+(segmentsPerBlock-1)*stride+nFFT, len(x))
		block := make([]float64, to-from)
		for i, v := range x[from:to] {
			block[i] = float64(v)
		}
		segments := float64(max(0, len(block)-nFFT)/stride + 1)
		power, hz := spectral.Pwelch(block, float64(rate), options)
		if points == nil {
			points = make([]SpectrumPoint, len(hz))
		}
		for k := range points {
			points[k].Hz = hz[k]
			points[k].DB += power[k] * segments
		}
		total += segments
	}
	for k := range points {
		points[k].DB = 10 * math.Log10(max(points[k].DB/total, spectrumFloor))
	}
	return points
}
