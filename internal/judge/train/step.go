package train

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/internal/judge"
	"github.com/starvc/vc/internal/mlx"
)

// prefix is where all weights stand; classPrefix is where the directions of the speakers do, which are not kept.
const (
	prefix    = "jud."
	className = "jud.class.w"
)

// metrics of a step, in the order in which its graph returns them.
var metrics = []string{"ok", "norm", "loss", "accuracy"}

// engine holds the weights and the compiled graphs.
type engine struct {
	cfg   Config
	vars  *mlx.Vars
	adam  mlx.AdamW
	steps *mlx.Steps
}

func newEngine(c Config, backend compute.Backend, vars *mlx.Vars) *engine {
	return &engine{cfg: c, vars: vars, adam: optimizer(c), steps: mlx.NewSteps(backend, vars)}
}

func optimizer(c Config) mlx.AdamW {
	return mlx.AdamW{Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-8, WeightDecay: c.WeightDecay, Clip: 2}
}

// prepare creates the variables of a run for so many classes: weights, the optimizer's state and the moving average.
func prepare(vars *mlx.Vars, c Config, classes int) error {
	params := append(c.Judge.Params(), judge.Param{Name: className, Shape: []int{c.Judge.Embedding, classes}})
	for i, p := range params {
		if err := vars.Set(mlx.GroupWeights, p.Name, p.Shape, initial(p, c.Seed, uint64(i))); err != nil {
			return err
		}
	}
	if err := optimizer(c).Prepare(vars, prefix); err != nil {
		return err
	}
	return mlx.PrepareEMA(vars, prefix)
}

// initial weights: normal with variance 1/fan-in, depthwise kernels near the identity, a block's second layer small.
func initial(p judge.Param, seed, stream uint64) []float32 {
	n, fanIn := 1, 1
	for i, d := range p.Shape {
		n *= d
		if i < len(p.Shape)-1 {
			fanIn *= d
		}
	}
	data := make([]float32, n)
	r := rand.New(rand.NewPCG(seed, stream))
	spread := 1 / math.Sqrt(float64(fanIn))
	switch {
	case strings.HasSuffix(p.Name, ".gain"):
		for i := range data {
			data[i] = 1
		}
		return data
	case strings.HasSuffix(p.Name, ".b"), strings.HasSuffix(p.Name, ".bias"):
		return data
	case strings.HasSuffix(p.Name, ".dw.w"):
		spread = 0.1
	case strings.HasSuffix(p.Name, ".down.w"):
		spread *= 0.3
	}
	for i := range data {
		data[i] = float32(r.NormFloat64() * spread)
	}
	if strings.HasSuffix(p.Name, ".dw.w") {
		channels := p.Shape[1]
		for i := range channels {
			data[n-channels+i]++ // the last tap is the present
		}
	}
	return data
}

// embed is the network: x [batch, frames, nMels] to embeddings of length 1, [batch, embedding].
func embed(c judge.Config, net mlx.Net, x *Node) *Node {
	d := x.Shape().Dimensions
	h := net.TimeConv(Reshape(x, d[0], d[1]/2, 2*d[2]), "jud.stem", c.StemTaps-1, 0, nil)
	for i := range c.Blocks {
		b := fmt.Sprintf("jud.enc.%d", i)
		y := net.LayerNorm(net.CausalDepthwise(h, b+".dw"), b+".norm")
		h = Add(h, net.Linear(mlx.GELU(net.Linear(y, b+".up")), b+".down"))
	}
	h = mlx.Float(net.LayerNorm(h, "jud.norm"))
	mean := ReduceMean(h, 1)
	centred := Sub(h, BroadcastToShape(InsertAxes(mean, 1), h.Shape()))
	deviation := Sqrt(AddScalar(ReduceMean(Square(centred), 1), judge.PoolEpsilon))
	return unit(mlx.Float(net.Linear(Concatenate([]*Node{mean, deviation}, -1), "jud.embed")), -1)
}

// unit brings x to length 1 along an axis.
func unit(x *Node, axis int) *Node {
	length := Sqrt(AddScalar(ReduceAndKeep(Square(x), ReduceSum, axis), 1e-12))
	return Div(x, BroadcastToShape(length, x.Shape()))
}

// learn is one step. Inputs: x [batch, frames, nMels], target [batch, classes], schedule (rate, EMA decay, margin).
func (e *engine) learn(in []*Node) []*Node {
	x, target, schedule := in[0], in[1], in[2]
	at := func(i int) *Node { return mlx.At(schedule, i) }
	net := mlx.Net{Weights: e.vars.Lookup(x.Graph(), mlx.GroupWeights), DType: dtypes.Float32}
	cosine := Dot(embed(e.cfg.Judge, net, x), unit(net.Weights(className), 0)).Product() // [batch, classes]
	margin := Mul(target, BroadcastToShape(at(2), target.Shape()))
	logits := MulScalar(Sub(cosine, margin), e.cfg.Scale)
	loss := Neg(ReduceAllMean(ReduceSum(Mul(target, LogSoftmax(logits, -1)), -1)))
	hit := GreaterOrEqual(ReduceSum(Mul(target, cosine), -1), ReduceMax(cosine, -1))
	accuracy := StopGradient(ReduceAllMean(ConvertDType(hit, dtypes.Float32)))

	norms, ok := e.adam.Step(e.vars, loss, mlx.Rate{Prefix: prefix, Rate: at(0)})
	mlx.UpdateEMA(e.vars, at(1), prefix)
	return mlx.Results(ok, norms[0], loss, accuracy)
}

// ready puts on the device what a step takes, in the order of learn.
func (e *engine) ready(b batch, step int) ([]*tensors.Tensor, error) {
	c := e.cfg
	in := []*tensors.Tensor{
		tensors.FromFlatDataAndDimensions(b.x, c.Batch, c.CropFrames, c.Judge.Features.NMels),
		tensors.FromFlatDataAndDimensions(b.target, c.Batch, len(b.target)/c.Batch),
		tensors.FromFlatDataAndDimensions([]float32{float32(c.rate(step)), float32(mlx.EMADecay(c.EMA, step)), float32(c.marginAt(step))}, 3),
	}
	if err := e.steps.Upload(in); err != nil {
		return nil, errors.Join(fmt.Errorf("step %d: %w", step, err), e.steps.Free(in))
	}
	return in, nil
}

// run executes a graph by name and frees its inputs.
func (e *engine) run(name string, build func([]*Node) []*Node, inputs ...*tensors.Tensor) (*tensors.Tensor, error) {
	out, err := e.steps.Call(name, build, inputs...)
	return out, errors.Join(err, e.steps.Free(inputs))
}

// averaged are the weights that a judge is made of.
func averaged(vars *mlx.Vars, c judge.Config) (map[string][]float32, error) {
	weights := map[string][]float32{}
	for _, p := range c.Params() {
		data, _, err := vars.Get(mlx.GroupEMA, p.Name)
		if err != nil {
			return nil, err
		}
		weights[p.Name] = data
	}
	return weights, nil
}
