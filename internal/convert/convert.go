// Package convert joins features, gan and vocoder to a voice changer: Converter for whole recordings, Stream for
// sound that arrives piece by piece.
//
// Either way sound is brought to the model's rate, analysed, and its pitch is moved from the source's range into the
// target's; the generator turns the frames into frames of the target's voice, and a vocoder makes sound of them.
// Sample k of the output belongs to sample k of the input, and there are as many: nothing is delayed or lost, a Stream
// only gives out its samples later.
package convert

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
)

// MaxPitchSemitones bounds the pitch shift, in either direction.
const MaxPitchSemitones = 36

// Options of a Converter. The zero value is a good choice.
type Options struct {
	Threads          int     // cores to use at most; 0 means all
	Vocoder          Vocoder // "" means Neural where FindNet finds one, else SourceFilter
	PitchSemitones   float64 // added to the target's pitch
	FormantSemitones float64 // added to the target's formants, which move without the pitch
	Strength         float64 // how strongly the voice is put on, see Strengthen; 0 means 1
	Melody           Melody  // "" means Fit
	Source           Source  // what is known of the voice in the recording; the zero value is nothing
}

func (o Options) withDefaults() Options {
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	return o
}

// Validate names the first option that cannot work.
func (o Options) Validate() error {
	if o.Threads < 0 {
		return fmt.Errorf("threads is %d, want 0 (all cores) or more", o.Threads)
	}
	if o.Vocoder == Refined {
		return fmt.Errorf("vocoder %q is for a recording's own frames, as in vc vocode: conversions lose their pitch by it; these are for "+
			"conversions: %q", Refined, Vocoders())
	}
	if o.Vocoder != "" && !slices.Contains(Vocoders(), o.Vocoder) {
		return fmt.Errorf("vocoder %q is not known, known are %q", o.Vocoder, Vocoders())
	}
	if err := checkPitch(o.PitchSemitones); err != nil {
		return err
	}
	if err := checkStrength(o.Strength); err != nil {
		return err
	}
	if err := o.Melody.check(); err != nil {
		return err
	}
	return checkFormant(o.FormantSemitones)
}

func checkPitch(semitones float64) error {
	if !(semitones >= -MaxPitchSemitones && semitones <= MaxPitchSemitones) {
		return fmt.Errorf("pitch is %g semitones, want %d to %d", semitones, -MaxPitchSemitones, MaxPitchSemitones)
	}
	return nil
}

// errNotFinite says that weights and not the input are at fault: decoders let only finite samples through.
var errNotFinite = errors.New("the model gives values that are not numbers: its training diverged or its file is from " +
	"a broken run; take an earlier snapshot or train again")

// Converter turns whole recordings into another voice. It may be used by several goroutines at once.
type Converter struct {
	model *gan.Model
	gen   *gan.Generator // never run itself, only forked
	synth *Synthesizer
	o     Options
}

// New prepares a model. All of the generator's look-ahead is used, since a recording has its future at hand.
func New(m *gan.Model, o Options) (*Converter, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	g, err := gan.NewGenerator(m, m.Config.StemFuture)
	if err != nil {
		return nil, err
	}
	o = o.withDefaults()
	name, net, err := choose(o.Vocoder, m)
	if err != nil {
		return nil, err
	}
	s, err := NewSynthesizer(m.Features, SynthesisOptions{Vocoder: name, Net: net, Threads: o.Threads, Made: true})
	if err != nil {
		return nil, err
	}
	return &Converter{model: m, gen: g, synth: s, o: o}, nil
}

// Result is a converted recording with what led to it.
type Result struct {
	Clip   audio.Clip      // at the model's rate, as long as the input to the sample, and as loud as it
	Source features.Frames // the input's features, as features.Analyze gives them
	GainDB float64         // what the input was amplified by for them, and Clip was not
	Mapped []float32       // F0 that was asked of the output, Hz per frame, 0 where unvoiced
}

// Convert turns a recording into voice v. progress, if not nil, is told from time to time which part is done, 0 to 1,
// by one goroutine at a time. Errors come from a clip that holds nothing, from weights that give no finite numbers,
// and from ctx.
func (c *Converter) Convert(ctx context.Context, in audio.Clip, v Voice, progress func(part float64)) (*Result, error) {
	cfg := c.model.Features
	if len(in.Samples) == 0 {
		return nil, errors.New("the recording holds no samples")
	}
	if err := v.check(c.model); err != nil {
		return nil, err
	}
	if progress == nil {
		progress = func(float64) {}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	recording, err := features.Analyze(cfg, in)
	if err != nil {
		return nil, err
	}
	source := recording.Frames
	progress(0.1)

	made, err := c.frames(ctx, source, v, c.o.Threads)
	if err != nil {
		return nil, err
	}
	progress(0.2)

	samples := max(1, len(recording.Samples)) // none are left of a sample of a very high rate
	y, err := c.synth.Synthesize(ctx, made.LogMel, made.F0, samples, func(part float64) { progress(0.2 + 0.8*part) })
	if err != nil {
		return nil, err
	}
	recording.Restore(y, cfg.SampleRate)
	return &Result{
		Clip: audio.Clip{Samples: y, Rate: cfg.SampleRate}, Source: source, GainDB: recording.GainDB, Mapped: made.F0,
	}, nil
}

// Frames turns the frames of a whole recording, analysed as the model's features say, into those of voice v, of which Convert
// makes sound: frame t belongs to frame t of source. F0 is what is asked of the voice, and LogEnergy is source's own slice. It
// runs on one core. Errors come from v, from weights that give no finite numbers, and from ctx.
func (c *Converter) Frames(ctx context.Context, source features.Frames, v Voice) (features.Frames, error) {
	if err := v.check(c.model); err != nil {
		return features.Frames{}, err
	}
	return c.frames(ctx, source, v, 1)
}

func (c *Converter) frames(ctx context.Context, source features.Frames, v Voice, threads int) (features.Frames, error) {
	cfg := c.model.Features
	pitch := gan.PitchMap{
		Source: c.o.Source.of(source.F0, v), Target: v.LogF0, Semitones: c.o.PitchSemitones, KeepIntervals: c.o.Melody == Keep,
	}
	mapped := make([]float32, len(source.F0))
	for t, hz := range source.F0 {
		mapped[t] = pitch.Hz(hz)
	}
	gen := c.gen.Fork()
	gen.SetStyle(Strengthen(c.model, v, c.o.Strength).Style)
	logMel, err := gen.Offline(ctx, source.LogMel, gan.AppendControls(nil, mapped, source.LogEnergy), threads)
	if err != nil {
		return features.Frames{}, err
	}
	if !allFinite(logMel) {
		return features.Frames{}, errNotFinite
	}
	quiet := silentMel(cfg)
	warp, sharp := newFormantWarp(cfg, v.Formant+c.o.FormantSemitones), newSharpener(cfg)
	for t, e := range source.LogEnergy {
		mel := logMel[t*cfg.NMels : (t+1)*cfg.NMels]
		if e < silenceLogEnergy {
			fill(mel, quiet)
		} else {
			warp.frame(mel, mapped[t])
			sharp.frame(mel)
		}
	}
	return features.Frames{NMels: cfg.NMels, LogMel: logMel, F0: mapped, LogEnergy: source.LogEnergy}, nil
}

// silenceLogEnergy is ln 1e-4, -80 dB, 57 dB below the speech, which has been brought to audio.SpeechDB: below it there is nothing
// to convert, and the output is silent too, whatever the generator makes of nothing.
const silenceLogEnergy = -9.210340371976182

// silentMel is the normalised value of a log-mel band without any sound.
func silentMel(cfg features.Config) float32 { return cfg.NormalizeMel(0) }

func fill(x []float32, v float32) {
	for i := range x {
		x[i] = v
	}
}

func allFinite(x []float32) bool {
	var sum float32
	for _, v := range x {
		sum += v - v // 0 for numbers, else not a number
	}
	return sum == 0
}
