package vc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/spool"
	"github.com/starvc/vc/internal/synth"
)

// Conversion converts a recording of any length in bounded memory, made by [Model.NewConversion]. First all of the recording goes in
// by Write, in pieces of any length, then the result comes out by Read, and in the end Close frees what it took. The result is that of
// [Model.Convert], bit for bit, at another tempo too.
//
// Level and pitch of a recording are known only when all of it was heard, so it waits: up to a few minutes in memory, more in a
// temporary file ($TMPDIR, 4 bytes per sample at the model's rate). With the vocoder GriffinLim the frames of the whole result are
// kept in memory too. It must not be used by two goroutines at once.
type Conversion struct {
	m       *Model
	v       Voice
	o       Options
	cfg     features.Config
	threads int
	synth   *synth.Synthesizer

	in     *audio.Resampler
	level  *audio.LevelPieces
	sound  *spool.Floats // at the model's rate, without rumble, not amplified
	given  int64         // samples to Write
	pitch  int           // bytes of the pitch tracker's first pass that are kept in memory
	gainDB float64
	err    error

	resampled, leveled []float32 // scratch

	out *conversionOutput // nil before the first Read

	// keep, if not nil, gets the source's frames and what was asked of F0, in order.
	keep func(source features.Frames, mapped []float32)
}

const (
	soundInMemory = 2 << 20 // samples: 2 minutes at 16 kHz
	pitchInMemory = 4 << 20 // bytes of the pitch tracker's first pass
	readSamples   = 1 << 13 // at once, from what waits
	windowFrames  = 1024    // that the generator takes at once, for each core
	wholeInMemory = math.MaxInt / 8
	analysedPart  = 0.15 // of the work is done when the result begins to come
)

// NewConversion begins a recording at rate Hz. Errors are those of Convert.
func (m *Model) NewConversion(rate int, v Voice, o Options) (*Conversion, error) {
	return m.newConversion(rate, v, o, soundInMemory, pitchInMemory)
}

func (m *Model) newConversion(rate int, v Voice, o Options, soundInMemory, pitchInMemory int) (*Conversion, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := v.check(m.networks); err != nil {
		return nil, err
	}
	c := &Conversion{m: m, v: v, o: o, cfg: m.networks.Features, threads: o.Threads, pitch: pitchInMemory}
	if c.threads == 0 {
		c.threads = runtime.GOMAXPROCS(0)
	}
	if c.o.Progress == nil {
		c.o.Progress = func(float64) {}
	}
	name, net, err := synth.Choose(synth.Vocoder(o.Vocoder), c.cfg, m.net)
	if err != nil {
		return nil, err
	}
	if c.synth, err = synth.New(c.cfg, synth.Options{Vocoder: name, Net: net, Threads: c.threads, Made: true}); err != nil {
		return nil, err
	}
	if c.in, err = audio.NewResampler(rate, c.cfg.SampleRate); err != nil {
		return nil, err
	}
	c.level = audio.NewLevelPieces(c.cfg.SampleRate)
	c.sound = spool.NewFloats(soundInMemory)
	return c, nil
}

// Write takes the next samples of the recording, finite and in [-1, 1]. It panics after the first Read.
func (c *Conversion) Write(x []float32) error {
	if c.out != nil {
		panic("vc: Write after Read")
	}
	c.given += int64(len(x))
	for len(x) > 0 {
		n := min(len(x), readSamples)
		c.resampled = c.in.Process(c.resampled[:0], x[:n])
		c.leveled = c.level.Process(c.leveled[:0], c.resampled)
		x = x[n:]
		if err := c.sound.Add(c.leveled); err != nil {
			c.err = err
			return err
		}
	}
	return nil
}

// Rate is that of the result, in Hz.
func (c *Conversion) Rate() int { return c.cfg.SampleRate }

// Read fills x with the next samples of the result, but for the end, and returns how many there are: 0 with io.EOF. The first call
// ends the recording and analyses it. Other errors are those of Convert and of the temporary file.
func (c *Conversion) Read(ctx context.Context, x []float32) (int, error) {
	if c.err == nil && c.out == nil {
		if c.err = c.analyse(ctx); c.err != nil {
			c.Close()
		}
	}
	if c.err != nil {
		return 0, c.err
	}
	n := 0
	for n < len(x) {
		if len(c.out.y) == 0 {
			if c.out.over {
				break
			}
			if c.err = c.out.next(ctx); c.err != nil {
				return n, c.err
			}
			continue
		}
		k := copy(x[n:], c.out.y)
		c.out.y = c.out.y[k:]
		n += k
	}
	if n == 0 && len(x) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Samples is how many the result has, as the recording has been given so far.
func (c *Conversion) Samples() int64 {
	from, to := int64(c.in.From()), int64(c.cfg.SampleRate)
	return samplesAt(c.o.Tempo, max(1, c.given/from*to+(2*(c.given%from)*to+from)/(2*from)))
}

// Close frees memory and files.
func (c *Conversion) Close() error { return c.sound.Close() }

// analyse ends the input and finds out what is needed of all of it.
func (c *Conversion) analyse(ctx context.Context) error {
	if c.given == 0 {
		return errors.New("the recording holds no samples")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	samples := c.Samples()
	rest := c.level.Process(nil, c.in.Flush(nil))
	if err := c.sound.Add(c.level.Flush(rest)); err != nil {
		return err
	}
	c.gainDB = c.level.GainDB()
	all := int(c.sound.Samples())
	passes := 0
	f0, err := features.TrackPieces(c.cfg, all, c.pitch, func(take func([]float32) error) error {
		passes++
		done := 0
		return c.each(ctx, func(x []float32) error {
			done += len(x)
			c.o.Progress(analysedPart * (float64(passes-1) + float64(done)/float64(all)) / 2)
			return take(x)
		})
	})
	if err != nil {
		return err
	}
	c.out, err = c.newOutput(f0, int(samples))
	return err
}

// each goes over the levelled sound.
func (c *Conversion) each(ctx context.Context, take func(x []float32) error) error {
	in := c.sound.Floats()
	x := make([]float32, readSamples)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := in.Read(x)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading from a temporary file in %s: %w", os.TempDir(), err)
		}
		audio.Amplify(x[:n], c.gainDB)
		if err := take(x[:n]); err != nil {
			return err
		}
	}
}

// conversionOutput makes the result from front to back.
type conversionOutput struct {
	c       *Conversion
	samples int
	in      *spool.FloatReader
	ended   bool // all frames are there
	over    bool // all of the result was made

	pieces  *features.Pieces
	pitch   gan.PitchMap
	gen     *gan.Generator
	tempo   *tempoChanger // nil for that of the recording
	shape   frameShaper
	vocoder synth.FrameVocoder // nil for GriffinLim
	restore *audio.Restorer

	// The frames from first on: what the generator still needs of the past, and what it has not converted.
	first  int
	source features.Frames
	mapped []float32
	done   int // frames that were converted

	whole struct{ logMel, f0 []float32 } // for GriffinLim

	x     []float32
	y     []float32  // to be given out
	buf   []float32  // whose memory that is
	paced toneFrames // scratch, at the other tempo
}

func (c *Conversion) newOutput(f0 []float32, samples int) (*conversionOutput, error) {
	out := &conversionOutput{c: c, samples: samples, in: c.sound.Floats(), x: make([]float32, readSamples)}
	var err error
	if out.pieces, err = features.NewPieces(c.cfg, f0); err != nil {
		return nil, err
	}
	out.pitch = c.m.pitchMap(f0, c.v, c.o)
	generator, err := c.m.generator()
	if err != nil {
		return nil, err
	}
	out.gen = generator.Fork()
	out.gen.SetStyle(c.m.Strengthen(c.v, c.o.Strength).Style)
	out.tempo = newTempoChanger(c.cfg, c.o.Tempo)
	out.shape = newFrameShaper(c.cfg, c.v.Formant+c.o.FormantSemitones)
	out.shape.mark = c.m.newMark(c.v)
	out.restore = audio.NewRestorer(c.gainDB, c.cfg.SampleRate)
	out.source.NMels = c.cfg.NMels
	if c.synth.Vocoder() != synth.GriffinLim {
		out.vocoder, err = c.synth.Stream()
	}
	return out, err
}

// next makes more of the result, a window of frames.
func (o *conversionOutput) next(ctx context.Context) error {
	c := o.c
	future := c.m.networks.Config.StemFuture
	end := o.done + c.threads*windowFrames
	for !o.ended && o.first+o.source.Len() < end+future {
		if err := o.hear(ctx); err != nil {
			return err
		}
	}
	have := o.first + o.source.Len()
	if end = min(end, have); o.done == end {
		return o.finish(ctx)
	}
	n := c.cfg.NMels
	// A window that begins so much earlier than it is needed comes out the same as if all before it were there.
	window := min(have, end+future) - o.first
	controls := gan.AppendControls(nil, o.mapped[:window], o.source.LogEnergy[:window])
	logMel, err := o.gen.Offline(ctx, o.source.LogMel[:window*n], controls, c.threads)
	if err != nil {
		return err
	}
	from, to := o.done-o.first, end-o.first
	logMel = logMel[from*n : to*n]
	if !allFinite(logMel) {
		return errNotFinite
	}
	made := toneFrames{logMel: logMel, f0: o.mapped[from:to], energy: o.source.LogEnergy[from:to]}
	if o.tempo != nil {
		o.paced.clear()
		o.tempo.process(&o.paced, made)
		made = o.paced
	}
	o.done = end
	o.buf = o.buf[:0]
	o.sound(made)
	o.give(o.buf)
	o.forget(max(0, end-c.m.networks.Config.PastFrames()))
	frames := c.cfg.NumFrames(int(c.sound.Samples()))
	c.o.Progress(analysedPart + (1-analysedPart)*float64(end)/float64(max(frames, 1)))
	return nil
}

// hear takes more of the recording.
func (o *conversionOutput) hear(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	have := o.source.Len()
	n, err := o.in.Read(o.x)
	switch {
	case err == io.EOF:
		o.ended = true
		o.pieces.Flush(&o.source)
	case err != nil:
		return fmt.Errorf("reading from a temporary file in %s: %w", os.TempDir(), err)
	default:
		audio.Amplify(o.x[:n], o.c.gainDB)
		o.pieces.Process(&o.source, o.x[:n])
	}
	for _, hz := range o.source.F0[have:] {
		o.mapped = append(o.mapped, o.pitch.Hz(hz))
	}
	if o.c.keep != nil {
		m := o.source.NMels
		o.c.keep(features.Frames{NMels: m, LogMel: o.source.LogMel[have*m:], F0: o.source.F0[have:], LogEnergy: o.source.LogEnergy[have:]}, o.mapped[have:])
	}
	return nil
}

// forget drops the frames before one.
func (o *conversionOutput) forget(frame int) {
	drop := frame - o.first
	if drop <= 0 {
		return
	}
	cut := func(x []float32, n int) []float32 { return x[:copy(x, x[n:])] }
	o.source.LogMel = cut(o.source.LogMel, drop*o.source.NMels)
	o.source.F0, o.source.LogEnergy = cut(o.source.F0, drop), cut(o.source.LogEnergy, drop)
	o.mapped = cut(o.mapped, drop)
	o.first = frame
}

// sound shapes and marks frames and appends what the vocoder makes of them. The tempo is changed before, so that the mark has its own.
func (o *conversionOutput) sound(f toneFrames) {
	n := o.c.cfg.NMels
	for t, hz := range f.f0 {
		o.shape.frame(f.logMel[t*n:(t+1)*n], hz, f.energy[t])
	}
	if o.vocoder == nil {
		o.whole.logMel, o.whole.f0 = append(o.whole.logMel, f.logMel...), append(o.whole.f0, f.f0...)
		return
	}
	o.buf = o.vocoder.Process(o.buf, f.logMel, f.f0)
}

// finish makes what the vocoder still owes.
func (o *conversionOutput) finish(ctx context.Context) error {
	o.over = true
	o.buf = o.buf[:0]
	if o.tempo != nil {
		o.paced.clear()
		o.tempo.flush(&o.paced, o.c.cfg.NumFrames(o.samples))
		o.sound(o.paced)
	}
	if o.vocoder != nil {
		o.buf = o.vocoder.FlushTo(o.buf, o.samples)
		o.give(o.buf)
		return nil
	}
	y, err := o.c.synth.Synthesize(ctx, o.whole.logMel, o.whole.f0, o.samples, nil)
	if err != nil {
		return err
	}
	o.give(y)
	return nil
}

func (o *conversionOutput) give(y []float32) {
	o.restore.Process(y)
	o.y = y
}
