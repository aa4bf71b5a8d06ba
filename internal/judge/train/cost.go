package train

import (
	"time"

	"github.com/starvc/vc/internal/run"
)

// What a training does, counted from the configuration: multiplications for its time, numbers kept for its memory.

// stepPass is a batch's way through the network and back; the network takes two frames at a time.
func (c Config) stepPass(classes int) run.Pass {
	j := c.Judge
	w, hidden := float64(j.Width), float64(j.Hidden)
	stem := run.Forward{MACs: float64(j.StemTaps*2*j.Features.NMels) * w, Kept: 4 * w} // pooled by mean and deviation at the end
	block := run.Forward{MACs: w*float64(j.Kernel) + 2*w*hidden, Kept: 5*w + 4*hidden}
	pairs := float64(c.CropFrames / 2)
	embedding, speakers := float64(j.Embedding), float64(classes)
	ends := run.Forward{MACs: 2*w*embedding + embedding*speakers, Kept: 2*w + 3*embedding + 5*speakers}
	return run.Pass{Forward: stem.Plus(block.Times(float64(j.Blocks))).Times(pairs).Plus(ends), Items: float64(c.Batch), Weights: true}
}

// stepBytes are in use at the height of a step: weights, their average, two moments, gradients and new values; a batch, and those that
// wait; and what is kept for the way back.
func (c Config) stepBytes(classes int) float64 {
	weights := float64(c.Judge.Embedding * classes)
	for _, p := range c.Judge.Params() {
		n := 1.0
		for _, d := range p.Shape {
			n *= float64(d)
		}
		weights += n
	}
	pass := c.stepPass(classes)
	item := float64(c.CropFrames*c.Judge.Features.NMels + classes)
	return 4*7*weights + 4*4*pass.Items*item + 4*pass.Items*pass.Kept
}

// Operations per second and core, forward and backward, that training reaches: measured on one core of a Xeon (Sapphire Rapids).
const (
	xlaPerCore = 38e9
	goPerCore  = 4e9
)

// compileTime is what XLA takes for the graph of a step.
const compileTime = 10 * time.Second

// expect is what the steps from first on take of a device of that kind.
func (c Config) expect(first, classes int, kind string) run.Cost {
	if first >= c.Steps {
		return run.Cost{}
	}
	return run.Cost{
		Time:  run.Time(kind, compileTime, run.Load{Operations: float64(c.Steps-first) * c.stepPass(classes).Operations(), XLA: xlaPerCore, Go: goPerCore}),
		Bytes: c.stepBytes(classes),
	}
}

// bytes are those of the recordings, whose log-mels stay in memory.
func (s *speech) bytes() (n float64) {
	for _, class := range s.classes {
		for _, x := range class {
			n += float64(4 * len(x.mels))
		}
	}
	for _, recordings := range s.score {
		for _, x := range recordings {
			n += float64(4 * len(x))
		}
	}
	return n
}
