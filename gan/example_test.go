package gan_test

import (
	"fmt"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
)

// A stream through the generator: what goes in comes out as another voice, frame for frame, later by the look-ahead.
func Example() {
	model := gan.Random(gan.Tiny(), 2, 1) // a trained one comes from gan.Load
	speaker, err := model.Speaker("spk1")
	if err != nil {
		fmt.Println(err)
		return
	}
	g, err := gan.NewGenerator(model, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	g.SetStyle(model.Style(speaker))

	const frames = 5
	logMel := make([]float32, frames*model.Features.NMels)
	f0 := []float32{0, 110, 112, 115, 0} // Hz
	energy := []float32{-9, -3, -2, -3, -9}
	target := model.Speakers[speaker].LogF0()
	pitch := gan.PitchMap{Source: features.MeasureSource(f0, target.Std), Target: target}
	for i, hz := range f0 {
		f0[i] = pitch.Hz(hz)
	}
	out := g.Process(nil, logMel, gan.AppendControls(nil, f0, energy))
	fmt.Println("frames so far:", len(out)/model.Features.NMels)
	out = g.Flush(out)
	fmt.Println("frames in all:", len(out)/model.Features.NMels)
	// Output:
	// frames so far: 3
	// frames in all: 5
}
