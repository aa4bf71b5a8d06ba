package train

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/starvc/vc/internal/run"
)

// loop makes the steps and returns how many are done in all. On cancellation it saves and returns without an error.
func (r *runner) loop(ctx context.Context) (done int, err error) {
	c := r.req.Config
	log, err := run.OpenMetrics(filepath.Join(r.dir, "metrics.jsonl"), r.first)
	if err != nil {
		return r.first, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	batches := r.engine.load(newBatcher(c, r.speech.train), r.first, c.Steps)
	defer func() { err = errors.Join(err, batches.Close()) }()
	held := newBatcher(c, r.speech.valid)
	board := run.OpenBoard(r.dir, r.first, r.say)
	defer board.Close()
	machine := run.WatchMachine(r.device)
	defer machine.Close()
	book := r.newBook(log, board, machine)
	r.say.Linef("the first step of each phase compiles its graph, which takes a minute or so")
	step := r.first
	for ; step < c.Steps && ctx.Err() == nil; step++ {
		asked := time.Now()
		in, err := batches.Next()
		if err != nil {
			return step, err
		}
		machine.Waited(time.Since(asked))
		results, err := r.engine.step(step, in)
		if err != nil {
			return step, err
		}
		if step == r.first || step == c.SpectralSteps() {
			machine.Begin(step + 1) // it had a graph to compile
		}
		if err := book.Add(step, results); err != nil {
			return step, err
		}
		made := step + 1
		last := made == c.Steps
		if held.us != nil && c.ValidEvery > 0 && (made%c.ValidEvery == 0 || last) {
			if err := r.validate(held, book, made); err != nil {
				return made, err
			}
		}
		switch {
		case last:
			if err := r.save(book, made); err != nil {
				return made, run.SaveRemedy(err)
			}
		case made%c.SnapshotEvery == 0, made == c.SpectralSteps(), r.unsaved.Due():
			if err := r.save(book, made); err != nil {
				r.unsaved.Note(r.say, made, err)
			}
		}
	}
	r.say.Finish()
	if line := machine.Verdict(fmt.Sprintf("--batch %d", 2*c.Batch)); line != "" {
		r.say.Linef("%s", line)
	}
	if step < c.Steps {
		if err := r.save(book, step); err != nil {
			return step, run.SaveRemedy(err)
		}
	}
	return step, nil
}

func (r *runner) save(book *run.Book, made int) error {
	if err := book.Flush(); err != nil {
		return err
	}
	if err := r.snapshots().Save(r.engine.vars, made, r.req.Config.KeepSnapshots); err != nil {
		return err
	}
	r.unsaved.Saved()
	return run.DrawCurves(r.dir, curves)
}

func (r *runner) newBook(log *run.MetricsLog, board *run.Board, machine *run.Machine) *run.Book {
	c := r.req.Config
	draws := newBatcher(c, r.speech.train)
	var blame run.Blame
	var pace run.Pace
	second := c.adversarialCost(r.engine.native, r.device.Kind)
	return &run.Book{
		Log: log, Board: board, Say: r.say, Every: c.LogEvery, First: r.first, Rate: c.rate,
		Skipped: func(step int) string {
			blame.Add(draws.files(step))
			return ""
		},
		Remedy: func(step int) string {
			name, rate := "learningRate", c.LearningRate
			if step >= c.SpectralSteps() {
				name, rate = "discRate", c.DiscRate
			}
			return fmt.Sprintf("lower the rate (--set %s=%g)%s", name, rate/2, blame.Often())
		},
		Measure: func(m run.Record) { machine.Lap(m.Step+1, m.Metrics) },
		Show:    func(m run.Record) { r.show(&pace, m, machine.Busy(), second) },
	}
}

// show tells how the training goes after the step of m; busy is what is said of the card, second what a step of the second phase
// costs in steps of the first.
func (r *runner) show(pace *run.Pace, m run.Record, busy string, second float64) {
	c, made := r.req.Config, m.Step+1
	phase, end := "spectra", min(c.SpectralSteps(), c.Steps)
	if m.Step >= c.SpectralSteps() {
		phase, end = "adversarial", c.Steps
	}
	perStep := pace.Mark(phase, made)
	if perStep == 0 {
		return
	}
	line := fmt.Sprintf("vocoder %s step %d/%d  log-spectrum %.3f  log-mel %.3f", run.Bar(made, c.Steps), made, c.Steps, m.Metrics["spectral"], m.Metrics["mel"])
	if v, ok := m.Metrics["adv_d"]; ok {
		line += fmt.Sprintf("  D %.3f  matching %.3f", v, m.Metrics["matching"])
	}
	left, where := run.Left(end-made, perStep), "left"
	if end < c.Steps {
		where = fmt.Sprintf("left of this phase, about %v in all", run.Roughly(left+run.Left(c.Steps-end, perStep*second)))
	}
	r.say.Progress(fmt.Sprintf("%s  %.2f steps/s%s  %v %s", line, 1/perStep, busy, left, where))
}

// validBatches is how many held-out batches a validation scores.
const validBatches = 4

// validate scores the averaged network after so many steps.
func (r *runner) validate(held *batcher, book *run.Book, made int) error {
	scores := map[string]float32{}
	b := held.newBatch()
	for i := range validBatches {
		held.fill(b, i)
		values, err := r.engine.score(b)
		if err != nil {
			return err
		}
		for j, v := range values {
			scores[validMetrics[j]] += v / validBatches
		}
	}
	if err := book.AddScores(made-1, scores); err != nil {
		return err
	}
	r.say.Linef("step %d: on held-out speech: log-spectrum %.4f, convergence %.4f, log-mel %.4f", made, scores["valid_spectral"], scores["valid_convergence"], scores["valid_mel"])
	r.keepBest(made, scores)
	return nil
}
