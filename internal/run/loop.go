package run

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// loop makes the steps and returns how many are done in all. On cancellation it saves and returns without an error.
func (d *driver[T]) loop(ctx context.Context) (done int, err error) {
	s, first := d.settings(), d.First
	log, err := OpenMetrics(d.Path("metrics.jsonl"), first)
	if err != nil {
		return first, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	inputs, err := d.pupil.Inputs()
	if err != nil {
		return first, err
	}
	if inputs.Close != nil {
		defer inputs.Close()
	}
	ready := StartAhead(first, s.Steps, inputs.Draw, inputs.Free)
	defer func() { err = errors.Join(err, ready.Close()) }() // before what gives it inputs
	board := OpenBoard(d.Dir, first, d.Say)
	defer board.Close()
	machine := WatchMachine(d.Device)
	defer machine.Close()
	book := d.newBook(log, board, machine)
	if first == 0 && s.ScoreFirst && s.ScoreEvery > 0 { // what an untrained network scores, to compare with
		stop := d.compiling("the scores", 0)
		err := d.score(book, 0)
		stop()
		if err != nil {
			return 0, err
		}
	}
	if first == 0 {
		d.show(ctx, 0)
	}
	step := first
	for ; step < s.Steps && ctx.Err() == nil; step++ {
		asked := time.Now()
		in, err := ready.Next()
		if err != nil {
			return step, err
		}
		machine.Waited(time.Since(asked))
		compiles, stop := step == first || d.begins(step) || d.plan.Compiles != nil && d.plan.Compiles(step), func() {}
		if compiles {
			phase, _ := d.plan.phase(step)
			stop = d.compiling(phase.Name, d.plan.Compile)
		}
		results, err := d.pupil.Step(step, in)
		stop()
		if err != nil {
			return step, err
		}
		if compiles {
			machine.Begin(step + 1) // it had a graph to compile
		}
		if err := book.Add(step, results); err != nil {
			return step, err
		}
		made := step + 1
		last := made == s.Steps
		if s.ScoreEvery > 0 && (made%s.ScoreEvery == 0 || last) || s.ScoreLast && last {
			if err := d.score(book, made); err != nil {
				return made, err
			}
			if !last { // the last report is that of what is handed over
				d.show(ctx, made)
			}
		}
		switch {
		case last:
			if err := d.save(book, made); err != nil {
				return made, SaveRemedy(err)
			}
		case made%s.SnapshotEvery == 0, d.begins(made), d.unsaved.Due():
			if err := d.save(book, made); err != nil {
				d.unsaved.Note(d.Say, made, err)
			}
		}
	}
	d.Say.Finish()
	if line := machine.Verdict(d.plan.Larger); line != "" {
		d.Say.Linef("%s", line)
	}
	if step < s.Steps {
		if err := d.save(book, step); err != nil {
			return step, SaveRemedy(err)
		}
	}
	return step, nil
}

// begins is whether a phase begins with a step, the first phase left out.
func (d *driver[T]) begins(step int) bool {
	for _, p := range d.plan.Phases[:len(d.plan.Phases)-1] {
		if step == p.End {
			return true
		}
	}
	return false
}

// phase is that of a step, and where it stands in the plan.
func (p Plan) phase(step int) (Phase, int) {
	i := 0
	for i < len(p.Phases)-1 && step >= p.Phases[i].End {
		i++
	}
	return p.Phases[i], i
}

func (d *driver[T]) save(book *Book, made int) error {
	if err := book.Flush(); err != nil {
		return err
	}
	if err := d.Snapshots().Save(d.vars, made, d.settings().KeepSnapshots); err != nil {
		return err
	}
	d.unsaved.Saved()
	d.keepModel(made)
	return DrawCurves(d.Dir, d.about.Curves)
}

// compiling shows a clock while a graph is compiled, until stop is called. Pure Go has next to nothing to compile.
func (d *driver[T]) compiling(what string, usual time.Duration) (stop func()) {
	if d.Device.Kind == "go" {
		return func() {}
	}
	return d.Say.Clock("compiling the graph of "+what, usual)
}

// score scores the averaged networks after so many steps, and keeps them if they are the best so far.
func (d *driver[T]) score(book *Book, made int) error {
	scored, err := d.pupil.Score()
	if err != nil || scored == nil {
		return err
	}
	if err := book.AddScores(made-1, scored.Metrics); err != nil {
		return err
	}
	d.Say.Linef("step %d: %s", made, scored.Line)
	if made < d.settings().BestFrom {
		return nil
	}
	elect := d.Best.Elect
	if d.about.Least {
		elect = d.Best.ElectLeast
	}
	b, elected := elect(made, scored.Sum)
	if !elected {
		return nil
	}
	if err := d.Snapshots().SaveBest(d.vars, b); err != nil {
		d.unsaved.Note(d.Say, made, err)
		return nil
	}
	d.Best = b
	return nil
}

// newBook begins the records of the steps from d.First on.
func (d *driver[T]) newBook(log *MetricsLog, board *Board, machine *Machine) *Book {
	var blame Blame
	p := &progress{plan: d.plan, steps: d.settings().Steps, say: d.Say, busy: machine.Busy, began: time.Now()}
	if d.Device.Kind != "go" {
		p.compile = d.plan.Compile
	}
	d.progress = p
	return &Book{
		Log: log, Board: board, Say: d.Say, Every: d.settings().LogEvery, First: d.First, Rate: d.plan.Rate,
		Skipped: func(step int) string {
			files, odd := d.plan.Blame(step)
			blame.Add(files)
			return odd
		},
		Remedy: func(step int) string {
			broken := ""
			if d.plan.Broken != "" {
				broken = ", or look at " + d.plan.Broken + " for a broken recording"
			}
			return fmt.Sprintf("lower the rate (%s)%s%s", d.plan.Lower(step), broken, blame.Often())
		},
		Measure: func(m Record) { machine.Lap(m.Step+1, m.Metrics) },
		Show:    p.show,
	}
}

// progress tells how the training goes.
type progress struct {
	plan  Plan
	steps int
	say   *Reporter
	busy  func() string // what is said of the card
	began time.Time
	pace  Pace

	compile time.Duration // of the graph of each phase
	left    string        // what was told last of the time left
}

// show tells how the training goes after the step of m. Steps of another phase cost another time, so the time left is that of the
// phase, and in all what the costs of the phases make of it.
func (p *progress) show(m Record) {
	made := m.Step + 1
	phase, i := p.plan.phase(m.Step)
	end := min(phase.End, p.steps)
	if i == len(p.plan.Phases)-1 {
		end = p.steps
	}
	pace := p.pace.Mark(phase.Name, made)
	if pace == 0 {
		p.say.Linef("first step done after %v", time.Since(p.began).Round(100*time.Millisecond))
		return
	}
	left := Left(end-made, pace)
	p.left = fmt.Sprintf("%v left", left)
	if end < p.steps {
		all, from := left.Seconds(), end
		for _, next := range p.plan.Phases[i+1:] {
			to := min(next.End, p.steps)
			if to > from {
				all += float64(to-from)*pace*next.Cost/phase.Cost + p.compile.Seconds()
			}
			from = to
		}
		p.left = fmt.Sprintf("%v left, %v of it for this phase", Roughly(time.Duration(all*float64(time.Second))), left)
	}
	others := []string{p.left}
	for _, s := range phase.Shown {
		switch v, ok := m.Metrics[s.Metric]; {
		case !ok || v == 0:
		case s.Percent:
			others = append(others, fmt.Sprintf("%s %.1f %%", s.Name, 100*v))
		default:
			others = append(others, fmt.Sprintf("%s %.3f", s.Name, v))
		}
	}
	others = append(others, fmt.Sprintf("%.2f steps/s", 1/pace))
	if busy := strings.TrimSpace(p.busy()); busy != "" {
		others = append(others, busy)
	}
	p.say.ProgressOf(fmt.Sprintf("%s %d/%d", phase.Name, made, p.steps), Bar(made, p.steps), others...)
}
