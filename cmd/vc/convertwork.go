package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
)

// converting is the work of one command.
type converting struct {
	env   env
	o     convertOptions
	model *vc.Model
	ask   vc.Options
	jobs  []job

	work   func(ctx context.Context, j *job, i int) error // does a job; nil for one
	finish bool                                           // jobs that were begun when ctx ends are finished

	longest time.Duration // of a recording that is converted in pieces, 0 for no limit

	mutex sync.Mutex // for what follows, and for messages
	bar   *progress
	parts []float64 // of each job
	sum   int64     // of parts, in units of 1/partUnit, so that it is exact
}

const partUnit = 1 << 20

// run converts all jobs, several at a time. A failure is kept in its job and stops nothing else.
func (w *converting) run(ctx context.Context, workers int) {
	work, inner := w.work, ctx
	if work == nil {
		work = w.one
	}
	if w.finish {
		inner = context.WithoutCancel(ctx)
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for {
				i := int(next.Add(1) - 1)
				if i >= len(w.jobs) || ctx.Err() != nil {
					return
				}
				j := &w.jobs[i]
				if j.err == nil {
					j.err = work(inner, j, i)
				}
				if j.err != nil && len(w.jobs) > 1 && inner.Err() == nil {
					w.say("%s", j.describe())
				}
				if inner.Err() == nil { // else it is not done
					w.part(i, 1)
				}
			}
		})
	}
	wait.Wait()
}

func (w *converting) say(format string, a ...any) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.bar.done()
	w.env.tell(format, a...)
}

func (w *converting) part(i int, part float64) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.sum += int64(partUnit*part) - int64(partUnit*w.parts[i])
	w.parts[i] = part
	w.bar.set(float64(w.sum) / float64(partUnit*int64(len(w.parts))))
}

func (w *converting) one(ctx context.Context, j *job, i int) error {
	start := time.Now()
	convert := w.inPieces
	if j.picture != "" {
		convert = w.withPicture
	}
	duration, err := convert(ctx, j, i)
	if err != nil {
		return err
	}
	if !w.o.quiet && j.out != standardStream {
		w.say("%s -> %s (%.1f s of sound in %.1f s)", j.in, j.out, duration.Seconds(), time.Since(start).Seconds())
	}
	return nil
}

func (w *converting) warn(j *job, warnings []string) {
	for _, text := range warnings {
		name := j.in
		if name == standardStream {
			name = "standard input"
		}
		w.say("warning: %s: %s", name, text)
	}
}

// asked are the options of one side of a job, of several.
func (w *converting) asked(i, side, sides int) vc.Options {
	o := w.ask
	o.Tempo = w.jobs[i].tempo
	o.Progress = func(part float64) { w.part(i, (float64(side)+part)/float64(sides)) }
	return o
}

// inPieces converts a recording of any length.
func (w *converting) inPieces(ctx context.Context, j *job, i int) (time.Duration, error) {
	in := &incoming{w: w, i: i, voices: j.voices}
	heard, left, err := in.read(ctx, j.in)
	if !left {
		defer in.close()
	}
	if err != nil {
		return 0, err
	}
	w.warn(j, heard.Warnings)
	sides := in.choose(heard)
	out := outgoing{from: w.model.Features().SampleRate, to: w.o.outputRate(heard.Rate, w.model.Features().SampleRate), frames: sides[0].Samples(), layout: heard.Layout}
	switch {
	case w.o.rate == "":
	case j.tempo != 0:
		out.frames = max(1, (2*out.frames*int64(out.to)+int64(out.from))/int64(2*out.from))
	default:
		out.frames = max(1, (2*heard.Frames*int64(out.to)+int64(heard.Rate))/int64(2*heard.Rate))
	}
	for _, s := range sides {
		out.sides = append(out.sides, s)
	}
	return w.write(ctx, j, &out)
}

// withPicture converts a recording that fits into memory and draws it.
func (w *converting) withPicture(ctx context.Context, j *job, i int) (time.Duration, error) {
	clip, err := readClipUpTo(ctx, w.env, j.in, "--picture", longestPicture)
	if err != nil {
		return 0, err
	}
	w.warn(j, clip.Warnings)
	r, err := w.model.Convert(ctx, clip, j.voices[0].Voice, w.asked(i, 0, 1))
	if err != nil {
		return 0, err
	}
	out := outgoing{
		from: r.Clip.Rate, to: w.o.outputRate(clip.Rate, r.Clip.Rate), frames: int64(len(r.Clip.Samples)), sides: []reader{&samples{r.Clip.Samples}},
	}
	if w.o.rate != "" {
		out.frames = max(1, (2*int64(len(clip.Samples))*int64(out.to)+int64(clip.Rate))/int64(2*clip.Rate))
	}
	duration, err := w.write(ctx, j, &out)
	if err != nil {
		return 0, err
	}
	return duration, drawConversion(j, w.model.Features(), r, j.voices[0])
}

// write writes the result of a job.
func (w *converting) write(ctx context.Context, j *job, out *outgoing) (time.Duration, error) {
	sound := audio.Sound{Rate: out.to, Channels: len(out.sides), Layout: out.layout, Frames: out.frames, Depth: w.o.bits}
	if err := audio.CheckChannels(j.out, sound.Channels); err != nil {
		return 0, fmt.Errorf("its result %s cannot be: %w", j.out, err)
	}
	picture := ""
	if j.in != standardStream && !w.o.bare {
		sound.Tags = audio.ReadTags(ctx, j.in)
		if audio.IsVideo(j.in) && audio.IsVideo(j.out) {
			picture = j.in
		}
	}
	sound.Tags = sound.Tags.Marked(voiceWords(j.voices), w.env.version)
	fill := func(e audio.Encoder) error { return out.copyTo(ctx, e) }
	duration := time.Duration(float64(out.frames) / float64(out.to) * float64(time.Second))
	if j.out != standardStream {
		return duration, audio.WriteSound(ctx, j.out, sound, picture, fill)
	}
	b := bufio.NewWriterSize(w.env.stdout, 1<<16)
	e, err := audio.NewWAVEncoder(b, sound)
	if err != nil {
		return 0, err
	}
	if err := fill(e); err != nil {
		return 0, standardOutputError(err)
	}
	if err := errors.Join(e.Close(), b.Flush()); err != nil {
		return 0, standardOutputError(err)
	}
	return duration, nil
}

// standardOutputError names standard output in errors of the system.
func standardOutputError(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return fmt.Errorf("standard output: %w", path.Err)
	}
	return err
}
