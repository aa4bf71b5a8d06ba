package features

import (
	"fmt"

	"github.com/mjibson/go-dsp/window"
	"gonum.org/v1/gonum/dsp/fourier"
)

// STFT is a plan of the short-time Fourier transform and its inverse: tables and scratch space for one Config. Frame
// by frame (Forward, Inverse) it allocates nothing. It must not be used by two goroutines at once.
//
// The window is the periodic Hann window of WinLength samples, centred in NFFT points with zeros around it. The
// forward transform is not scaled; the inverse divides by NFFT.
type STFT struct {
	cfg    Config
	fft    *fourier.FFT
	window []float64 // [WinLength]
	offset int       // where the window begins among the NFFT points

	points []float64 // [NFFT] scratch
	frame  []float64 // [WinLength] scratch
	sum    []float64 // overlap-added signal, grown by SynthesizeTo
	weight []float64 // sum of squared windows over the signal, grown by SynthesizeTo
}

// NewSTFT makes a plan for a valid cfg; it panics on one that Validate refuses.
func NewSTFT(cfg Config) *STFT {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	return &STFT{
		cfg:    cfg,
		fft:    fourier.NewFFT(cfg.NFFT),
		window: periodicHann(cfg.WinLength),
		offset: (cfg.NFFT - cfg.WinLength) / 2,
		points: make([]float64, cfg.NFFT),
		frame:  make([]float64, cfg.WinLength),
	}
}

// periodicHann is the Hann window whose n samples are one period. The library's window is symmetric, so ours is the
// symmetric one of n+1 samples without its last.
func periodicHann(n int) []float64 { return window.Hann(n + 1)[:n] }

// Bins is the number of frequencies per frame: NFFT/2 + 1, from 0 Hz to half the sample rate.
func (s *STFT) Bins() int { return s.cfg.Bins() }

// Window is the analysis window, [WinLength]. It belongs to the plan and must not be written to.
func (s *STFT) Window() []float64 { return s.window }

// Forward writes the spectrum of one frame to dst. The frame is [WinLength] samples, not yet windowed; dst is [Bins].
func (s *STFT) Forward(dst []complex128, frame []float64) {
	if len(frame) != s.cfg.WinLength || len(dst) != s.Bins() {
		panic(fmt.Sprintf("features: Forward: frame of %d samples into %d bins, want %d and %d",
			len(frame), len(dst), s.cfg.WinLength, s.Bins()))
	}
	// Outside the window the scratch points may hold what Inverse left there.
	clear(s.points[:s.offset])
	clear(s.points[s.offset+len(frame):])
	inner := s.points[s.offset : s.offset+len(frame)]
	for i, w := range s.window {
		inner[i] = w * frame[i]
	}
	s.fft.Coefficients(dst, s.points)
}

// Inverse writes the WinLength samples that spec describes to dst, with no window taken out or put on: after Forward
// they are the frame times the window. For overlap-add, multiply them by Window and divide the sum by the sum of the
// squared windows. The imaginary parts of the first and last bin are ignored. spec is [Bins], dst is [WinLength].
func (s *STFT) Inverse(dst []float64, spec []complex128) {
	if len(dst) != s.cfg.WinLength || len(spec) != s.Bins() {
		panic(fmt.Sprintf("features: Inverse: %d bins into %d samples, want %d and %d",
			len(spec), len(dst), s.Bins(), s.cfg.WinLength))
	}
	s.fft.Sequence(s.points, spec)
	scale := 1 / float64(s.cfg.NFFT)
	for i, v := range s.points[s.offset : s.offset+len(dst)] {
		dst[i] = v * scale
	}
}

// Analyze is the spectrogram of a whole signal, [frames*Bins], frame-major, with NumFrames(len(x)) frames.
func (s *STFT) Analyze(x []float32) []complex128 {
	return s.AnalyzeTo(make([]complex128, s.cfg.NumFrames(len(x))*s.Bins()), x)
}

// AnalyzeTo is Analyze into dst, which must have NumFrames(len(x))*Bins elements, and returns it.
func (s *STFT) AnalyzeTo(dst []complex128, x []float32) []complex128 {
	bins, frames := s.Bins(), s.cfg.NumFrames(len(x))
	if len(dst) != frames*bins {
		panic(fmt.Sprintf("features: AnalyzeTo: dst of %d elements, want %d frames of %d bins", len(dst), frames, bins))
	}
	for t := range frames {
		s.gather(x, t)
		s.Forward(dst[t*bins:(t+1)*bins], s.frame)
	}
	return dst
}

// gather copies the samples of frame t into the scratch frame, zeros where x has none.
func (s *STFT) gather(x []float32, t int) {
	from := t*s.cfg.Hop - s.cfg.WinLength/2
	first := min(max(0, -from), len(s.frame))
	last := min(max(first, len(x)-from), len(s.frame))
	clear(s.frame[:first])
	for i := first; i < last; i++ {
		s.frame[i] = float64(x[from+i])
	}
	clear(s.frame[last:])
}

// Synthesize is the signal of length samples whose spectrogram comes nearest to spec in the least squares sense:
// overlap-add under the analysis window, divided by the sum of the squared windows (Griffin and Lim, "Signal
// estimation from modified short-time Fourier transform", 1984, equation 6). spec is [frames*Bins] with
// NumFrames(length) frames; frames beyond are ignored and missing ones count as silence. Of a spectrogram made by
// Analyze it gives the signal back to within rounding.
func (s *STFT) Synthesize(spec []complex128, length int) []float32 {
	return s.SynthesizeTo(make([]float32, length), spec)
}

// SynthesizeTo is Synthesize into dst, whose length is the length of the signal, and returns it. It allocates only
// when the signal is longer than any before.
func (s *STFT) SynthesizeTo(dst []float32, spec []complex128) []float32 {
	bins := s.Bins()
	if len(spec)%bins != 0 {
		panic(fmt.Sprintf("features: SynthesizeTo: %d elements are no whole frames of %d bins", len(spec), bins))
	}
	if cap(s.sum) < len(dst) {
		s.sum = make([]float64, len(dst))
		s.weight = make([]float64, len(dst))
	}
	sum, weight := s.sum[:len(dst)], s.weight[:len(dst)]
	clear(sum)
	clear(weight)
	for t := range s.cfg.NumFrames(len(dst)) {
		given := (t+1)*bins <= len(spec)
		if given {
			s.Inverse(s.frame, spec[t*bins:(t+1)*bins])
		}
		from := t*s.cfg.Hop - s.cfg.WinLength/2
		first := max(0, -from)
		last := min(s.cfg.WinLength, len(dst)-from)
		for i := first; i < last; i++ {
			w := s.window[i]
			weight[from+i] += w * w
			if given {
				sum[from+i] += w * s.frame[i]
			}
		}
	}
	// Hop is at most half a window, so every sample lies well inside some window and no weight is near zero.
	for i, v := range sum {
		dst[i] = float32(v / weight[i])
	}
	return dst
}
