// Package untrained makes models that have learnt nothing, for tests and for measurements of speed.
package untrained

import (
	"fmt"
	"math"
	"strings"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/untrained/weights"
	"github.com/starvc/vc/vocoder"
)

// Model is a voice model of weights that seed draws. The speakers are called spk0, spk1 and so on, at 16000 samples per second.
// It panics where the configuration is not valid.
func Model(c gan.Config, speakers int, seed uint64) *gan.Model {
	tensors, pitch := weights.Star(c.ModelParams(speakers), c.Kernel, speakers, seed)
	table := make([]gan.SpeakerInfo, speakers)
	for i, p := range pitch {
		table[i] = gan.SpeakerInfo{Name: fmt.Sprintf("spk%d", i), LogF0Mean: p.Mean, LogF0Std: p.Std, Seconds: 60}
	}
	f := features.DefaultConfig()
	f.NMels = c.NMels
	return must(gan.NewModel(f, c, table, gan.Trained{Preset: "random"}, tensors))
}

// Vocoder is a neural vocoder of weights that seed draws. The voice that it makes is a hoarse one. It panics where the configuration
// is not valid.
func Vocoder(c vocoder.NetConfig, seed uint64) *vocoder.Net {
	return must(vocoder.NewNet(c, nil, weights.Vocoder(c.Params(), seed)))
}

// Echo makes a model whose generator gives back what it gets, to about a thousandth: for tests of all that stands around
// the generator, and for hearing what a vocoder alone does. Its only speaker is called echo, at 150 Hz.
//
// Each mel band travels as two opposite channels beside two large constant ones, which hold the mean of every LayerNorm
// at zero and its variance nearly constant, so that the gains can undo them. The blocks add nothing.
func Echo(f features.Config) *gan.Model {
	const large = 3000
	const ln150 = 5.0106352940962555
	n := f.NMels
	c := gan.Tiny()
	c.NMels, c.Bottleneck, c.EncoderBlocks, c.DecoderBlocks = n, n, 1, 1
	c.Width = (2*n + 2 + 15) / 16 * 16
	c.Hidden = 16
	tensors := map[string][]float32{}
	for _, p := range c.ModelParams(1) {
		numbers := 1
		for _, d := range p.Shape {
			numbers *= d
		}
		tensors[p.Name] = make([]float32, numbers)
	}
	spread := func(w []float32, from int) { // out of row from+m into two channels
		for m := range n {
			w[(from+m)*c.Width+m], w[(from+m)*c.Width+n+m] = 1, -1
		}
	}
	gather := func(w []float32) { // out of two channels
		for m := range n {
			w[m*n+m], w[(n+m)*n+m] = 0.5, -0.5
		}
	}
	spread(tensors["gen.stem.w"], c.StemPast*n)
	gather(tensors["gen.neck.down.w"])
	spread(tensors["gen.neck.up.w"], 0)
	gather(tensors["gen.out.w"])
	for name, w := range tensors {
		switch {
		case name == "gen.stem.b" || name == "gen.neck.up.b":
			w[2*n], w[2*n+1] = large, -large
		case strings.HasSuffix(name, "norm.gain"):
			for i := range w {
				w[i] = large * float32(math.Sqrt(2/float64(c.Width)))
			}
		}
	}
	speakers := []gan.SpeakerInfo{{Name: "echo", LogF0Mean: ln150, LogF0Std: features.UnknownPitch.Std}}
	return must(gan.NewModel(f, c, speakers, gan.Trained{Preset: "echo"}, tensors))
}

func must[T any](made T, err error) T {
	if err != nil {
		panic(err)
	}
	return made
}
