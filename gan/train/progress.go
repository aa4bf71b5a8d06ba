package train

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/run"
)

type reporter = run.Reporter

func newReporter(w io.Writer, quiet bool) *reporter { return run.NewReporter(w, quiet) }

func bar(done, total int) string { return run.Bar(done, total) }

// newBook begins the records of the steps from r.first on.
func (r *runner) newBook(log *metricsLog, board *run.Board, machine *run.Machine, batcher *corpus.Batcher) *run.Book {
	cfg := r.req.Config
	k := cfg.stepCost(len(r.set.Speakers), r.engine.phones, r.engine.native)
	p := progress{cfg: cfg, say: r.say, machine: machine, began: time.Now(), starCost: k.star / k.warmUp}
	var blame run.Blame
	return &run.Book{
		Log: log, Board: board, Say: r.say, Every: cfg.LogEvery, First: r.first, Rate: cfg.rate,
		Skipped: func(step int) string {
			batch := batcher.At(step)
			blame.Add(slices.Concat(batch.Files...))
			return wild(batch)
		},
		Remedy: func(step int) string {
			name, rate := "learningRate", cfg.LearningRate
			if step < cfg.WarmUpSteps() {
				name, rate = "warmUpRate", cfg.WarmUpRate
			}
			return fmt.Sprintf("lower the rate (--set %s=%g), or look at lint.txt for a broken recording%s", name, rate/2, blame.Often())
		},
		Measure: func(m record) { machine.Lap(m.Step+1, m.Metrics) },
		Show:    p.show,
	}
}

// progress tells how the training goes.
type progress struct {
	cfg      Config
	say      *reporter
	machine  *run.Machine
	began    time.Time
	starCost float64 // of a step of the star, in steps of the warm-up
	pace     run.Pace
}

// show tells how the training goes after the step of m.
func (p *progress) show(m record) {
	made := m.Step + 1
	// A star step costs several times a step of the warm-up. So the time left is that of the phase; what the next one will
	// cost is not known yet.
	phase, end, shown := "warm-up", min(p.cfg.WarmUpSteps(), p.cfg.Steps), []string{"identity", "content"}
	if m.Step >= p.cfg.WarmUpSteps() {
		phase, end, shown = "star", p.cfg.Steps, []string{"adv_d", "adv_g", "cycle", "style", "diversity", "content", "source_g"}
	}
	pace := p.pace.Mark(phase, made)
	if pace == 0 {
		p.say.Linef("first step done after %v", time.Since(p.began).Round(100*time.Millisecond))
		return
	}
	left := run.Left(end-made, pace)
	line := fmt.Sprintf("%s %s step %d/%d", phase, bar(made, p.cfg.Steps), made, p.cfg.Steps)
	for _, name := range shown {
		if v, ok := m.Metrics[name]; ok && v != 0 {
			line += fmt.Sprintf("  %s %.3f", name, v)
		}
	}
	where := "left"
	if end < p.cfg.Steps {
		all := left.Seconds() + float64(p.cfg.Steps-end)*pace*p.starCost
		where = fmt.Sprintf("left of this phase, about %v in all", run.Roughly(time.Duration(all*float64(time.Second))))
	}
	p.say.Progress(fmt.Sprintf("%s  %.2f steps/s%s  %v %s", line, 1/pace, p.machine.Busy(), left, where))
}
