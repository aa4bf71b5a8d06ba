package train

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/runlog"
)

type reporter = runlog.Reporter

func newReporter(w io.Writer, quiet bool) *reporter { return runlog.NewReporter(w, quiet) }

func bar(done, total int) string { return runlog.Bar(done, total) }

// bookkeeper collects the metrics of the steps, writes them down, and watches for trouble. Values stay on the device until
// LogEvery steps are together, so that a fast card never waits for the host.
type bookkeeper struct {
	cfg     Config
	log     *metricsLog
	board   *board // may be nil
	machine *runlog.Machine
	say     *reporter
	first   int
	began   time.Time

	starCost float64                      // of a step of the star, in steps of the warm-up
	redraw   func(step int) *corpus.Batch // what a step was given
	blame    blame

	paceAt   time.Time // of the last line, and the steps made by then
	paceStep int
	paces    []float64 // seconds per step of the last lines
	phase    string
	pending  []pendingStep

	skipped    int  // in all
	skippedRow int  // in a row
	unwritten  bool // lines are waiting
}

type pendingStep struct {
	step    int
	results []results
}

func (b *bookkeeper) add(step int, rs []results) error {
	b.pending = append(b.pending, pendingStep{step, rs})
	if !b.logs(step) {
		return nil
	}
	return b.flush()
}

func (b *bookkeeper) logs(step int) bool { return (step+1)%b.cfg.LogEvery == 0 || step == b.first }

// addValidation writes down the scores after a step; step is -1 before the first.
func (b *bookkeeper) addValidation(step int, values []float32) error {
	if err := b.flush(); err != nil {
		return err
	}
	m := record{Step: max(step, 0), Rate: b.cfg.rate(max(step, 0)), Metrics: map[string]float32{}}
	for i, v := range values {
		m.Metrics[starValidMetrics[i]] = v
	}
	b.say.Linef("step %d: held-out speech: rebuilt %.3f, through the cycle %.3f, style read back %.3f", step+1, values[0], values[1], values[2])
	b.board.scalars([]record{m})
	b.write([]record{m})
	return nil
}

// write appends to metrics.jsonl. A full disk must not end a run: the lines wait, and it is told once.
func (b *bookkeeper) write(records []record) {
	err := b.log.Add(records)
	if err != nil && !b.unwritten {
		b.say.Linef("warning: %v; the lines are written when there is room", saveRemedy(err))
	}
	b.unwritten = err != nil
}

// flush fetches what is pending and writes it down.
func (b *bookkeeper) flush() error {
	var records []record
	for _, p := range b.pending {
		m := record{Step: p.step, Rate: b.cfg.rate(p.step), Metrics: map[string]float32{}}
		ok := true
		for _, r := range p.results {
			for i, v := range r.fetch() {
				m.Metrics[r.names[i]] = v
				if (r.names[i] == "ok" || r.names[i] == "ok_d") && v == 0 {
					ok = false
				}
			}
		}
		records = append(records, m)
		if ok {
			b.skippedRow = 0
			continue
		}
		b.skipped++
		b.skippedRow++
		b.say.Linef("warning: step %d was skipped: a loss or gradient was not finite (%d so far)%s", p.step+1, b.skipped, b.blame.add(b.redraw(p.step)))
	}
	b.pending = b.pending[:0]
	if len(records) == 0 {
		return nil
	}
	if last := records[len(records)-1]; b.logs(last.Step) {
		b.machine.Lap(last.Step+1, last.Metrics)
	}
	b.board.scalars(records)
	b.write(records)
	if b.skippedRow >= maxSkipped {
		name, rate := "learningRate", b.cfg.LearningRate
		if records[len(records)-1].Step < b.cfg.WarmUpSteps() {
			name, rate = "warmUpRate", b.cfg.WarmUpRate
		}
		return fmt.Errorf("%d steps in a row were not finite: lower the rate (--set %s=%g), or look at lint.txt for a broken recording%s",
			b.skippedRow, name, rate/2, b.blame.often())
	}
	b.show(records[len(records)-1])
	return nil
}

func (b *bookkeeper) show(m record) {
	made := m.Step + 1
	if b.paceAt.IsZero() {
		b.paceAt, b.paceStep = time.Now(), made
		b.say.Linef("first step done after %v", time.Since(b.began).Round(100*time.Millisecond))
		return
	}
	// The speed of late, not of the whole run: a star step costs several times a step of the warm-up, and each phase
	// compiles when it begins. So the time left is that of the phase; what the next one will cost is not known yet.
	phase, end, shown := "warm-up", min(b.cfg.WarmUpSteps(), b.cfg.Steps), []string{"identity", "content"}
	if m.Step >= b.cfg.WarmUpSteps() {
		phase, end, shown = "star", b.cfg.Steps, []string{"adv_d", "adv_g", "cycle", "style", "diversity", "content", "source_g"}
	}
	now := time.Now()
	pace := now.Sub(b.paceAt).Seconds() / float64(max(made-b.paceStep, 1))
	b.paceAt, b.paceStep = now, made
	if b.phase != phase {
		b.phase, b.paces = phase, nil
	}
	b.paces = append(b.paces[max(0, len(b.paces)-15):], pace)
	sorted := slices.Clone(b.paces)
	slices.Sort(sorted)
	pace = sorted[len(sorted)/2] // the median passes over compiling and validation
	left := time.Duration(float64(end-made) * pace * float64(time.Second)).Round(time.Second)
	line := fmt.Sprintf("%s %s step %d/%d", phase, bar(made, b.cfg.Steps), made, b.cfg.Steps)
	for _, name := range shown {
		if v, ok := m.Metrics[name]; ok && v != 0 {
			line += fmt.Sprintf("  %s %.3f", name, v)
		}
	}
	where := "left"
	if end < b.cfg.Steps {
		all := left.Seconds() + float64(b.cfg.Steps-end)*pace*b.starCost
		where = fmt.Sprintf("left of this phase, about %v in all", roughly(time.Duration(all*float64(time.Second))))
	}
	b.say.Progress(fmt.Sprintf("%s  %.2f steps/s%s  %v %s", line, 1/pace, b.machine.Busy(), left, where))
}
