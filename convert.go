package vc

import (
	"context"
	"errors"
	"fmt"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
)

// MaxPitchSemitones bounds the pitch shift, in either direction.
const MaxPitchSemitones = 36

// Options of a conversion. The zero value is a good choice.
type Options struct {
	Threads          int     // cores to use at most; 0 means all
	Vocoder          Vocoder // "" means Neural where there are weights, else SourceFilter
	PitchSemitones   float64 // added to the voice's pitch, within MaxPitchSemitones
	FormantSemitones float64 // added to the voice's formants, which move without the pitch, within MaxFormantSemitones
	Strength         float64 // how strongly the voice is put on, see Model.Strengthen; 0 means 1
	Melody           Melody  // "" means Fit
	Source           Source  // what is known of the voice in the recording; the zero value is nothing
	// Tempo is how many times as fast as in the recording the words come, MinTempo to MaxTempo; 0 means 1. Another than 1 changes the
	// length of the result and not its pitch. A Stream has none: it must give as much as it gets.
	Tempo float64

	// Progress, if not nil, is told from time to time which part is done, 0 to 1, by one goroutine at a time.
	Progress func(part float64)
}

// Validate names the first option that cannot work. Model.Convert calls it.
func (o Options) Validate() error {
	if o.Threads < 0 {
		return fmt.Errorf("threads is %d, want 0 (all cores) or more", o.Threads)
	}
	if err := o.Vocoder.check(Vocoders()); err != nil {
		return err
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
	if err := checkTempo(o.Tempo); err != nil {
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

// Result is a converted recording with what led to it.
type Result struct {
	Clip   audio.Clip      // at the model's rate, as long as the input to the sample, or as Options.Tempo makes it, and as loud as it
	Source features.Frames // the input's features, as features.Analyze gives them
	GainDB float64         // what the input was amplified by for them, and Clip was not
	Mapped []float32       // F0 that was asked of the output, Hz for each frame of Source, 0 where unvoiced
}

// Convert turns a recording, of any rate, into voice v. The recording is not changed. It is an error if the recording holds no
// samples, if v is of another model or the options are out of range, if the weights give no finite numbers, and if ctx ends,
// which is looked at several times a second of work.
func (m *Model) Convert(ctx context.Context, in audio.Clip, v Voice, o Options) (*Result, error) {
	if len(in.Samples) == 0 {
		return nil, errors.New("the recording holds no samples")
	}
	c, err := m.newConversion(in.Rate, v, o, wholeInMemory, wholeInMemory)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	frames := c.cfg.NumFrames(int(c.in.Outputs(int64(len(in.Samples))))) + 1
	r := &Result{Source: features.Frames{NMels: c.cfg.NMels}, Mapped: make([]float32, 0, frames)}
	r.Source.Grow(frames)
	c.keep = func(source features.Frames, mapped []float32) {
		r.Source.LogMel = append(r.Source.LogMel, source.LogMel...)
		r.Source.F0 = append(r.Source.F0, source.F0...)
		r.Source.LogEnergy = append(r.Source.LogEnergy, source.LogEnergy...)
		r.Mapped = append(r.Mapped, mapped...)
	}
	if err := c.Write(in.Samples); err != nil {
		return nil, err
	}
	y := make([]float32, c.Samples())
	for at := 0; at < len(y); {
		n, err := c.Read(ctx, y[at:])
		if err != nil {
			return nil, err
		}
		at += n
	}
	r.Clip, r.GainDB = audio.Clip{Samples: y, Rate: c.cfg.SampleRate}, c.gainDB
	return r, nil
}

// ConvertFrames turns the frames of a whole recording, analysed as Features says, into those of voice v, of which Convert makes sound, once it has marked them:
// frame t belongs to frame t of source. F0 is what is asked of the voice, and LogEnergy is source's own slice. It runs on one core,
// and makes no use of the options' Threads, Vocoder and Progress. Errors are those of Convert.
func (m *Model) ConvertFrames(ctx context.Context, source features.Frames, v Voice, o Options) (features.Frames, error) {
	if err := o.Validate(); err != nil {
		return features.Frames{}, err
	}
	if err := v.check(m.networks); err != nil {
		return features.Frames{}, err
	}
	if o.Tempo != 0 && o.Tempo != 1 {
		return features.Frames{}, fmt.Errorf("tempo is %g, and frames have to stay as many as they are: leave it 0, and convert recordings by Convert", o.Tempo)
	}
	return m.frames(ctx, source, v, o, 1)
}

func (m *Model) frames(ctx context.Context, source features.Frames, v Voice, o Options, threads int) (features.Frames, error) {
	cfg := m.networks.Features
	pitch := m.pitchMap(source.F0, v, o)
	mapped := make([]float32, len(source.F0))
	for t, hz := range source.F0 {
		mapped[t] = pitch.Hz(hz)
	}
	generator, err := m.generator()
	if err != nil {
		return features.Frames{}, err
	}
	gen := generator.Fork()
	gen.SetStyle(m.Strengthen(v, o.Strength).Style)
	logMel, err := gen.Offline(ctx, source.LogMel, gan.AppendControls(nil, mapped, source.LogEnergy), threads)
	if err != nil {
		return features.Frames{}, err
	}
	if !allFinite(logMel) {
		return features.Frames{}, errNotFinite
	}
	shape := newFrameShaper(cfg, v.Formant+o.FormantSemitones)
	for t, e := range source.LogEnergy {
		shape.frame(logMel[t*cfg.NMels:(t+1)*cfg.NMels], mapped[t], e)
	}
	return features.Frames{NMels: cfg.NMels, LogMel: logMel, F0: mapped, LogEnergy: source.LogEnergy}, nil
}

// pitchMap is how the pitch of a recording with that F0 is moved into the range of v.
func (m *Model) pitchMap(f0 []float32, v Voice, o Options) gan.PitchMap {
	return gan.PitchMap{Source: o.Source.of(f0, v), Target: v.LogF0, Semitones: o.PitchSemitones, KeepIntervals: o.Melody == Keep}
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
