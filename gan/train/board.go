package train

import "github.com/starvc/vc/internal/tfevents"

// board writes for TensorBoard what a run has to show. Its failures are told once and stop nothing.
type board struct {
	w      *tfevents.Writer
	say    *reporter
	failed bool
}

// openBoard begins a file in the run folder; what earlier files hold from step from on no longer counts.
func openBoard(folder string, from int, say *reporter) (*board, error) {
	b := &board{say: say}
	w, err := tfevents.Create(folder, from)
	if err != nil {
		b.try(err)
		return nil, err
	}
	b.w = w
	return b, nil
}

func (b *board) try(err error) {
	if err != nil && !b.failed {
		b.failed = true
		b.say.Linef("warning: nothing more for TensorBoard: %v", err)
	}
}

// scalars writes the means of records under the last one's step. A nil board writes nothing.
func (b *board) scalars(records []record) {
	if b == nil || b.failed || len(records) == 0 {
		return
	}
	sums, counts := map[string]float32{}, map[string]float32{}
	last := records[len(records)-1]
	for _, r := range records {
		for name, v := range r.Metrics {
			if v-v == 0 {
				sums[name] += v
				counts[name]++
			}
		}
	}
	for name := range sums {
		sums[name] /= counts[name]
	}
	sums["rate"] = float32(last.Rate)
	b.try(b.w.Scalars(last.Step+1, sums))
}

func (b *board) close() {
	if b != nil {
		b.try(b.w.Close())
	}
}
