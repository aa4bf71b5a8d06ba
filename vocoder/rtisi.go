package vocoder

import (
	"fmt"

	"github.com/starvc/vc/features"
)

// RTISI reconstructs a stream, frame by frame: real-time iterative spectrogram inversion with look-ahead (Zhu,
// Beauregard and Wyse, "Real-time signal estimation from modified short-time Fourier transform magnitude spectra",
// 2007). A frame is given out once lookAhead more frames have come; until then it and they are refined together, so
// that they fit each other and what was given out already. Only the frames matter, not how Process is called: any
// chunking gives the same bits. It must not be used by two goroutines at once.
//
// A new frame begins with phases that continue the frame before it.
type RTISI struct {
	cfg        features.Config
	stft       *features.STFT
	mel        *melInverse
	lookAhead  int
	iterations int
	weightMin  float64

	waiting []waitingFrame // [lookAhead+1], the oldest first; the first count are in use
	count   int
	last    []complex128 // [Bins] spectrum of the newest frame, or zero before the first

	// Sums over the span from the first sample of the oldest waiting frame's window to the last of the newest's,
	// [lookAhead*Hop+WinLength].
	given  []float64 // frames given out, windowed and overlap-added
	weight []float64 // sum of squared windows, of frames given out and waiting
	signal []float64 // frames given out and waiting, windowed and overlap-added

	start   int // where the span begins in the signal; negative for the first frames
	frames  int // frames received
	samples int // samples given out

	frame []float64    // [WinLength] scratch
	bins  []complex128 // [Bins] scratch
}

// waitingFrame is a frame whose phases may still change.
type waitingFrame struct {
	magnitude []float64 // [Bins]
	samples   []float64 // [WinLength] inverse of magnitude with the present phases, not windowed
}

// NewRTISI makes an RTISI at the beginning of a stream, which refines every frame iterations times for each new frame,
// lookAhead+1 times in all. It is an error if cfg is not valid or a count is negative.
func NewRTISI(cfg features.Config, lookAhead, iterations int) (*RTISI, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("vocoder: %w", err)
	}
	if lookAhead < 0 || lookAhead > maxLookAhead {
		return nil, fmt.Errorf("vocoder: look-ahead of %d frames, want 0 to %d", lookAhead, maxLookAhead)
	}
	if iterations < 0 {
		return nil, fmt.Errorf("vocoder: RTISI with %d iterations, want 0 or more", iterations)
	}
	stft := features.NewSTFT(cfg)
	mel, err := newMelInverse(cfg, stft.Window())
	if err != nil {
		return nil, err
	}
	span, bins := lookAhead*cfg.Hop+cfg.WinLength, cfg.Bins()
	r := &RTISI{
		cfg: cfg, stft: stft, mel: mel, lookAhead: lookAhead, iterations: iterations,
		weightMin: leastWeight(stft.Window(), cfg.Hop),
		waiting:   make([]waitingFrame, lookAhead+1), last: make([]complex128, bins),
		given: make([]float64, span), weight: make([]float64, span), signal: make([]float64, span),
		frame: make([]float64, cfg.WinLength), bins: make([]complex128, bins),
	}
	for i := range r.waiting {
		r.waiting[i] = waitingFrame{make([]float64, bins), make([]float64, cfg.WinLength)}
	}
	r.Reset()
	return r, nil
}

// maxLookAhead is a second at the usual hop.
const maxLookAhead = 100

// Latency is how many samples the output lags behind the frames: after frame t, once the stream is under way, samples
// up to (t+1)*Hop-Latency have been given out. It is lookAhead*Hop + WinLength/2.
func (r *RTISI) Latency() int { return r.lookAhead*r.cfg.Hop + r.cfg.WinLength/2 }

// Reset forgets the stream, for the next one.
func (r *RTISI) Reset() {
	r.count, r.frames, r.samples = 0, 0, 0
	r.start = -r.cfg.WinLength / 2
	clear(r.last)
	clear(r.given)
	clear(r.weight)
}

// Process takes normalised log-mel frames, [frames*NMels], frame-major, and appends to dst the samples that they
// settle, Hop per frame once Latency has passed. Samples are in [-1, 1]. Nothing is allocated while dst has room. It
// panics if logMel is no whole number of frames.
func (r *RTISI) Process(dst []float32, logMel []float32) []float32 {
	n := r.cfg.NMels
	if len(logMel)%n != 0 {
		panic(fmt.Sprintf("vocoder: log-mel of %d values, want whole frames of %d bands", len(logMel), n))
	}
	for ; len(logMel) > 0; logMel = logMel[n:] {
		r.push(logMel[:n])
		r.refine()
		if r.count > r.lookAhead {
			dst = r.giveOut(dst)
		}
	}
	return dst
}

// Flush appends the samples still waiting, up to frames*Hop in all, which is at least as many as any signal of that
// many frames has; cut off what is too much, or call FlushTo. Then the RTISI is as after Reset.
func (r *RTISI) Flush(dst []float32) []float32 { return r.FlushTo(dst, r.frames*r.cfg.Hop) }

// FlushTo is Flush for a stream of that many samples in all: silence is appended where the frames do not reach so far.
// It panics if more samples have been given out already, which cannot be while NumFrames(samples) is at least the
// number of frames.
func (r *RTISI) FlushTo(dst []float32, samples int) []float32 {
	if samples < r.samples {
		panic(fmt.Sprintf("vocoder: stream of %d samples, of which %d are given out already", samples, r.samples))
	}
	end := len(dst) + samples - r.samples
	for r.count > 0 {
		r.refine()
		dst = r.giveOut(dst)
	}
	for len(dst) < end && r.start < r.frames*r.cfg.Hop {
		dst = r.advance(dst) // past the last frame's centre its own rim is what remains
	}
	for len(dst) < end {
		dst = append(dst, 0)
	}
	r.Reset()
	return dst[:end]
}

// push makes a new frame the newest waiting one.
func (r *RTISI) push(logMel []float32) {
	f := &r.waiting[r.count]
	r.mel.magnitudes(f.magnitude, logMel)
	propagate(r.last, f.magnitude, r.last, r.cfg.Hop, r.cfg.NFFT)
	r.stft.Inverse(f.samples, r.last)
	at := r.count * r.cfg.Hop
	for i, w := range r.stft.Window() {
		r.weight[at+i] += w * w
	}
	r.count++
	r.frames++
}

// refine goes through the waiting frames iterations times, the newest first, and gives each the phases that it has in
// the sum of all.
func (r *RTISI) refine() {
	hop, window := r.cfg.Hop, r.stft.Window()
	copy(r.signal, r.given)
	for j, f := range r.waiting[:r.count] {
		sum := r.signal[j*hop:][:len(window)]
		for i, w := range window {
			sum[i] += w * f.samples[i]
		}
	}
	for range r.iterations {
		for j := r.count - 1; j >= 0; j-- {
			f := &r.waiting[j]
			sum, weight := r.signal[j*hop:][:len(window)], r.weight[j*hop:][:len(window)]
			for i, v := range sum {
				if r.start+j*hop+i < 0 {
					v = 0 // nothing sounds before the beginning
				}
				r.frame[i] = v / max(weight[i], r.weightMin)
			}
			r.stft.Forward(r.bins, r.frame)
			impose(r.bins, f.magnitude, r.bins)
			r.stft.Inverse(r.frame, r.bins)
			for i, w := range window {
				sum[i] += w * (r.frame[i] - f.samples[i])
			}
			copy(f.samples, r.frame)
			if j == r.count-1 {
				copy(r.last, r.bins)
			}
		}
	}
}

// giveOut settles the oldest waiting frame and appends the samples that no other frame will touch.
func (r *RTISI) giveOut(dst []float32) []float32 {
	oldest := r.waiting[0]
	for i, w := range r.stft.Window() {
		r.given[i] += w * oldest.samples[i]
	}
	copy(r.waiting, r.waiting[1:r.count])
	r.count--
	r.waiting[r.count] = oldest
	return r.advance(dst)
}

// advance appends the first hop samples of the span, without those before the beginning of the signal, and moves it
// on by a hop.
func (r *RTISI) advance(dst []float32) []float32 {
	hop := r.cfg.Hop
	for i := max(0, -r.start); i < hop; i++ {
		v := r.given[i] / max(r.weight[i], r.weightMin)
		dst = append(dst, float32(min(max(v, -1), 1)))
		r.samples++
	}
	r.start += hop
	for _, s := range [][]float64{r.given, r.weight} {
		copy(s, s[hop:])
		clear(s[len(s)-hop:])
	}
	return dst
}
