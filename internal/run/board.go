package run

import (
	"bytes"
	"image/png"

	"github.com/starvc/vc/internal/tfevents"
)

// Board writes for TensorBoard what a run has to show. Its failures are told once and stop nothing. A nil Board writes nothing.
type Board struct {
	w      *tfevents.Writer
	say    *Reporter
	failed bool
}

// OpenBoard begins a file in the run folder; what earlier files hold from step from on no longer counts. It is nil where that
// fails, which is told.
func OpenBoard(folder string, from int, say *Reporter) *Board {
	b := &Board{say: say}
	w, err := tfevents.Create(folder, from)
	if err != nil {
		b.try(err)
		return nil
	}
	b.w = w
	return b
}

func (b *Board) try(err error) {
	if err != nil && !b.failed {
		b.failed = true
		b.say.Linef("warning: nothing more for TensorBoard: %v", err)
	}
}

// Scalars writes the means of records under the last one's step.
func (b *Board) Scalars(records []Record) {
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

// Picture writes a picture in PNG; one that is none is left out.
func (b *Board) Picture(step int, name string, picture []byte) {
	if b == nil || b.failed {
		return
	}
	if c, err := png.DecodeConfig(bytes.NewReader(picture)); err == nil {
		b.try(b.w.PNG(step, name, picture, c.Width, c.Height))
	}
}

// Sound writes a sound of one channel in WAV, of so many samples at rate.
func (b *Board) Sound(step int, name string, wav []byte, rate, samples int) {
	if b != nil && !b.failed {
		b.try(b.w.WAV(step, name, wav, rate, samples))
	}
}

// Close ends the file.
func (b *Board) Close() {
	if b != nil {
		b.try(b.w.Close())
	}
}
