package train

import (
	"context"
	"math"
	"testing"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/untrained"
)

// A widened generator gives the bands up to 8 kHz that it gave, and above them the highest one of those.
func TestWidenModel(t *testing.T) {
	narrow := untrained.Model(gan.Tiny(), 2, 5)
	to, err := features.ConfigForRate(24000)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := widenModel(narrow, to)
	if err != nil {
		t.Fatal(err)
	}
	const frames = 20
	n, m := narrow.Features.NMels, to.NMels
	at16, at24, controls := make([]float32, frames*n), make([]float32, frames*m), make([]float32, frames*gan.Controls)
	for i := range at16 {
		at16[i] = float32(i%13)/6 - 1
		at24[i/n*m+i%n] = at16[i]
	}
	convert := func(model *gan.Model, logMel []float32) []float32 {
		g, err := gan.NewGenerator(model, 2)
		if err != nil {
			t.Fatal(err)
		}
		g.SetStyle(model.Style(1))
		out, err := g.Offline(context.Background(), logMel, controls, 1)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	had, has := convert(narrow, at16), convert(wide, at24)
	for i := range frames {
		row := has[i*m:][:m]
		for b, want := range had[i*n:][:n] {
			if d := math.Abs(float64(row[b] - want)); d > 1e-5 {
				t.Fatalf("frame %d, band %d: %g, want %g", i, b, row[b], want)
			}
		}
		for _, v := range row[n:] {
			if math.Abs(float64(v-row[n-1])) > 1e-5 {
				t.Fatalf("frame %d: upper bands %v, want %g", i, row[n:], row[n-1])
			}
		}
	}
	if _, err := widenModel(wide, narrow.Features); err == nil {
		t.Error("a model was narrowed")
	}
}
