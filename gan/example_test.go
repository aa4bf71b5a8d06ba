package gan_test

import (
	"fmt"
	"math"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
)

// untaught makes a model of weights that are all zero.
func untaught(speakers ...string) (*gan.Model, error) {
	cfg := gan.Tiny()
	weights := make(map[string][]float32)
	for _, p := range cfg.ModelParams(len(speakers)) {
		numbers := 1
		for _, d := range p.Shape {
			numbers *= d
		}
		weights[p.Name] = make([]float32, numbers)
	}
	var table []gan.SpeakerInfo
	for _, name := range speakers {
		table = append(table, gan.SpeakerInfo{Name: name, LogF0Mean: math.Log(150), LogF0Std: 0.2})
	}
	return gan.NewModel(features.DefaultConfig(), cfg, table, gan.Trained{}, weights)
}

// A stream through the generator: what goes in comes out as another voice, frame for frame, later by the look-ahead.
func Example() {
	model, err := untaught("spk0", "spk1") // a trained one comes from gan.Load
	if err != nil {
		fmt.Println(err)
		return
	}
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
