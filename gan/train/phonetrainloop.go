package train

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/starvc/vc/internal/run"
)

// phoneCurves are the charts of losses.png.
var phoneCurves = []run.Curve{
	{Title: "Loss (cross entropy per frame)", Names: []string{"loss"}},
	{Title: "Teacher (squared error per number)", Names: []string{teacherMetric}},
	{Title: "Frames right", Names: []string{"accuracy", "valid_frames_right"}},
	{Title: "Phone errors", Names: []string{"valid_phone_errors", "valid_noise15_phone_errors", "valid_babble15_phone_errors", "valid_room06_phone_errors"}},
	{Title: "Gradient norm", Names: []string{"norm"}},
}

// loop makes the steps and returns how many are done in all. On cancellation it saves and returns without an error.
func (p *phoneTrainer) loop(ctx context.Context) (done int, err error) {
	c := p.req.Config
	log, err := p.folder.openMetrics(p.first)
	if err != nil {
		return p.first, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	ready, err := p.engine.loadPhoneSteps(c, newPhoneBatcher(c, p.speech.learnt()), p.first, c.Steps)
	if err != nil {
		return p.first, err
	}
	defer func() { err = errors.Join(err, ready.Close()) }()
	board := run.OpenBoard(p.folder.dir, p.first, p.say)
	defer board.Close()
	machine := run.WatchMachine(p.device)
	defer machine.Close()
	book := p.newBook(log, board, machine)
	if p.device.Kind != "go" {
		p.say.Linef("first step: compiling takes a while")
	}
	step := p.first
	for ; step < c.Steps && ctx.Err() == nil; step++ {
		asked := time.Now()
		in, err := ready.Next()
		if err != nil {
			return step, err
		}
		machine.Waited(time.Since(asked))
		results, err := p.engine.learnPhones(c, in)
		if err != nil {
			return step, err
		}
		if step == p.first {
			machine.Begin(step + 1) // it had a graph to compile
		}
		if err := book.Add(step, results); err != nil {
			return step, err
		}
		made := step + 1
		last := made == c.Steps
		if last || c.ScoreEvery > 0 && made%c.ScoreEvery == 0 {
			if err := p.validate(book, made); err != nil {
				return made, err
			}
		}
		switch {
		case last:
			if err := p.save(book, made); err != nil {
				return made, run.SaveRemedy(err)
			}
		case made%c.SnapshotEvery == 0, p.unsaved.Due():
			if err := p.save(book, made); err != nil {
				p.unsaved.Note(p.say, made, err)
			}
		}
	}
	p.say.Finish()
	if line := machine.Verdict(fmt.Sprintf("--batch %d", 2*c.Batch)); line != "" {
		p.say.Linef("%s", line)
	}
	if step < c.Steps {
		if err := p.save(book, step); err != nil {
			return step, run.SaveRemedy(err)
		}
	}
	return step, nil
}

func (p *phoneTrainer) save(book *run.Book, made int) error {
	if err := book.Flush(); err != nil {
		return err
	}
	if err := p.folder.save(p.engine.vars, made, p.req.Config.KeepSnapshots); err != nil {
		return err
	}
	p.unsaved.Saved()
	return run.DrawCurves(p.folder.dir, phoneCurves)
}

// newBook begins the records of the steps from p.first on.
func (p *phoneTrainer) newBook(log *metricsLog, board *run.Board, machine *run.Machine) *run.Book {
	c := p.req.Config
	draws := newPhoneBatcher(c, p.speech.learnt())
	var blame run.Blame
	var pace run.Pace
	began := time.Now()
	return &run.Book{
		Log: log, Board: board, Say: p.say, Every: c.LogEvery, First: p.first, Rate: c.rate,
		Skipped: func(step int) string {
			blame.Add(draws.at(step).files)
			return ""
		},
		Remedy: func(int) string {
			return fmt.Sprintf("lower the rate (--set learningRate=%g)%s", c.LearningRate/2, blame.Often())
		},
		Measure: func(m record) { machine.Lap(m.Step+1, m.Metrics) },
		Show: func(m record) {
			made, perStep := m.Step+1, pace.Mark("phones", m.Step+1)
			if perStep == 0 {
				p.say.Linef("first step done after %v", time.Since(began).Round(100*time.Millisecond))
				return
			}
			p.say.Progress(fmt.Sprintf("phones %s step %d/%d  loss %.3f  frames right %.1f %%  %.2f steps/s%s  %v left", bar(made, c.Steps), made, c.Steps,
				m.Metrics["loss"], 100*m.Metrics["accuracy"], 1/perStep, machine.Busy(), run.Left(c.Steps-made, perStep)))
		},
	}
}
