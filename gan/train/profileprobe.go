package train

import (
	"fmt"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/mlx/gannet"
	"github.com/starvc/vc/internal/mlx/profile"
	"github.com/starvc/vc/internal/run"
)

// part is a pass as a profile measures it.
func (e *engine) part(p pass) profile.Part {
	of := p.network
	if p.decoder {
		of += "'s decoder"
	}
	name := fmt.Sprintf("%s, %.0f clips", of, p.items)
	if p.frames > 0 {
		name += fmt.Sprintf(" of %d frames", p.frames)
	}
	x := profile.Part{
		Step: p.step, Term: p.network, Of: of, What: p.what, Items: p.items, Name: name, Prefix: p.prefix(), Learns: p.weights,
		Inputs: func() []*tensors.Tensor { return e.probeInputs(p) },
		Through: func(in []*Node, frozen bool) *Node {
			return p.through(e.over(in[0].Graph(), mlx.GroupWeights, frozen), in)
		},
		Counts: []run.Pass{p.with(p.cost(e.cfg.GAN, len(e.speakers), e.native))},
	}
	if p.weights && p.network == "G" { // to F or E
		x.To = append(x.To, 2)
	}
	if p.input {
		x.To = append(x.To, 0)
	}
	return x
}

// prefix of the network's weights.
func (p pass) prefix() string {
	return map[string]string{"G": "gen.", "F": "map.", "E": "sty.", "D": "disc.", "C": "cls.", "P": "pho."}[p.network]
}

// probeInputs are random inputs of a pass, the one that takes a gradient first.
func (e *engine) probeInputs(p pass) []*tensors.Tensor {
	c, n := e.cfg.GAN, int(p.items)
	r := rand.New(rand.NewPCG(uint64(n), uint64(p.frames)))
	random := func(dims ...int) *tensors.Tensor { return profile.Random(r, dims...) }
	y := make([]int32, n)
	for i := range y {
		y[i] = int32(i % len(e.speakers))
	}
	f := feed{cfg: e.cfg, speakers: e.speakers}
	switch p.network {
	case "G":
		in := random(n, p.frames, c.NMels)
		if p.decoder {
			in = random(n, p.frames, c.Bottleneck)
		}
		return []*tensors.Tensor{in, random(n, p.frames, gan.Controls), random(n, c.StyleDim), random(c.StemTaps())}
	case "F":
		return []*tensors.Tensor{random(n, c.LatentDim), f.oneHot(y)}
	case augmentation:
		return []*tensors.Tensor{random(n, p.frames, c.NMels), random(n, c.NMels, c.NMels), random(n, 1, 1), random(n, p.frames, c.NMels)}
	}
	return []*tensors.Tensor{random(n, p.frames, c.NMels), f.oneHot(y)}
}

// through sends probeInputs through the network.
func (p pass) through(net networks, in []*Node) *Node {
	switch p.network {
	case "G":
		if p.decoder {
			return net.decode(in[0], in[1], in[2])
		}
		return net.generate(in[0], in[1], in[2], in[3])
	case "F":
		return net.mapLatent(in[0], in[1])
	case "E":
		style, common := net.encodeStyle(in[0], in[1])
		return Add(style, common)
	case "D":
		return net.judge(in[0], in[1])
	case "C":
		return net.classifySource(in[0])
	case "P":
		return mlx.Float(gannet.Encode(net.net, net.cfg, "pho", in[0], nil))
	}
	return augment(in[0], in[1], in[2], in[3])
}
