package profile

import (
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/internal/mlx"
)

// groupProbe holds what gradients are written to.
const groupProbe = "probe"

// schedule is an input that stands for a rate, and for a decay, of 0.
func schedule() *tensors.Tensor { return tensors.FromFlatDataAndDimensions([]float32{0}, 1) }

// Random is a tensor of random numbers.
func Random(r *rand.Rand, dims ...int) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(RandomNumbers(r, dims...), dims...)
}

// RandomNumbers are those of a tensor.
func RandomNumbers(r *rand.Rand, dims ...int) []float32 {
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

// probe is the graph of one part. Its result depends on everything that is to be computed; gradients of weights are written
// to memory, as the optimizer's graph has to find them.
func (p *Profiler) probe(x Part, back bool) func([]*Node) []*Node {
	return func(in []*Node) []*Node {
		g := in[0].Graph()
		learns := back && x.Learns
		result := ReduceAllSum(Square(x.Through(in, !learns)))
		if !back || !x.back() {
			return mlx.Results(result)
		}
		var names []string
		var to []*Node
		if learns {
			for _, name := range p.vars.Names(mlx.GroupWeights, x.Prefix) {
				names, to = append(names, name), append(to, p.vars.Node(g, mlx.GroupWeights, name))
			}
		}
		for _, i := range x.To {
			to = append(to, in[i])
		}
		gradients := Gradient(result, to...)
		for i, name := range names {
			p.vars.Update(groupProbe, name, gradients[i])
		}
		for _, gradient := range gradients[len(names):] {
			result = Add(result, ReduceAllSum(Square(gradient)))
		}
		return mlx.Results(result)
	}
}

// optimizerProbe is the graph of the optimizer alone: gradients come from memory. Input: the rate.
func (p *Profiler) optimizerProbe(prefixes []string) func([]*Node) []*Node {
	return func(in []*Node) []*Node {
		g := in[0].Graph()
		loss := mlx.At(in[0], 0)
		var rates []mlx.Rate
		for _, prefix := range prefixes {
			rates = append(rates, mlx.Rate{Prefix: prefix, Rate: mlx.At(in[0], 0)})
			for _, name := range p.vars.Names(mlx.GroupWeights, prefix) {
				gradient := p.vars.Node(g, groupProbe, name)
				w := IdentityWithCustomGradient(p.vars.Node(g, mlx.GroupWeights, name), func(_, _ *Node) *Node { return gradient })
				loss = Add(loss, mlx.At(Reshape(w, -1), 0))
			}
		}
		norms, ok := p.adam.Step(p.vars, loss, rates...)
		return mlx.Results(append(norms, ok)...)
	}
}

// averageProbe is the graph of the exponential average alone. Input: the decay.
func (p *Profiler) averageProbe(prefixes []string) func([]*Node) []*Node {
	return func(in []*Node) []*Node {
		mlx.UpdateEMA(p.vars, mlx.At(in[0], 0), prefixes...)
		return callProbe(in)
	}
}

// callProbe does nothing: what it takes is the price of a call and of fetching its result.
func callProbe(in []*Node) []*Node { return mlx.Results(AddScalar(mlx.At(in[0], 0), 1)) }

// weightCount is the number of weights whose names have one of the prefixes.
func (p *Profiler) weightCount(prefixes ...string) (n float64, err error) {
	for _, prefix := range prefixes {
		for _, name := range p.vars.Names(mlx.GroupWeights, prefix) {
			data, _, err := p.vars.Get(mlx.GroupWeights, name)
			if err != nil {
				return 0, err
			}
			n += float64(len(data))
		}
	}
	return n, nil
}
