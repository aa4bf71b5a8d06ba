package gan

import (
	"math"
	"strings"

	"github.com/starvc/vc/features"
)

// Echo makes a model whose generator gives back what it gets, to about a thousandth: for tests of all that stands around
// the generator, and for hearing what a vocoder alone does. Its only speaker is called echo.
//
// Each mel band travels as two opposite channels beside two large constant ones, which hold the mean of every LayerNorm
// at zero and its variance nearly constant, so that the gains can undo them. The blocks add nothing.
func Echo(f features.Config) *Model {
	const large = 3000
	n := f.NMels
	c := Tiny()
	c.NMels, c.Bottleneck, c.EncoderBlocks, c.DecoderBlocks = n, n, 1, 1
	c.Width = (2*n + 2 + 15) / 16 * 16
	c.Hidden = 16
	tensors := map[string][]float32{}
	for _, p := range c.ModelParams(1) {
		tensors[p.Name] = make([]float32, p.numbers())
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
	m, err := NewModel(f, c, []SpeakerInfo{{Name: "echo", LogF0Mean: lnCentreHz, LogF0Std: features.UnknownPitch.Std}}, Trained{Preset: "echo"}, tensors)
	if err != nil {
		panic(err) // f is not valid
	}
	return m
}
