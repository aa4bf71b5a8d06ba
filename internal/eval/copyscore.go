package eval

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/starvc/vc/features"
)

// CopyScore says how near a copy that a vocoder made is to the recording whose frames it was made of, sample against sample:
// nothing is aligned and no level is changed. All but Frames are better the lower they are; what a recording does not
// allow, such as an error of F0 without voice, is NaN, and null in JSON.
type CopyScore struct {
	STFT         float64 // multi-resolution STFT distance; see CompareCopy
	Mel          float64 // mean difference of the log-mels, in nepers
	LSD          float64 // log-spectral distance in dB, a mean over the frames with sound
	F0Gross      float64 // part of the frames voiced in both whose F0 is more than 20 % off, 0 to 1
	F0Cents      float64 // root mean square difference of F0 in cents, over the others of those frames
	VoicingError float64 // part of all frames of which one is voiced and one is not, 0 to 1
	Periodicity  float64 // root mean square difference of the periodicity, over the frames voiced in the recording
	Frames       int
}

// MarshalJSON writes NaN as null.
func (s CopyScore) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		STFT         number `json:"stft"`
		Mel          number `json:"melNepers"`
		LSD          number `json:"lsdDB"`
		F0Gross      number `json:"f0GrossError"`
		F0Cents      number `json:"f0RMSECents"`
		VoicingError number `json:"voicingError"`
		Periodicity  number `json:"periodicityRMSE"`
		Frames       int    `json:"frames"`
	}{number(s.STFT), number(s.Mel), number(s.LSD), number(s.F0Gross), number(s.F0Cents), number(s.VoicingError),
		number(s.Periodicity), s.Frames})
}

// The resolutions of the multi-resolution distance: those of Yamamoto, Song and Kim in points at 24000 Hz, here as times.
var copyResolutions = [3]struct{ windowSeconds, hopSeconds float64 }{{0.010, 0.002}, {0.025, 0.005}, {0.050, 0.010}}

const (
	// leastMagnitude is where logarithms of magnitudes end, as in the paper, so that digital silence is no end of them.
	leastMagnitude = 3.1623e-4
	// lsdRangeDB is how far below the loudest frame of the recording a frame may lie to count for the LSD.
	lsdRangeDB = 50
	// grossRatio is the error of F0 from which on it counts as gross, as is usual for pitch trackers.
	grossRatio = 0.2
)

// CompareCopy scores a copy of recording x, both at the rate of cfg and of the same length, with the features' pitch tracker
// and, for the LSD, their STFT.
//
// STFT is the mean over three resolutions, windows of 10, 25 and 50 ms, of the spectral convergence |X-Y|/|X| (Frobenius
// norms of magnitudes) and the mean absolute difference of log-magnitudes (Yamamoto, Song and Kim, "Parallel WaveGAN",
// 2020, equations 4 to 6). Periodicity is the one of Morrison et al., "Chunked autoregressive GAN", 2022, section 3.4, but that
// a frame's periodicity is its normalised autocorrelation at the period that the tracker found in it, or in the
// recording where it found none in the copy. It is an error if the lengths differ or cfg is not valid.
func CompareCopy(cfg features.Config, x, copied []float32) (CopyScore, error) {
	if len(x) != len(copied) {
		return CopyScore{}, fmt.Errorf("copy synthesis: recording of %d samples and copy of %d, want the same length", len(x), len(copied))
	}
	a, err := features.ExtractRecording(cfg, x)
	if err != nil {
		return CopyScore{}, fmt.Errorf("copy synthesis: %w", err)
	}
	b, err := features.ExtractRecording(cfg, copied)
	if err != nil {
		return CopyScore{}, fmt.Errorf("copy synthesis: %w", err)
	}
	s := CopyScore{Frames: a.Len(), LSD: logSpectralDistance(cfg, x, copied)}
	for _, r := range copyResolutions {
		s.STFT += stftDistance(resolution(cfg, r.windowSeconds, r.hopSeconds), x, copied) / float64(len(copyResolutions))
	}
	for i, v := range a.LogMel {
		s.Mel += math.Abs(float64(v)-float64(b.LogMel[i])) * cfg.MelScale / float64(len(a.LogMel))
	}
	s.pitch(cfg, x, copied, a.F0, b.F0)
	return s, nil
}

// resolution is cfg with another short-time Fourier transform.
func resolution(cfg features.Config, windowSeconds, hopSeconds float64) features.Config {
	rate := float64(cfg.SampleRate)
	cfg.WinLength = 2 * int(math.Round(windowSeconds*rate/2))
	cfg.Hop = int(math.Round(hopSeconds * rate))
	cfg.NFFT = 1
	for cfg.NFFT < cfg.WinLength {
		cfg.NFFT *= 2
	}
	return cfg
}

// stftDistance is spectral convergence and log-magnitude distance at one resolution.
func stftDistance(cfg features.Config, x, y []float32) float64 {
	var difference, energy, logs float64
	n := 0
	eachSpectrum(cfg, x, y, func(a, b []complex128) {
		for k := range a {
			u, v := magnitude(a[k]), magnitude(b[k])
			difference += (u - v) * (u - v)
			energy += u * u
			logs += math.Abs(math.Log(u / v))
		}
		n += len(a)
	})
	return math.Sqrt(difference/energy) + logs/float64(n)
}

// logSpectralDistance is the mean over frames of the root mean square difference of the levels of all bins, in dB.
func logSpectralDistance(cfg features.Config, x, y []float32) float64 {
	var levels, distances []float64
	loudest := math.Inf(-1)
	eachSpectrum(cfg, x, y, func(a, b []complex128) {
		var power, squares float64
		for k := range a {
			u, v := magnitude(a[k]), magnitude(b[k])
			d := 20 * math.Log10(u/v)
			power += u * u
			squares += d * d
		}
		level := 10 * math.Log10(power)
		loudest = max(loudest, level)
		levels, distances = append(levels, level), append(distances, math.Sqrt(squares/float64(len(a))))
	})
	var sum float64
	n := 0
	for i, level := range levels {
		if level > loudest-lsdRangeDB {
			sum += distances[i]
			n++
		}
	}
	return sum / float64(n)
}

func magnitude(c complex128) float64 {
	return max(math.Sqrt(real(c)*real(c)+imag(c)*imag(c)), leastMagnitude)
}

// eachSpectrum calls f with the spectra of the same frame of both signals, of the same length.
func eachSpectrum(cfg features.Config, x, y []float32, f func(a, b []complex128)) {
	stft := features.NewSTFT(cfg)
	a, b, frame := make([]complex128, cfg.Bins()), make([]complex128, cfg.Bins()), make([]float64, cfg.WinLength)
	for t := range cfg.NumFrames(len(x)) {
		from := t*cfg.Hop - cfg.WinLength/2
		for _, s := range []struct {
			spec []complex128
			x    []float32
		}{{a, x}, {b, y}} {
			for i := range frame {
				frame[i] = sampleAt(s.x, from+i)
			}
			stft.Forward(s.spec, frame)
		}
		f(a, b)
	}
}

// sampleAt is 0 outside of the signal.
func sampleAt(x []float32, i int) float64 {
	if i < 0 || i >= len(x) {
		return 0
	}
	return float64(x[i])
}

// pitch fills in what has to do with F0, in Hz per frame.
func (s *CopyScore) pitch(cfg features.Config, x, y, f, g []float32) {
	var both, gross, fine, mismatched, voiced int
	var cents, periods float64
	for t, hz := range f {
		copied := g[t]
		if (hz > 0) != (copied > 0) {
			mismatched++
		}
		if hz <= 0 {
			continue
		}
		voiced++
		period := float64(cfg.SampleRate) / float64(hz)
		copiedPeriod := period
		if copied > 0 {
			both++
			copiedPeriod = float64(cfg.SampleRate) / float64(copied)
			if math.Abs(float64(copied/hz)-1) > grossRatio {
				gross++
			} else {
				c := 1200 * math.Log2(float64(copied/hz))
				cents += c * c
				fine++
			}
		}
		d := periodicity(cfg, x, t*cfg.Hop, period) - periodicity(cfg, y, t*cfg.Hop, copiedPeriod)
		periods += d * d
	}
	s.F0Gross = float64(gross) / float64(both)
	s.F0Cents = math.Sqrt(cents / float64(fine))
	s.VoicingError = float64(mismatched) / float64(len(f))
	s.Periodicity = math.Sqrt(periods / float64(voiced))
}

// periodicity is the normalised autocorrelation of x around sample at, of a window of WinLength with itself a period, in
// samples, later: the peak of the parabola through the values at the nearest three lags, in [0, 1].
func periodicity(cfg features.Config, x []float32, at int, period float64) float64 {
	lag := int(math.Round(period))
	var r [3]float64
	for i := range r {
		r[i] = autocorrelation(x, at, cfg.WinLength, lag-1+i)
	}
	best := max(r[0], r[1], r[2])
	if curve := r[0] - 2*r[1] + r[2]; r[1] == best && curve < 0 {
		best = r[1] - (r[0]-r[2])*(r[0]-r[2])/(8*curve)
	}
	return min(max(best, 0), 1)
}

func autocorrelation(x []float32, at, window, lag int) float64 {
	var ab, aa, bb float64
	from := at - (window+lag)/2
	for i := from; i < from+window; i++ {
		a, b := sampleAt(x, i), sampleAt(x, i+lag)
		ab += a * b
		aa += a * a
		bb += b * b
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}
