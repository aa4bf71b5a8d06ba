package run

import (
	"fmt"

	"github.com/starvc/vc/internal/mlx"
)

// Results are the metrics of one graph of a step, [len(Names)] float32, still on the device. A metric "ok" or "ok_d" is 1 for a
// step that was made, and 0 for one that was skipped because something was not finite.
type Results struct {
	Names  []string
	Tensor *mlx.Tensor
}

// Fetch reads the values, [len(Names)], and frees the tensor.
func (r Results) Fetch() []float32 { return mlx.Take(r.Tensor) }

// Book collects the metrics of the steps, writes them down, and watches for trouble. Values stay on the device until Every steps
// are together, so that no step is followed by a wait for its numbers. All but Board, Skipped, Measure and Show must be set.
type Book struct {
	Log     *MetricsLog
	Board   *Board
	Say     *Reporter
	Every   int                    // steps
	First   int                    // the first step, whose values are fetched at once
	Rate    func(step int) float64 // learning rate
	Skipped func(step int) string  // what a warning of a step that was skipped says besides
	Remedy  func(step int) string  // what to do about too many in a row that end with step
	Measure func(last Record)      // adds metrics of its own to those of a step that is logged: the last of Every, or the first
	Show    func(last Record)      // tells a person of it

	pending   []pendingStep
	skipped   int  // in all
	row       int  // skipped in a row
	unwritten bool // lines are waiting
}

type pendingStep struct {
	step    int
	results []Results
}

// MaxSkipped is how many steps in a row may be skipped for values that are not finite.
const MaxSkipped = 10

// Add takes what the graphs of a step gave.
func (b *Book) Add(step int, rs []Results) error {
	b.pending = append(b.pending, pendingStep{step, rs})
	if !b.logs(step) {
		return nil
	}
	return b.Flush()
}

func (b *Book) logs(step int) bool { return (step+1)%b.Every == 0 || step == b.First }

// AddScores writes down the scores after a step, in a line of their own. Step -1 is before the first, and has the line of that.
func (b *Book) AddScores(step int, scores map[string]float32) error {
	if err := b.Flush(); err != nil {
		return err
	}
	step = max(step, 0)
	m := Record{Step: step, Rate: b.Rate(step), Metrics: scores}
	b.Board.Scalars([]Record{m})
	b.write([]Record{m})
	return nil
}

// write appends to metrics.jsonl. A full disk must not end a run: the lines wait, and it is told once.
func (b *Book) write(records []Record) {
	err := b.Log.Add(records)
	if err != nil && !b.unwritten {
		b.Say.Linef("warning: %v; the lines are written when there is room", SaveRemedy(err))
	}
	b.unwritten = err != nil
}

// Flush fetches what is pending and writes it down. It is an error when too many steps in a row were skipped.
func (b *Book) Flush() error {
	var records []Record
	for _, p := range b.pending {
		m := Record{Step: p.step, Rate: b.Rate(p.step), Metrics: map[string]float32{}}
		ok := true
		for _, r := range p.results {
			for i, v := range r.Fetch() {
				m.Metrics[r.Names[i]] = v
				if (r.Names[i] == "ok" || r.Names[i] == "ok_d") && v == 0 {
					ok = false
				}
			}
		}
		records = append(records, m)
		if ok {
			b.row = 0
			continue
		}
		b.skipped++
		b.row++
		besides := ""
		if b.Skipped != nil {
			besides = b.Skipped(p.step)
		}
		b.Say.Linef("warning: step %d was skipped: a loss or gradient was not finite (%d so far)%s", p.step+1, b.skipped, besides)
	}
	b.pending = b.pending[:0]
	if len(records) == 0 {
		return nil
	}
	last := records[len(records)-1]
	if b.Measure != nil && b.logs(last.Step) {
		b.Measure(last)
	}
	b.Board.Scalars(records)
	b.write(records)
	if b.row >= MaxSkipped {
		return fmt.Errorf("%d steps in a row were not finite: %s", b.row, b.Remedy(last.Step))
	}
	if b.Show != nil {
		b.Show(last)
	}
	return nil
}
