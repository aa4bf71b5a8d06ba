package vocoder

import (
	"fmt"

	"github.com/starvc/vc/internal/nn"
	"github.com/starvc/vc/internal/simd"
)

// Neural is one stream through a Net: log-mel frames and F0 in, sound out. For each frame NetSource makes the spectra of
// harmonics at F0 and of noise, the network gives each bin of either a gain and a phase, and their sum goes back through
// the inverse Fourier transform. So the pitch is the given one, as with SourceFilter, and what SourceFilter has rules for
// is learnt: how the harmonics lie to each other, and which part of a voice is breath.
//
// It needs no look-ahead, and only the frames matter, not how Process is called: any chunking gives the same bits. It
// must not be used by two goroutines at once; NewStream gives each its own.
type Neural struct {
	net    *Net
	source *NetSource
	state  netState
	fft    *simd.FFT
	sum    overlapAdd

	in, out          []float32 // [neuralBlock, Inputs], [neuralBlock, Outputs]
	harmonics, noise []float32 // [neuralBlock, 2*Bins]
	sounds           []bool    // [neuralBlock]
	re, im           []float32 // [Bins]
	sin, cos         []float32 // [Bins] scratch
	points           []float32 // [NFFT]
	settled          []float64 // [Hop] what the newest frame has settled
	polish           polisher

	steps   int // frames received, and silence in their place while flushing
	frames  int // frames received
	samples int // samples given out
}

// neuralBlock is how many frames go through the network at once. More would not use the weights better, and the
// activations would no longer fit in the cache. The output does not depend on it.
const neuralBlock = 32

// NewStream makes a stream over the weights. The noise in the voice depends on nothing but seed.
func (n *Net) NewStream(seed uint64) *Neural {
	s, err := n.NewPolishedStream(seed, 0)
	if err != nil {
		panic(err) // NewNet has tried
	}
	return s
}

// NewPolishedStream is NewStream with so many passes more over the result, as those of NewPolishedSourceFilter. It is an
// error if passes is negative or absurd.
func (n *Net) NewPolishedStream(seed uint64, passes int) (*Neural, error) {
	source, err := NewNetSource(n.cfg.Features, seed)
	if err != nil {
		return nil, err
	}
	var filter *bandFilter // tables that only passes need
	if passes > 0 {
		if filter, err = newBandFilter(n.cfg.Features); err != nil {
			return nil, err
		}
	}
	cfg := n.cfg.Features
	bins := cfg.Bins()
	s := &Neural{
		net: n, source: source, fft: simd.NewFFT(cfg.NFFT), sum: newOverlapAdd(cfg, source.source.stft.Window()),
		sounds: make([]bool, neuralBlock), settled: make([]float64, cfg.Hop),
	}
	if s.polish, err = newPolisher(cfg, filter, passes); err != nil {
		return nil, err
	}
	nn.NewArena(func(a *nn.Arena) {
		s.state = n.newState(a, neuralBlock)
		s.in, s.out = a.Take(neuralBlock*n.cfg.Inputs()), a.Take(neuralBlock*n.cfg.Outputs())
		s.harmonics, s.noise = a.Take(neuralBlock*2*bins), a.Take(neuralBlock*2*bins)
		s.re, s.im, s.sin, s.cos = a.Take(bins), a.Take(bins), a.Take(bins), a.Take(bins)
		s.points = a.Take(cfg.NFFT)
	})
	s.Reset()
	return s, nil
}

// EnvelopeOnly is NetSource.EnvelopeOnly, to be set before the first frame. Reset leaves it as it is.
func (s *Neural) EnvelopeOnly(on bool) { s.source.EnvelopeOnly(on) }

// Latency is how many samples the output lags behind the frames: after frame t, once the stream is under way, samples up
// to (t+1)*Hop-Latency have been given out. It is WinLength/2 and, for each pass, twice the hop at the usual settings.
func (s *Neural) Latency() int { return s.polish.latency }

// Reset forgets the stream, for the next one, whose noise is the same again.
func (s *Neural) Reset() {
	s.source.Reset()
	s.state.reset()
	s.sum.reset(s.net.cfg.Features.WinLength / 2)
	s.polish.reset()
	s.steps, s.frames, s.samples = 0, 0, 0
}

// Process takes normalised log-mel frames, [frames*NMels], frame-major, and their F0 in Hz, [frames], 0 where there is
// no voice, and appends to dst the samples that they settle, Hop per frame once Latency has passed. Samples are in
// [-1, 1]. An F0 under 20 Hz or that is no number counts as unvoiced, one above a quarter of the sample rate as that; a
// log-mel that is no number counts as silence. Many frames in one call take less time than as many calls. Nothing is
// allocated while dst has room. It panics if there are not as many F0s as frames.
func (s *Neural) Process(dst, logMel, f0 []float32) []float32 {
	n := s.net.cfg.Features.NMels
	if len(logMel) != len(f0)*n {
		panic(fmt.Sprintf("vocoder: log-mel of %d values for %d F0s, want %d bands each", len(logMel), len(f0), n))
	}
	for len(f0) > 0 {
		frames := min(len(f0), neuralBlock)
		dst = s.block(dst, logMel[:frames*n], f0[:frames])
		logMel, f0 = logMel[frames*n:], f0[frames:]
	}
	return dst
}

// Flush appends the samples still waiting, up to frames*Hop in all, which is at least as many as any signal of that
// many frames has; cut off what is too much, or call FlushTo. Then the stream is as after Reset.
func (s *Neural) Flush(dst []float32) []float32 {
	return s.FlushTo(dst, s.frames*s.net.cfg.Features.Hop)
}

// FlushTo is Flush for a stream of that many samples in all: silence is appended where the frames do not reach so far.
// It panics if more samples have been given out already, which cannot be while NumFrames(samples) is at least the
// number of frames.
func (s *Neural) FlushTo(dst []float32, samples int) []float32 {
	if samples < s.samples {
		panic(fmt.Sprintf("vocoder: stream of %d samples, of which %d are given out already", samples, s.samples))
	}
	end := len(dst) + samples - s.samples
	for len(dst) < end && s.samples < s.frames*s.net.cfg.Features.Hop {
		dst = s.step(dst)
	}
	for len(dst) < end {
		dst = append(dst, 0)
	}
	s.Reset()
	return dst[:end]
}

// block takes up to neuralBlock frames through all of it.
func (s *Neural) block(dst, logMel, f0 []float32) []float32 {
	c := s.net.cfg
	mels, inputs, outputs, parts := c.Features.NMels, c.Inputs(), c.Outputs(), 2*c.Features.Bins()
	for t, hz := range f0 {
		s.sounds[t] = s.source.Next(Frame{
			Input:     s.in[t*inputs : (t+1)*inputs],
			Harmonics: s.harmonics[t*parts : (t+1)*parts],
			Noise:     s.noise[t*parts : (t+1)*parts],
		}, logMel[t*mels:(t+1)*mels], hz, nil)
	}
	s.net.forward(s.out, s.in, len(f0), &s.state)
	for t, hz := range f0 {
		if len(s.polish.passes) > 0 {
			want := s.polish.slot(s.steps)
			s.source.mel.wanted(want.mel, logMel[t*mels:(t+1)*mels])
			want.f0 = plausibleF0(float64(hz), c.Features)
		}
		s.frames++
		s.sum.count()
		if s.sounds[t] {
			s.voice(s.out[t*outputs:(t+1)*outputs], s.harmonics[t*parts:(t+1)*parts], s.noise[t*parts:(t+1)*parts])
		}
		dst = s.step(dst)
	}
	return dst
}

// voice adds one frame to the sum. out, [Outputs], is used up.
func (s *Neural) voice(out, harmonics, noise []float32) {
	cfg := s.net.cfg.Features
	bins := cfg.Bins()
	clear(s.re)
	clear(s.im)
	s.filter(out[:bins], out[bins:2*bins], harmonics)
	s.filter(out[2*bins:3*bins], out[3*bins:], noise)
	// A constant offset and the highest frequency are no part of a voice, and have no phase.
	s.re[0], s.im[0], s.re[bins-1], s.im[bins-1] = 0, 0, 0, 0
	s.fft.Inverse(s.points, s.re, s.im)
	frame := s.sum.frame
	for i, v := range s.points[(cfg.NFFT-cfg.WinLength)/2:][:len(frame)] {
		frame[i] = float64(v)
	}
	s.sum.add(frame)
}

// filter adds spec, [2*Bins], under the gains and phases that the network gave to the frame's spectrum. gain, [Bins], is
// used up.
func (s *Neural) filter(gain, phase, spec []float32) {
	for k, g := range gain {
		gain[k] = g * (1. / MaxLogGain)
	}
	simd.Tanh(gain)
	for k, g := range gain {
		gain[k] = g * MaxLogGain
	}
	simd.Exp(gain)
	simd.SinCos(s.sin, s.cos, phase)
	bins := len(gain)
	re, im := spec[:bins], spec[bins:][:bins]
	sin, cos, toRe, toIm := s.sin[:bins], s.cos[:bins], s.re[:bins], s.im[:bins]
	for k, g := range gain {
		c, d := g*cos[k], g*sin[k]
		toRe[k] += float32(re[k]*c) - float32(im[k]*d)
		toIm[k] += float32(re[k]*d) + float32(im[k]*c)
	}
}

// step appends what the newest frame has settled.
func (s *Neural) step(dst []float32) []float32 {
	s.steps++
	s.sum.advance(s.settled)
	s.polish.run(s.settled, s.steps, s.frames)
	for i := max(0, s.Latency()-(s.steps-1)*len(s.settled)); i < len(s.settled); i++ {
		dst = append(dst, fullScale(s.settled[i]))
		s.samples++
	}
	return dst
}

// fullScale limits a sample to [-1, 1]. What is no number, which only weights far from any that training makes can give, is
// silence.
func fullScale(v float64) float32 {
	if v != v {
		return 0
	}
	return float32(min(max(v, -1), 1))
}
