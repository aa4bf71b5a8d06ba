package acoustics

import (
	"fmt"
	"math"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/simd"
)

// LogMel makes the log-mel of features.Extract, and it alone, in float32: within 1e-3 of it, several times faster. It
// holds scratch memory, so each goroutine needs its own.
type LogMel struct {
	cfg       features.Config
	fft       *simd.FFT
	window    []float32
	bands     []band
	frame     []float32
	re, im    []float32
	magnitude []float32
}

type band struct {
	first   int
	weights []float32
}

// NewLogMel plans for a configuration whose NFFT simd.CanFFT takes.
func NewLogMel(cfg features.Config) (*LogMel, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if n := cfg.NFFT; !simd.CanFFT(n) {
		return nil, fmt.Errorf("features: nFFT %d, want a power of two or three times one", n)
	}
	bank, err := features.NewMelBank(cfg)
	if err != nil {
		return nil, err
	}
	l := &LogMel{
		cfg: cfg, fft: simd.NewFFT(cfg.NFFT), frame: make([]float32, cfg.NFFT),
		re: make([]float32, cfg.Bins()), im: make([]float32, cfg.Bins()), magnitude: make([]float32, cfg.Bins()),
	}
	for _, w := range features.NewSTFT(cfg).Window() {
		l.window = append(l.window, float32(w))
	}
	dense := bank.Weights()
	for m := range cfg.NMels {
		row := dense[m*cfg.Bins() : (m+1)*cfg.Bins()]
		b := band{first: -1}
		for k, w := range row {
			if w == 0 {
				continue
			}
			if b.first < 0 {
				b.first = k
			}
			b.weights = append(b.weights, float32(w))
		}
		l.bands = append(l.bands, b)
	}
	return l, nil
}

// Fill writes the frames whose centres are at samples first, first+Hop, ... of x to dst, [frames, NMels]: as many as
// dst holds. Outside of x there is silence.
func (l *LogMel) Fill(dst, x []float32, first int) {
	m, offset := l.cfg.NMels, (l.cfg.NFFT-l.cfg.WinLength)/2
	for t := range len(dst) / m {
		from := first + t*l.cfg.Hop - l.cfg.WinLength/2
		inner := l.frame[offset : offset+l.cfg.WinLength]
		if from >= 0 && from+len(inner) <= len(x) {
			for i, v := range x[from : from+len(inner)] {
				inner[i] = v * l.window[i]
			}
		} else {
			for i := range inner {
				inner[i] = 0
				if k := from + i; k >= 0 && k < len(x) {
					inner[i] = x[k] * l.window[i]
				}
			}
		}
		l.fft.Forward(l.re, l.im, l.frame)
		for k, a := range l.re {
			b := l.im[k]
			l.magnitude[k] = float32(math.Sqrt(float64(a*a + b*b)))
		}
		for i, b := range l.bands {
			var sum float32
			for k, v := range l.magnitude[b.first:][:len(b.weights)] {
				sum += b.weights[k] * v
			}
			dst[t*m+i] = l.cfg.NormalizeMel(float64(sum))
		}
	}
}
