package vocoder

import (
	"fmt"
	"math"

	"github.com/starvc/vc/features"
)

// SourceFilter makes a voice of log-mel frames and the F0 that is wanted of it, which the other vocoders of this package
// have to guess from the frames. It is the source-filter model of speech (Fant, "Acoustic theory of speech production",
// 1960), frame by frame in the frequency domain: an excitation, whose pulses come at F0 in voiced frames and which is
// noise elsewhere, has its spectrum flattened and filled again band by band, so that its mel bands come out as wanted.
// So the output has the given pitch, whatever the fine structure of the log-mel says; frames that a network has made
// say little about it, since their bands hardly resolve the harmonics of a voice.
//
// It needs no look-ahead, and only the frames matter, not how Process is called: any chunking gives the same bits. It
// must not be used by two goroutines at once.
type SourceFilter struct {
	cfg    features.Config
	source *excitation
	filter *bandFilter
	sum    overlapAdd
	polish polisher
	out    []float64 // [Hop] scratch: what the last stage has settled

	steps   int // frames received, and silence in their place while flushing
	frames  int // frames received
	samples int // samples given out
}

// Refinements of a new frame against those before it, as in RTISI. Voiced frames get fewer: forcing the magnitudes upon
// frames that overlap costs some of the pitch where the log-mel does not agree with F0.
const (
	voicedRefinements   = 2
	unvoicedRefinements = 4
)

// NewSourceFilter makes a SourceFilter at the beginning of a stream. The noise depends on nothing but seed. It is an
// error if cfg is not valid.
func NewSourceFilter(cfg features.Config, seed uint64) (*SourceFilter, error) {
	return NewPolishedSourceFilter(cfg, seed, 0)
}

// NewPolishedSourceFilter is NewSourceFilter with so many passes more over the result, each of which measures the mel
// bands again and brings them nearer to the wanted ones; every pass adds to Latency. Three are good for recordings,
// beyond that little is gained. It is an error if passes is negative or absurd.
func NewPolishedSourceFilter(cfg features.Config, seed uint64, passes int) (*SourceFilter, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("vocoder: %w", err)
	}
	filter, err := newBandFilter(cfg)
	if err != nil {
		return nil, err
	}
	s := &SourceFilter{
		cfg: cfg, filter: filter, source: newExcitation(cfg, filter.stft, seed), sum: newOverlapAdd(cfg, filter.stft.Window()),
		out: make([]float64, cfg.Hop),
	}
	if s.polish, err = newPolisher(cfg, filter, passes); err != nil {
		return nil, err
	}
	s.Reset()
	return s, nil
}

// Latency is how many samples the output lags behind the frames: after frame t, once the stream is under way, samples
// up to (t+1)*Hop-Latency have been given out. It is WinLength/2 and, for each pass, twice the hop at the usual settings.
func (s *SourceFilter) Latency() int { return s.polish.latency }

// Reset forgets the stream, for the next one, whose noise is the same again.
func (s *SourceFilter) Reset() {
	s.source.reset()
	s.sum.reset(s.cfg.WinLength / 2)
	s.polish.reset()
	s.steps, s.frames, s.samples = 0, 0, 0
}

// Process takes normalised log-mel frames, [frames*NMels], frame-major, and their F0 in Hz, [frames], 0 where there is
// no voice, and appends to dst the samples that they settle, Hop per frame once Latency has passed. Samples are in
// [-1, 1]. An F0 under 20 Hz or that is no number counts as unvoiced, one above a quarter of the sample rate as that.
// Nothing is allocated while dst has room. It panics if there are not as many F0s as frames.
func (s *SourceFilter) Process(dst, logMel, f0 []float32) []float32 {
	n := s.cfg.NMels
	if len(logMel) != len(f0)*n {
		panic(fmt.Sprintf("vocoder: log-mel of %d values for %d F0s, want %d bands each", len(logMel), len(f0), n))
	}
	for t, hz := range f0 {
		frame := s.polish.slot(s.steps)
		s.filter.mel.wanted(frame.mel, logMel[t*n:(t+1)*n])
		frame.f0 = plausibleF0(float64(hz), s.cfg)
		s.frames++
		s.voice(*frame)
		dst = s.step(dst)
	}
	return dst
}

// Flush appends the samples still waiting, up to frames*Hop in all, which is at least as many as any signal of that
// many frames has; cut off what is too much, or call FlushTo. Then the SourceFilter is as after Reset.
func (s *SourceFilter) Flush(dst []float32) []float32 { return s.FlushTo(dst, s.frames*s.cfg.Hop) }

// FlushTo is Flush for a stream of that many samples in all: silence is appended where the frames do not reach so far.
// It panics if more samples have been given out already, which cannot be while NumFrames(samples) is at least the
// number of frames.
func (s *SourceFilter) FlushTo(dst []float32, samples int) []float32 {
	if samples < s.samples {
		panic(fmt.Sprintf("vocoder: stream of %d samples, of which %d are given out already", samples, s.samples))
	}
	end := len(dst) + samples - s.samples
	for len(dst) < end && s.samples < s.frames*s.cfg.Hop {
		dst = s.step(dst)
	}
	for len(dst) < end {
		dst = append(dst, 0)
	}
	s.Reset()
	return dst[:end]
}

// The range of F0 that the excitation can have.
const minF0Hz = 20

func plausibleF0(hz float64, cfg features.Config) float64 {
	if !(hz >= minF0Hz) {
		return 0
	}
	return min(hz, float64(cfg.SampleRate)/4)
}

// voice adds one frame to the sum.
func (s *SourceFilter) voice(want wantedFrame) {
	spec := s.source.next(want.f0)
	s.sum.count()
	if !s.filter.shape(spec, want) {
		return // silence
	}
	refinements := unvoicedRefinements
	if want.f0 > 0 {
		refinements = voicedRefinements
	}
	stft, frame := s.filter.stft, s.sum.frame
	magnitude := s.filter.magnitudes(spec)
	stft.Inverse(frame, spec)
	for range refinements {
		s.sum.estimate(frame)
		stft.Forward(spec, frame)
		impose(spec, magnitude, spec)
		stft.Inverse(frame, spec)
	}
	s.sum.add(frame)
}

// step takes what the newest frame has settled through the passes and appends what comes out of the last.
func (s *SourceFilter) step(dst []float32) []float32 {
	s.steps++
	s.sum.advance(s.out)
	s.polish.run(s.out, s.steps, s.frames)
	for i := max(0, s.polish.latency-(s.steps-1)*s.cfg.Hop); i < len(s.out); i++ {
		dst = append(dst, float32(math.Min(math.Max(s.out[i], -1), 1)))
		s.samples++
	}
	return dst
}
