package vocoder

import (
	"fmt"
	"math"

	"github.com/starvc/vc/features"
)

// NetSource makes, frame by frame, what the neural vocoder begins with: the spectra of harmonics at F0 and of noise, both
// brought to the spectral envelope that the log-mel tells, and the numbers that the network reads. Training and conversion
// use this same code. It must not be used by two goroutines at once.
type NetSource struct {
	cfg    features.Config
	source *excitation
	mel    *melInverse
	flat   float64 // mean magnitude of a bin of white noise of unit variance

	envelope, magnitude, have []float64
	centre                    []float64 // [NMels] Hz
	envelopeOnly              bool
}

// NewNetSource makes a NetSource at the beginning of a stream. The noise depends on nothing but seed. It is an error if cfg
// is not valid.
func NewNetSource(cfg features.Config, seed uint64) (*NetSource, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("vocoder: %w", err)
	}
	stft := features.NewSTFT(cfg)
	mel, err := newMelInverse(cfg, stft.Window())
	if err != nil {
		return nil, err
	}
	var power float64
	for _, w := range stft.Window() {
		power += w * w
	}
	s := &NetSource{
		cfg: cfg, source: newExcitation(cfg, stft, seed), mel: mel, flat: math.Sqrt(power * math.Pi / 4), // Rayleigh's mean
		envelope: make([]float64, cfg.Bins()), magnitude: make([]float64, cfg.Bins()), have: make([]float64, cfg.NMels),
		centre: make([]float64, cfg.NMels),
	}
	mel.centres(s.centre)
	s.Reset()
	return s, nil
}

// Reset goes back to the first frame, whose noise is the same again.
func (s *NetSource) Reset() { s.source.reset() }

// Restart is Reset with another seed of the noise.
func (s *NetSource) Restart(seed uint64) {
	s.source.seed = seed
	s.source.reset()
}

// EnvelopeOnly makes Next take from the log-mel of voiced frames no more than the spectral envelope: bands are smoothed by F0 to
// either side. It is for frames that a network has made, whose fine structure tells little of the pitch and often another one
// than F0. Reset leaves it as it is.
func (s *NetSource) EnvelopeOnly(on bool) { s.envelopeOnly = on }

// Frame is what one frame of speech begins with.
type Frame struct {
	Input     []float32 // [3*NMels+PitchInputs] wanted log-mel, that of Harmonics, that of Noise, voiced flag, standardised log-F0
	Harmonics []float32 // [2*Bins] real parts, then imaginary ones; zero where there is no voice
	Noise     []float32 // [2*Bins]
}

// The standardisation of log-F0: all voices from low to high lie within about two of it.
const (
	pitchCentreHz = 160
	pitchSpread   = 0.4
)

// Next fills dst from one frame, logMel [NMels] normalised, and its F0 in Hz, 0 where there is no voice (as one under 20 Hz
// counts, and one that is no number). It reports whether there is any sound in the frame: if not, both spectra are zero.
// Nothing is allocated. steer, which may be nil, is given the phase of the fundamental at a voiced frame's centre, in turns,
// and returns the one to have: training follows a recording by it.
func (s *NetSource) Next(dst Frame, logMel []float32, f0 float32, steer func(turn float64) float64) bool {
	n, bins := s.cfg.NMels, s.cfg.Bins()
	if len(logMel) != n || len(dst.Input) != 3*n+PitchInputs || len(dst.Harmonics) != 2*bins || len(dst.Noise) != 2*bins {
		panic(fmt.Sprintf("vocoder: frame of %d bands, %d inputs, %d and %d spectral parts, want %d, %d, %d", len(logMel), len(dst.Input),
			len(dst.Harmonics), len(dst.Noise), n, 3*n+PitchInputs, 2*bins))
	}
	hz := plausibleF0(float64(f0), s.cfg)
	pulses, noise := s.source.parts(hz, steer)
	s.mel.wanted(s.mel.mel, logMel)
	if s.envelopeOnly && hz > 0 {
		smoothBands(s.have, s.mel.mel, s.centre, hz)
		copy(s.mel.mel, s.have)
	}
	sound := false
	for m, v := range s.mel.mel {
		dst.Input[m] = s.cfg.NormalizeMel(v)
		sound = sound || v > 0
	}
	s.mel.envelope(s.envelope, s.flat)
	s.part(dst.Harmonics, dst.Input[n:2*n], pulses)
	s.part(dst.Noise, dst.Input[2*n:3*n], noise)
	dst.Input[3*n], dst.Input[3*n+1] = 0, 0
	if hz > 0 {
		dst.Input[3*n], dst.Input[3*n+1] = 1, float32(math.Log(hz/pitchCentreHz)/pitchSpread)
	}
	return sound
}

// part writes spec under the envelope to dst and its log-mel to logMel; a nil spec is silence.
func (s *NetSource) part(dst, logMel []float32, spec []complex128) {
	bins := s.cfg.Bins()
	if spec == nil {
		clear(dst)
		floor := s.cfg.NormalizeMel(0)
		for m := range logMel {
			logMel[m] = floor
		}
		return
	}
	for k, c := range spec {
		re, im := real(c)*s.envelope[k], imag(c)*s.envelope[k]
		dst[k], dst[bins+k] = float32(re), float32(im)
		s.magnitude[k] = math.Sqrt(re*re + im*im)
	}
	for m, b := range s.mel.bands {
		var sum float64
		mags := s.magnitude[b.first:][:len(b.weights)]
		for i, w := range b.weights {
			sum += w * mags[i]
		}
		logMel[m] = s.cfg.NormalizeMel(sum)
	}
}
