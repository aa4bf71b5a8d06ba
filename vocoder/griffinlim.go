package vocoder

import (
	"fmt"
	"math"
	"slices"

	"github.com/starvc/vc/features"
)

// GriffinLim reconstructs whole recordings by the fast Griffin-Lim algorithm (Perraudin, Balazs and Søndergaard, "A
// fast Griffin-Lim algorithm", 2013, with alpha 0.99). It needs no random numbers: the same frames give the same
// samples. It must not be used by two goroutines at once.
type GriffinLim struct {
	cfg        features.Config
	stft       *features.STFT
	mel        *melInverse
	iterations int
	weightMin  float64

	// One block of frames, from half a window before the first centre to half a window behind the last.
	magnitude []float64    // [frames*Bins]
	spec      []complex128 // [frames*Bins] wanted magnitudes, present phases
	rebuilt   []complex128 // [frames*Bins] spectrogram of the signal one iteration ago
	signal    []float64    // [(frames-1)*Hop+WinLength]
	weight    []float64    // as signal: the sum of squared windows
	frame     []float64    // [WinLength]
	bins      []complex128 // [Bins]
	own       []float64    // [Bins] magnitudes of the signal that is refined
}

// momentum is alpha of the paper.
const momentum = 0.99

// Long recordings are reconstructed in blocks, so that memory does not grow with them. A block begins with
// contextFrames of the block before, which are done and stay as they are, and its last contextFrames are done again by
// the block behind, since they could not know what follows.
const (
	blockFrames   = 1500
	contextFrames = 16
)

// weightFloor is the least sum of squared windows, as a part of its mean, by which overlap-added samples are divided.
// Only the last few milliseconds, which the last frame alone sees at its rim, come below it, and fade out.
const weightFloor = 0.5

// NewGriffinLim makes a GriffinLim for cfg that goes back and forth that many times: 32 are fair, beyond 60 little is
// gained. It is an error if cfg is not valid or iterations is negative.
func NewGriffinLim(cfg features.Config, iterations int) (*GriffinLim, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("vocoder: %w", err)
	}
	if iterations < 0 {
		return nil, fmt.Errorf("vocoder: Griffin-Lim with %d iterations, want 0 or more", iterations)
	}
	stft := features.NewSTFT(cfg)
	mel, err := newMelInverse(cfg, stft.Window())
	if err != nil {
		return nil, err
	}
	return &GriffinLim{
		cfg: cfg, stft: stft, mel: mel, iterations: iterations, weightMin: leastWeight(stft.Window(), cfg.Hop),
		frame: make([]float64, cfg.WinLength), bins: make([]complex128, cfg.Bins()), own: make([]float64, cfg.Bins()),
	}, nil
}

// leastWeight is weightFloor of the mean over time of the sum of squared windows.
func leastWeight(window []float64, hop int) float64 {
	var sum float64
	for _, w := range window {
		sum += w * w
	}
	return weightFloor * sum / float64(hop)
}

// Synthesize is the signal of exactly that many samples whose normalised log-mel frames come near to logMel,
// [frames*NMels], frame-major. Frames beyond NumFrames(samples) are ignored and missing ones count as silence.
// Samples are in [-1, 1]. It panics if logMel is no whole number of frames or samples is negative.
func (g *GriffinLim) Synthesize(logMel []float32, samples int) []float32 {
	return g.synthesize(logMel, samples, nil)
}

// Refine is Synthesize with start, which another vocoder has made of the same frames, for a beginning: the phases are taken
// from it, and so is half of how the magnitudes lie within a mel band, in nepers. A network that was told F0 knows of both
// what the frames do not say. The frames must be those of a recording: where they contradict F0, as those that a
// network has made do, the pitch is lost. The result is as long as start.
func (g *GriffinLim) Refine(logMel, start []float32) []float32 {
	return g.synthesize(logMel, len(start), start)
}

// synthesize is Refine, or Synthesize if start is nil.
func (g *GriffinLim) synthesize(logMel []float32, samples int, start []float32) []float32 {
	nMels, bins := g.cfg.NMels, g.cfg.Bins()
	if len(logMel)%nMels != 0 {
		panic(fmt.Sprintf("vocoder: log-mel of %d values, want whole frames of %d bands", len(logMel), nMels))
	}
	if samples < 0 {
		panic(fmt.Sprintf("vocoder: %d samples, want 0 or more", samples))
	}
	frames := g.cfg.NumFrames(samples)
	sum := make([]float64, samples)
	weight := make([]float64, samples)
	for done := 0; done < frames; {
		fixed := min(done, contextFrames) // their spectra stand at the beginning of spec
		first := done - fixed
		n := min(frames-first, blockFrames)
		g.resize(n)
		clear(g.bins) // silence before the recording
		last := g.bins
		for t := fixed; t < n; t++ {
			magnitude, spec := g.magnitude[t*bins:(t+1)*bins], g.spec[t*bins:(t+1)*bins]
			if end := (first + t + 1) * nMels; end <= len(logMel) {
				g.mel.magnitudes(magnitude, logMel[end-nMels:end])
			} else {
				clear(magnitude)
			}
			if start != nil {
				g.follow(magnitude, spec, start, (first+t)*g.cfg.Hop-g.cfg.WinLength/2)
				continue
			}
			if t > 0 {
				last = g.spec[(t-1)*bins : t*bins]
			}
			propagate(spec, magnitude, last, g.cfg.Hop, g.cfg.NFFT)
		}
		g.reconstruct(first, fixed, n, samples)

		keep := n
		if first+n < frames {
			keep = n - contextFrames
		}
		for t := fixed; t < keep; t++ {
			g.stft.Inverse(g.frame, g.spec[t*bins:(t+1)*bins])
			g.add(sum, weight, (first+t)*g.cfg.Hop-g.cfg.WinLength/2)
		}
		copy(g.spec, g.spec[max(0, keep-contextFrames)*bins:keep*bins])
		done = first + keep
	}
	x := make([]float32, samples)
	for i, v := range sum {
		x[i] = float32(min(max(v/max(weight[i], g.weightMin), -1), 1))
	}
	return x
}

// leastOwn keeps a bin in which the given signal has nothing, as a part of the magnitude that the frame alone gives it.
const leastOwn = 1e-3

// follow makes magnitude, [Bins], which the mel inverse has found for a frame, follow that of the frame of start whose first
// sample is from, and writes it with that frame's phases to spec, [Bins].
func (g *GriffinLim) follow(magnitude []float64, spec []complex128, start []float32, from int) {
	clear(g.frame)
	for i := max(0, -from); i < min(len(g.frame), len(start)-from); i++ {
		g.frame[i] = float64(start[from+i])
	}
	g.stft.Forward(spec, g.frame)
	for k, c := range spec {
		g.own[k] = max(math.Hypot(real(c), imag(c)), leastOwn*magnitude[k])
	}
	g.mel.fit(g.own)
	for k, v := range g.own {
		magnitude[k] = math.Sqrt(magnitude[k] * v)
	}
	impose(spec, magnitude, spec)
}

// resize makes the block's slices fit n frames and keeps the context in spec.
func (g *GriffinLim) resize(n int) {
	total, length := n*g.cfg.Bins(), (n-1)*g.cfg.Hop+g.cfg.WinLength
	g.magnitude = slices.Grow(g.magnitude[:0], total)[:total]
	g.spec = slices.Grow(g.spec, max(0, total-len(g.spec)))[:total]
	g.rebuilt = slices.Grow(g.rebuilt[:0], total)[:total]
	g.signal = slices.Grow(g.signal[:0], length)[:length]
	g.weight = slices.Grow(g.weight[:0], length)[:length]
}

// add overlap-adds the frame in g.frame, whose first sample lies at from, to sum, and its squared window to weight.
func (g *GriffinLim) add(sum, weight []float64, from int) {
	for i := max(0, -from); i < min(len(g.frame), len(sum)-from); i++ {
		w := g.stft.Window()[i]
		sum[from+i] += w * g.frame[i]
		weight[from+i] += w * w
	}
}

// reconstruct betters the phases of frames fixed to n of the block, whose frame 0 is frame first of a recording of that
// many samples.
func (g *GriffinLim) reconstruct(first, fixed, n, samples int) {
	bins, hop := g.cfg.Bins(), g.cfg.Hop
	row := func(s []complex128, t int) []complex128 { return s[t*bins : (t+1)*bins] }

	clear(g.rebuilt)
	start := first*hop - g.cfg.WinLength/2 // where the block begins in the recording
	for range g.iterations {
		// The signal nearest to the spectrogram, nothing outside the recording.
		clear(g.signal)
		clear(g.weight)
		for t := range n {
			g.stft.Inverse(g.frame, row(g.spec, t))
			g.add(g.signal, g.weight, t*hop)
		}
		for i, w := range g.weight {
			if at := start + i; at < 0 || at >= samples {
				g.signal[i] = 0
			} else {
				g.signal[i] /= max(w, g.weightMin)
			}
		}
		// The wanted magnitudes, with the phases of that signal's spectrogram, carried on in the direction in which
		// it moved.
		for t := fixed; t < n; t++ {
			g.stft.Forward(g.bins, g.signal[t*hop:t*hop+g.cfg.WinLength])
			spec, rebuilt := row(g.spec, t), row(g.rebuilt, t)
			for k, c := range g.bins {
				spec[k] = c - momentum/(1+momentum)*rebuilt[k]
				rebuilt[k] = c
			}
			impose(spec, g.magnitude[t*bins:(t+1)*bins], spec)
		}
	}
}
