package train

import (
	"time"

	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/mlx/gannet"
	"github.com/starvc/vc/internal/phones"
	"github.com/starvc/vc/internal/run"
)

// What a training does, counted from the configuration: multiplications for its time, numbers kept for its memory.

// frameCost is one frame's way through the network.
func (c Config) frameCost() run.Forward {
	outputs := float64(corpus.PhoneCount + c.TeacherDims)
	head := run.Forward{MACs: float64(c.GAN.Bottleneck) * outputs, Kept: float64(c.GAN.Bottleneck) + 3*outputs}
	return gannet.EncodeCost(c.GAN).Plus(head)
}

// stepPass is a batch's way through the network and back.
func (c Config) stepPass() run.Pass {
	return run.Pass{Forward: c.frameCost(), Items: float64(c.Batch * c.CropFrames), Weights: true}
}

// stepBytes are in use at the height of a step: weights, their average, two moments, gradients and new values; a batch, and those that
// wait; and what is kept for the way back.
func (c Config) stepBytes() float64 {
	weights := 0.0
	for _, p := range append(phones.Params(c.GAN), c.teacherParams()...) {
		n := 1.0
		for _, d := range p.Shape {
			n *= float64(d)
		}
		weights += n
	}
	pass := c.stepPass()
	frame := float64(c.GAN.NMels + corpus.PhoneCount + c.TeacherDims + 1)
	return 4*7*weights + 4*4*pass.Items*frame + 4*pass.Items*pass.Kept
}

// Operations per second and core, forward and backward, that training reaches: measured on one core of a Xeon (Sapphire Rapids) with
// presets tiny and small.
const (
	xlaPerCore = 55e9
	goPerCore  = 4e9
)

// drawing is what it takes one core to disturb a second of sound and make its features: rooms, noise and spectra.
const drawing = 900 * time.Microsecond

// compileTime is what XLA takes for the graphs of a step and of reading.
const compileTime = 15 * time.Second

// expect is what the steps from first on take of a device of that kind, with the scores between them; scored is how many frames
// each of those reads.
func (c Config) expect(first, scored int, kind string) run.Cost {
	steps := float64(c.Steps - first)
	if steps <= 0 {
		return run.Cost{}
	}
	operations := steps * c.stepPass().Operations()
	if c.ScoreEvery > 0 {
		read := run.Pass{Forward: c.frameCost(), Items: 2 * float64(scored)} // windows overlap by up to a half
		operations += steps / float64(c.ScoreEvery) * read.Operations()
	}
	sound := steps * float64(c.Batch*c.CropFrames*c.Features.Hop) / float64(c.Features.SampleRate)
	return run.Cost{
		Time: run.Time(kind, compileTime, run.Load{Operations: operations, XLA: xlaPerCore, Go: goPerCore},
			run.Load{Operations: sound, XLA: 1 / drawing.Seconds(), Go: 1 / drawing.Seconds()}),
		Bytes: c.stepBytes(),
	}
}

// bytes are those of the recordings in memory: their waveforms, labels and teacher's features, and what other voices made of them.
// The features of recordings are in files.
func (s *phoneSpeech) bytes() (n float64) {
	for _, us := range [][]labelled{s.train, s.score, s.converted} {
		for _, u := range us {
			n += float64(len(u.phones))
			if u.sound != nil {
				n += float64(2 * len(u.sound.samples))
			}
		}
	}
	for _, u := range s.train {
		if u.teacher != nil {
			n += float64(2 * len(u.teacher.values))
		}
	}
	for _, u := range s.converted {
		n += float64(4 * (len(u.frames.LogMel) + len(u.frames.F0) + len(u.frames.LogEnergy)))
	}
	return n
}
