package train

import (
	"fmt"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/mlx"
)

// groupProbe holds, for a profile, what gradients are written to.
const groupProbe = "probe"

// of is the network, or the part of it.
func (p pass) of() string {
	if p.decoder {
		return p.network + "'s decoder"
	}
	return p.network
}

// name tells passes apart that differ in what they do, not in what for.
func (p pass) name() string {
	name := fmt.Sprintf("%s, %.0f clips", p.of(), p.items)
	if p.frames > 0 {
		name += fmt.Sprintf(" of %d frames", p.frames)
	}
	if p.weights {
		name += ", gradients of its weights"
	}
	if p.input {
		name += ", gradients of its input"
	}
	return name
}

// forwardOnly is the pass without its way back.
func (p pass) forwardOnly() pass {
	p.weights, p.input = false, false
	return p
}

// prefix of the network's weights.
func (p pass) prefix() string {
	return map[string]string{"G": "gen.", "F": "map.", "E": "sty.", "D": "disc.", "C": "cls.", "P": "pho."}[p.network]
}

// probeInputs are random inputs of a pass, the one that takes a gradient first.
func (e *engine) probeInputs(p pass) []*tensors.Tensor {
	c, n := e.cfg.GAN, int(p.items)
	r := rand.New(rand.NewPCG(uint64(n), uint64(p.frames)))
	random := func(dims ...int) *tensors.Tensor {
		return tensors.FromFlatDataAndDimensions(randomNumbers(r, dims...), dims...)
	}
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

func randomNumbers(r *rand.Rand, dims ...int) []float32 {
	n := 1
	for _, d := range dims {
		n *= d
	}
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
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
		return mlx.Float(net.encodeAs("pho", in[0], nil))
	}
	return augment(in[0], in[1], in[2], in[3])
}

// probe is the graph of one pass. Its result depends on everything that is to be computed; gradients of weights are written
// to memory, as the optimizer's graph has to find them.
func (e *engine) probe(p pass) func([]*Node) []*Node {
	return func(in []*Node) []*Node {
		g := in[0].Graph()
		net := e.over(g, mlx.GroupWeights, !p.weights)
		result := ReduceAllSum(Square(p.through(net, in)))
		if !p.weights && !p.input {
			return mlx.Results(result)
		}
		var names []string
		var to []*Node
		if p.weights {
			for _, name := range e.vars.Names(mlx.GroupWeights, p.prefix()) {
				names, to = append(names, name), append(to, e.vars.Node(g, mlx.GroupWeights, name))
			}
			if p.network == "G" { // to F or E
				to = append(to, in[2])
			}
		}
		if p.input {
			to = append(to, in[0])
		}
		gradients := Gradient(result, to...)
		for i, name := range names {
			e.vars.Update(groupProbe, name, gradients[i])
		}
		for _, x := range gradients[len(names):] {
			result = Add(result, ReduceAllSum(Square(x)))
		}
		return mlx.Results(result)
	}
}

// optimizerProbe is the graph of the optimizer alone: gradients come from memory. Input: a vector that begins with the rate.
func (e *engine) optimizerProbe(prefixes ...string) func([]*Node) []*Node {
	return func(in []*Node) []*Node {
		g := in[0].Graph()
		loss := mlx.At(in[0], 0)
		var rates []mlx.Rate
		for _, prefix := range prefixes {
			rates = append(rates, mlx.Rate{Prefix: prefix, Rate: mlx.At(in[0], 0)})
			for _, name := range e.vars.Names(mlx.GroupWeights, prefix) {
				gradient := e.vars.Node(g, groupProbe, name)
				w := IdentityWithCustomGradient(e.vars.Node(g, mlx.GroupWeights, name), func(_, _ *Node) *Node { return gradient })
				loss = Add(loss, mlx.At(Reshape(w, -1), 0))
			}
		}
		norms, ok := e.adam.Step(e.vars, loss, rates...)
		return mlx.Results(append(norms, ok)...)
	}
}

// averageProbe is the graph of the exponential average alone. Input: a vector that begins with the decay.
func (e *engine) averageProbe(in []*Node) []*Node {
	mlx.UpdateEMA(e.vars, mlx.At(in[0], 0), "gen.", "map.", "sty.")
	return mlx.Results(AddScalar(mlx.At(in[0], 0), 1))
}

// callProbe does nothing: what it takes is the price of a call and of fetching its result.
func callProbe(in []*Node) []*Node { return mlx.Results(AddScalar(mlx.At(in[0], 0), 1)) }

// prepareProbes adds to the variables what profiling needs: a phone network with random weights, and room for gradients.
func prepareProbes(vars *mlx.Vars, cfg Config) error {
	if err := initialise(vars, encoderOfPhones(cfg.GAN), cfg.Seed); err != nil {
		return err
	}
	for _, name := range vars.Names(mlx.GroupWeights, "") {
		data, shape, err := vars.Get(mlx.GroupWeights, name)
		if err != nil {
			return err
		}
		for i := range data {
			data[i] *= 0.01
		}
		if err := vars.Set(groupProbe, name, shape, data); err != nil {
			return err
		}
	}
	return nil
}

// weightCount is the number of a network's weights.
func weightCount(vars *mlx.Vars, prefixes ...string) (n float64, err error) {
	for _, prefix := range prefixes {
		for _, name := range vars.Names(mlx.GroupWeights, prefix) {
			data, _, err := vars.Get(mlx.GroupWeights, name)
			if err != nil {
				return 0, err
			}
			n += float64(len(data))
		}
	}
	return n, nil
}
