package vc

import (
	"fmt"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/synth"
	"github.com/starvc/vc/mark"
)

// StreamOptions sizes a Stream. Model.StreamOptions gives good ones.
type StreamOptions struct {
	InputRate, OutputRate int // Hz

	// LookAhead is how many frames of 10 ms the generator waits for, 0 to 4 in the models of the usual sizes: 0 for the least
	// delay, 1 as StreamOptions gives it; beyond, words gain little.
	LookAhead int
	// VocoderPasses is how often the vocoder goes over its result: 0 in streams, or 1 for a little quality at 20 ms more delay.
	VocoderPasses int

	Vocoder          Vocoder // one of LiveVocoders; "" means as in Options
	PitchSemitones   float64 // added to the voice's pitch, within MaxPitchSemitones
	FormantSemitones float64 // added to the voice's formants, within MaxFormantSemitones
	Strength         float64 // how strongly the voice is put on, see Model.Strengthen; 0 means 1
	Melody           Melody  // "" means Fit
	Source           Source  // what is known of the voice that comes in; the zero value is nothing
	FadeFrames       int     // frames over which SetVoice, SetFormant and SetStrength move to another voice
}

// StreamOptions is for live use of m: sound at one rate in and out, in Hz, a look-ahead of 10 ms.
func (m *Model) StreamOptions(rate int) StreamOptions {
	return StreamOptions{
		InputRate: rate, OutputRate: rate, LookAhead: min(1, m.networks.Config.StemFuture), FadeFrames: 8,
	}
}

// Stream converts sound that arrives piece by piece. What comes out does not depend on how the input is cut. It
// allocates nothing once under way. It must not be used by two goroutines at once.
type Stream struct {
	model *Model
	cfg   features.Config
	o     StreamOptions

	in, out   *audio.Resampler
	level     *audio.Leveler
	extractor *features.Extractor
	gen       *gan.Generator
	vocoder   synth.FrameVocoder

	pitch  gan.PitchMap
	source features.RunningPitch

	voice   Voice
	formant *formantWarp
	sharp   *sharpener
	mark    *mark.Writer

	quiet      float32   // normalised log-mel of silence
	silent     []bool    // of the frames inside the generator, the oldest first
	f0         []float32 // likewise: Hz, as the vocoder shall have it
	received   int64
	resampled  int64
	given      int64
	badNumbers bool

	x        []float32 // resampled input
	frames   features.Frames
	controls []float32
	logMel   []float32
	y        []float32
}

// streamBlock is how many input samples are taken at once, so that buffers do not grow with the caller's chunks.
const streamBlock = 4096

// NewStream makes a stream into voice v. It is an error if v is of another model, if an option is out of range, or if there are no
// weights for the vocoder that is asked for. All memory is taken here.
func (m *Model) NewStream(v Voice, o StreamOptions) (*Stream, error) {
	if err := checkPitch(o.PitchSemitones); err != nil {
		return nil, err
	}
	if err := checkFormant(o.FormantSemitones); err != nil {
		return nil, err
	}
	if err := checkStrength(o.Strength); err != nil {
		return nil, err
	}
	if err := o.Melody.check(); err != nil {
		return nil, err
	}
	if o.FadeFrames < 0 {
		return nil, fmt.Errorf("stream: fade of %d frames, want 0 or more", o.FadeFrames)
	}
	if err := o.Vocoder.check(LiveVocoders()); err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	if err := v.check(m.networks); err != nil {
		return nil, err
	}
	cfg := m.Features()
	name, net, err := synth.Choose(synth.Vocoder(o.Vocoder), cfg, m.net)
	if err != nil {
		return nil, err
	}
	s := &Stream{model: m, cfg: cfg, o: o, quiet: silentMel(cfg)}
	if s.in, err = audio.NewLiveResampler(o.InputRate, cfg.SampleRate); err != nil {
		return nil, fmt.Errorf("stream: input: %w", err)
	}
	if s.out, err = audio.NewLiveResampler(cfg.SampleRate, o.OutputRate); err != nil {
		return nil, fmt.Errorf("stream: output: %w", err)
	}
	if s.level, err = audio.NewLeveler(cfg.SampleRate); err != nil {
		return nil, err
	}
	if s.extractor, err = features.NewExtractor(cfg); err != nil {
		return nil, err
	}
	if s.gen, err = gan.NewGenerator(m.networks, o.LookAhead); err != nil {
		return nil, err
	}
	if s.vocoder, err = synth.NewLive(cfg, name, net, o.VocoderPasses); err != nil {
		return nil, err
	}
	s.pitch.Semitones = o.PitchSemitones
	s.pitch.Target = v.LogF0
	s.pitch.KeepIntervals = o.Melody == Keep
	o.Source.start(&s.source)
	s.source.Expect(v.LogF0.Std)
	s.voice = v
	s.gen.SetStyle(m.Strengthen(v, o.Strength).Style)
	s.formant = newFormantWarp(cfg, v.Formant+o.FormantSemitones)
	s.sharp = newSharpener(cfg)
	s.mark = m.newMark(v)

	block := int(int64(streamBlock)*int64(cfg.SampleRate)/int64(o.InputRate)) + s.in.Latency() + 2
	count := block/cfg.Hop + o.LookAhead + 4
	s.x = make([]float32, 0, block)
	s.level.Grow(block + cfg.WinLength + (o.LookAhead+1)*cfg.Hop + s.vocoder.Latency())
	s.silent = make([]bool, 0, count+o.LookAhead)
	s.frames.NMels = cfg.NMels
	s.frames.Grow(count)
	s.f0 = make([]float32, 0, count+o.LookAhead)
	s.controls = make([]float32, 0, count*gan.Controls)
	s.logMel = make([]float32, 0, count*cfg.NMels)
	s.y = make([]float32, 0, count*cfg.Hop+cfg.WinLength+s.vocoder.Latency())
	return s, nil
}

// Latency is by how much the output lags, in output samples: when input worth n output samples has been given, at
// least n-Latency() have come out. It is half of the analysis window, the look-ahead of the generator, what the vocoder
// waits for, half of its window at least, and the resamplers' filters. A caller who gives longer pieces than a sample
// waits for those besides: Delay.
func (s *Stream) Latency() int {
	model := s.cfg.WinLength/2 + s.o.LookAhead*s.cfg.Hop + s.vocoder.Latency() + s.in.Latency()
	rate, out := int64(s.cfg.SampleRate), int64(s.o.OutputRate)
	return int((int64(model)*out+rate-1)/rate) + s.out.Latency()
}

// SetVoice changes to another voice by cross-fading styles, without a click. A voice of another model is an error and changes
// nothing.
func (s *Stream) SetVoice(v Voice) error {
	if err := v.check(s.model.networks); err != nil {
		return err
	}
	s.pitch.Target = v.LogF0
	s.source.Expect(v.LogF0.Std)
	s.voice = v
	s.mark.Set(s.model.markOf(v))
	s.gen.FadeStyle(s.model.Strengthen(v, s.o.Strength).Style, s.o.FadeFrames)
	s.formant.moveTo(v.Formant+s.o.FormantSemitones, s.o.FadeFrames)
	return nil
}

// SetPitch changes the pitch shift.
func (s *Stream) SetPitch(semitones float64) error {
	if err := checkPitch(semitones); err != nil {
		return err
	}
	s.pitch.Semitones = semitones
	return nil
}

// SetMelody changes what becomes of the source's intervals.
func (s *Stream) SetMelody(m Melody) error {
	if err := m.check(); err != nil {
		return err
	}
	s.pitch.KeepIntervals = m == Keep
	return nil
}

// Heard is what was learnt of the voice that comes in, since the beginning or the last Reset or Flush.
func (s *Stream) Heard() Source { return heardSource(&s.source) }

// SetFormant changes the shift of the formants, as softly as SetVoice changes the voice.
func (s *Stream) SetFormant(semitones float64) error {
	if err := checkFormant(semitones); err != nil {
		return err
	}
	if semitones != s.o.FormantSemitones {
		s.o.FormantSemitones = semitones
		s.formant.moveTo(s.voice.Formant+semitones, s.o.FadeFrames)
	}
	return nil
}

// SetStrength changes how strongly the voice is put on, as softly as SetVoice changes the voice.
func (s *Stream) SetStrength(strength float64) error {
	if err := checkStrength(strength); err != nil {
		return err
	}
	if strength != s.o.Strength {
		s.o.Strength = strength
		s.gen.FadeStyle(s.model.Strengthen(s.voice, strength).Style, s.o.FadeFrames)
	}
	return nil
}

// Process takes samples at the input rate, finite and in [-1, 1], any number of them, and appends to dst those at the output rate
// that are now complete. x is not changed or kept, and dst must not overlap it. Nothing is allocated while dst has room: len(x)
// samples at the output rate, and 20 ms more.
func (s *Stream) Process(dst, x []float32) []float32 {
	s.received += int64(len(x))
	for len(x) > 0 {
		n := min(len(x), streamBlock)
		s.x = s.in.Process(s.x[:0], x[:n])
		x = x[n:]
		dst = s.run(dst, false)
	}
	return dst
}

// Flush appends what is still inside, so that there are as many samples as were given, at the output rate, to the
// nearest one. The stream is then as after Reset.
func (s *Stream) Flush(dst []float32) []float32 {
	s.x = s.in.Flush(s.x[:0])
	dst = s.run(dst, true)
	total := (s.received*int64(s.o.OutputRate)*2 + int64(s.o.InputRate)) / (2 * int64(s.o.InputRate))
	// Rounding twice, to the model's rate and from it, may be off by a sample.
	for ; s.given < total; s.given++ {
		dst = append(dst, 0)
	}
	if over := int(s.given - total); over > 0 {
		dst = dst[:len(dst)-min(over, len(dst))]
	}
	s.Reset()
	return dst
}

// Reset forgets the sound and what was learnt of the source's level and pitch, but not what was known before. Voice, pitch
// and formant settings stay.
func (s *Stream) Reset() {
	s.in.Reset()
	s.out.Reset()
	s.level.Reset()
	s.extractor.Reset()
	s.gen.Reset()
	s.vocoder.Reset()
	s.source.Reset()
	s.formant.settle()
	s.mark.Reset()
	s.silent, s.f0 = s.silent[:0], s.f0[:0]
	s.received, s.resampled, s.given = 0, 0, 0
}

// Healthy is false once the model has given values that are not numbers; they went out as silence.
func (s *Stream) Healthy() bool { return !s.badNumbers }

// run takes the samples in s.x, at the model's rate, all the way to dst.
func (s *Stream) run(dst []float32, last bool) []float32 {
	s.resampled += int64(len(s.x))
	s.level.Process(s.x)
	s.frames.Clear()
	s.extractor.Process(&s.frames, s.x)
	if last {
		s.extractor.Flush(&s.frames)
	}
	inside := len(s.f0)
	for _, hz := range s.frames.F0 {
		s.source.Add(hz)
		s.pitch.Source = s.source.Pitch()
		s.f0 = append(s.f0, s.pitch.Hz(hz))
	}
	s.controls = gan.AppendControls(s.controls[:0], s.f0[inside:], s.frames.LogEnergy)

	for _, e := range s.frames.LogEnergy {
		s.silent = append(s.silent, e < silenceLogEnergy)
	}
	s.y = s.y[:0]
	s.logMel = s.gen.Process(s.logMel[:0], s.frames.LogMel, s.controls)
	s.sound()
	if last {
		s.logMel = s.gen.Flush(s.logMel[:0])
		s.sound()
		s.y = s.vocoder.FlushTo(s.y, int(s.resampled))
	}
	s.level.Restore(s.y)
	have := len(dst)
	dst = s.out.Process(dst, s.y)
	if last {
		dst = s.out.Flush(dst)
	}
	s.given += int64(len(dst) - have)
	return dst
}

// sound takes the generator's frames in s.logMel through the vocoder.
func (s *Stream) sound() {
	n := s.cfg.NMels
	frames := len(s.logMel) / n
	for t := range frames {
		mel := s.logMel[t*n : (t+1)*n]
		finite := allFinite(mel)
		if finite {
			s.formant.frame(mel, s.f0[t])
			s.sharp.frame(mel)
		} else {
			s.badNumbers = true
		}
		if s.silent[t] || !finite {
			fill(mel, s.quiet)
			s.mark.Skip()
		} else {
			s.mark.Frame(mel)
		}
	}
	s.y = s.vocoder.Process(s.y, s.logMel, s.f0[:frames])
	s.silent = s.silent[:copy(s.silent, s.silent[frames:])]
	s.f0 = s.f0[:copy(s.f0, s.f0[frames:])]
}
