package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/internal/judge"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/runlog"
)

// ErrStopped says that ctx ended before the last step. What was learnt so far is written.
var ErrStopped = errors.New("stopped before the last step")

// ErrTooLittle says that there is too little speech to find out how well a judge tells speakers apart.
var ErrTooLittle = errors.New("too little speech to score a judge")

// Run trains a judge, scores it on the speakers held out, and writes it.
func Run(ctx context.Context, o Options) error {
	c := DefaultConfig()
	if o.Steps > 0 {
		c.Steps = o.Steps
	}
	if o.Seed > 0 {
		c.Seed = o.Seed
	}
	return run(ctx, o, c)
}

func run(ctx context.Context, o Options, c Config) error {
	if err := c.Validate(); err != nil {
		return err
	}
	say := func(format string, a ...any) {
		if !o.Quiet && o.Stderr != nil {
			fmt.Fprintf(o.Stderr, "vc: "+format+"\n", a...)
		}
	}
	if err := runlog.CheckWritable(o.Output); err != nil {
		return err
	}
	told := time.Now()
	heard, err := readSpeech(ctx, o, c, func(done, total int) {
		if done == total || time.Since(told) > 10*time.Second {
			told = time.Now()
			say("reading recordings %d/%d", done, total)
		}
	})
	if err != nil {
		return err
	}
	if err := heard.checkScore(); err != nil {
		return err
	}
	say("%s", heard.describe(o))
	device, err := mlx.FindDevice(o.Device)
	if err != nil {
		return err
	}
	backend, err := device.Open()
	if err != nil {
		return err
	}
	defer backend.Finalize()
	say("training on %s", device)
	e, err := newEngine(c, len(heard.classes), backend)
	if err != nil {
		return err
	}
	made, err := e.loop(ctx, heard, say)
	if err != nil {
		return err
	}
	return e.finish(o, heard, made, say)
}

// loop makes the steps and returns how many were made.
func (e *engine) loop(ctx context.Context, heard *speech, say func(string, ...any)) (int, error) {
	c := e.cfg
	batches := make(chan batch, 2)
	stop, finished := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(finished)
		for step := range c.Steps {
			select {
			case batches <- heard.at(c, step):
			case <-stop:
				return
			}
		}
	}()
	defer func() { close(stop); <-finished }()

	var warm, told time.Time
	var losses, accuracies float64
	skipped := 0
	for step := range c.Steps {
		if ctx.Err() != nil {
			return step, nil
		}
		ok, loss, accuracy, err := e.step(<-batches, step)
		if err != nil {
			return step, err
		}
		skipped++
		if ok {
			skipped = 0
		}
		if skipped >= 20 {
			return step, fmt.Errorf("judge: %d steps in a row were not finite: look for a broken recording", skipped)
		}
		losses, accuracies = losses+loss, accuracies+accuracy
		if step == 0 {
			warm = time.Now()
			continue
		}
		if made := step + 1; made%c.LogEvery == 0 {
			n := float64(c.LogEvery)
			if time.Since(told) > 10*time.Second || made == c.Steps {
				told = time.Now()
				pace := float64(step) / time.Since(warm).Seconds()
				say("judge step %d/%d  loss %.3f  right %.1f %%  %.2f steps/s  %v left", made, c.Steps, losses/n, 100*accuracies/n, pace,
					time.Duration(float64(c.Steps-made)/pace*float64(time.Second)).Round(time.Second))
			}
			losses, accuracies = 0, 0
		}
	}
	return c.Steps, nil
}

// finish scores the averaged network and writes it.
func (e *engine) finish(o Options, heard *speech, made int, say func(string, ...any)) error {
	weights, err := e.weights()
	if err != nil {
		return err
	}
	trained := judge.Trained{Steps: made, Speakers: heard.names, Part: o.Part, HeldOut: heard.heldOut, Program: o.Version}
	j, err := judge.New(e.cfg.Judge, trained, weights)
	if err != nil {
		return err
	}
	embeddings := make([][][]float32, len(heard.score))
	for i, recordings := range heard.score {
		for _, x := range recordings {
			embeddings[i] = append(embeddings[i], j.Forward(x))
		}
	}
	v := judge.Verify(embeddings)
	who := fmt.Sprintf("on %d speakers that it never heard", len(heard.heldOut))
	if len(heard.heldOut) == 0 {
		who = "on the speakers that it was trained on"
	}
	say("equal error rate %s: %.1f %% of pairs of recordings (%d pairs, %d of one speaker); a recording against a speaker's others: %.1f %%, at similarity %.2f; nearest to its own speaker: %.1f %%",
		who, 100*v.PairEER, v.Pairs, v.Same, 100*v.EnrolledEER, v.Threshold, 100*v.Identified)
	trained.PairEER, trained.EnrolledEER, trained.Threshold = v.PairEER, v.EnrolledEER, v.Threshold
	if err := os.MkdirAll(filepath.Dir(o.Output), 0o755); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	err = audio.WriteAtomic(o.Output, func(w io.Writer) error { return judge.Write(w, e.cfg.Judge, trained, weights) })
	if err != nil {
		return err
	}
	if made < e.cfg.Steps {
		say("stopped after step %d of %d; the judge so far is %s", made, e.cfg.Steps, o.Output)
		return ErrStopped
	}
	say("judge: %s (use it with `vc eval --judge %s`)", o.Output, o.Output)
	return nil
}
