package train

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/vocoder"
)

// Prefixes of the two sides' weights.
const (
	netPrefix  = "voc."
	discPrefix = "disc."
)

// Metrics of the steps, in the order in which their graphs return them.
var (
	spectralMetrics      = []string{"ok", "norm", "spectral", "convergence", "mel"}
	discriminatorMetrics = []string{"ok_d", "norm_d", "adv_d"}
	generatorMetrics     = []string{"ok", "norm", "spectral", "convergence", "mel", "adv_g", "matching"}
	validMetrics         = []string{"valid_spectral", "valid_convergence", "valid_mel"}
)

// engine compiles and runs the steps.
type engine struct {
	cfg     Config
	backend compute.Backend
	native  bool
	vars    *mlx.Vars
	adam    mlx.AdamW
	steps   *mlx.Steps
}

func newEngine(c Config, backend compute.Backend, native bool, vars *mlx.Vars) *engine {
	return &engine{cfg: c, backend: backend, native: native, vars: vars, adam: optimizer(c), steps: mlx.NewSteps(backend, vars)}
}

func optimizer(c Config) mlx.AdamW {
	return mlx.AdamW{Beta1: 0.8, Beta2: 0.99, Epsilon: 1e-8, WeightDecay: c.WeightDecay, Clip: c.Clip}
}

// prepare creates every variable that is missing: weights, the optimizer's state and the moving average.
func prepare(vars *mlx.Vars, c Config) error {
	for _, p := range append(c.Net.Params(), discParams(c.DiscWidth)...) {
		if vars.Has(mlx.GroupWeights, p.Name) {
			continue
		}
		if err := vars.Set(mlx.GroupWeights, p.Name, p.Shape, initial(p, c.Seed)); err != nil {
			return fmt.Errorf("initial weights: %w", err)
		}
	}
	for _, prefix := range []string{netPrefix, discPrefix} {
		if err := optimizer(c).Prepare(vars, prefix); err != nil {
			return err
		}
	}
	return mlx.PrepareEMA(vars, netPrefix)
}

// initial draws a weight's first values, which depend on nothing but its name and the seed.
func initial(p vocoder.Param, seed uint64) []float32 {
	n, fanIn := 1, 1
	for i, d := range p.Shape {
		n *= d
		if i < len(p.Shape)-1 {
			fanIn *= d
		}
	}
	data := make([]float32, n)
	switch {
	case strings.HasSuffix(p.Name, ".gain"):
		for i := range data {
			data[i] = 1
		}
		return data
	case strings.HasSuffix(p.Name, ".b"), strings.HasSuffix(p.Name, ".bias"):
		return data
	}
	deviation := math.Sqrt(1 / float64(fanIn))
	switch {
	case strings.HasSuffix(p.Name, ".dw.w"):
		deviation = 0.1
	case strings.HasSuffix(p.Name, ".down.w"):
		deviation *= 0.3
	case p.Name == "voc.head.w":
		deviation *= 0.1 // the excitation, hardly changed, is where to begin
	case strings.HasPrefix(p.Name, discPrefix):
		deviation *= math.Sqrt2
	}
	h := fnv.New64a()
	h.Write([]byte(p.Name))
	r := rand.New(rand.NewPCG(seed, h.Sum64()))
	for i := range data {
		data[i] = float32(r.NormFloat64() * deviation)
	}
	if strings.HasSuffix(p.Name, ".dw.w") { // the last tap is the present frame
		for i := n - p.Shape[1]; i < n; i++ {
			data[i]++
		}
	}
	return data
}

// net is a network over a group of weights; frozen ones take no gradient.
func (e *engine) net(g *Graph, group string, frozen bool) mlx.Net {
	lookup := e.vars.Lookup(g, group)
	if frozen {
		lookup = e.vars.Frozen(g, group)
	}
	n := mlx.Net{Weights: lookup, DType: dtypes.Float32, NativeConv: e.native}
	if e.cfg.BFloat16 {
		n.DType = dtypes.BFloat16
	}
	return n
}

func (e *engine) voice(in []*Node, group string, frozen bool) *Node {
	return network{e.cfg.Net, e.net(in[0].Graph(), group, frozen)}.voice(in[0], in[1], in[2])
}

// reconstruction is the weighted sum of the losses against the recording, and the terms.
func (e *engine) reconstruction(recording, sound *Node) (loss *Node, terms []*Node) {
	w := e.cfg.Loss
	spectral, convergence := SpectralLoss(recording, sound)
	mel := MelLoss(e.cfg.Net.Features, recording, sound)
	loss = Add(MulScalar(spectral, w.Spectral), Add(MulScalar(convergence, w.Convergence), MulScalar(mel, w.Mel)))
	return loss, []*Node{spectral, convergence, mel}
}

// spectralStep is the step of the first phase. Inputs: input, harmonics, noise, recording, schedule (rate, EMA decay).
func (e *engine) spectralStep(in []*Node) []*Node {
	loss, terms := e.reconstruction(in[3], e.voice(in, mlx.GroupWeights, false))
	norms, ok := e.adam.Step(e.vars, loss, mlx.Rate{Prefix: netPrefix, Rate: mlx.At(in[4], 0)})
	mlx.UpdateEMA(e.vars, mlx.At(in[4], 1), netPrefix)
	return mlx.Results(append([]*Node{ok, norms[0]}, terms...)...)
}

// discriminatorStep has the inputs of spectralStep.
func (e *engine) discriminatorStep(in []*Node) []*Node {
	net := e.net(in[0].Graph(), mlx.GroupWeights, false)
	sound := StopGradient(e.voice(in, mlx.GroupWeights, true))
	loss := DiscriminatorLoss(judge(net, in[3]), judge(net, sound))
	norms, ok := e.adam.Step(e.vars, loss, mlx.Rate{Prefix: discPrefix, Rate: mlx.At(in[4], 0)})
	return mlx.Results(ok, norms[0], loss)
}

// generatorStep is the vocoder's step of the second phase, with the inputs of spectralStep.
func (e *engine) generatorStep(in []*Node) []*Node {
	sound := e.voice(in, mlx.GroupWeights, false)
	loss, terms := e.reconstruction(in[3], sound)
	net := e.net(in[0].Graph(), mlx.GroupWeights, true)
	onRecording, onSound := judge(net, in[3]), judge(net, sound)
	adversarial, matching := AdversarialLoss(onSound), MatchingLoss(onRecording, onSound)
	loss = Add(loss, Add(MulScalar(adversarial, e.cfg.Loss.Adversarial), MulScalar(matching, e.cfg.Loss.Matching)))
	norms, ok := e.adam.Step(e.vars, loss, mlx.Rate{Prefix: netPrefix, Rate: mlx.At(in[4], 0)})
	mlx.UpdateEMA(e.vars, mlx.At(in[4], 1), netPrefix)
	return mlx.Results(append(append([]*Node{ok, norms[0]}, terms...), adversarial, matching)...)
}

// validStep scores the averaged weights. Inputs: input, harmonics, noise, recording.
func (e *engine) validStep(in []*Node) []*Node {
	_, terms := e.reconstruction(in[3], e.voice(in, mlx.GroupEMA, true))
	return mlx.Results(terms...)
}

// sing is the averaged network's sound. Inputs: input, harmonics, noise.
func (e *engine) sing(in []*Node) []*Node { return []*Node{e.voice(in, mlx.GroupEMA, true)} }

// run executes a graph by name and fetches what it gives.
func (e *engine) run(name string, build func([]*Node) []*Node, inputs ...*tensors.Tensor) ([]float32, error) {
	t, err := e.steps.Call(name, build, inputs...)
	if err != nil {
		return nil, err
	}
	out := tensors.MustCopyFlatData[float32](t)
	t.MustFinalizeAll()
	return out, nil
}

// tensorsOf uploads a batch: input, harmonics, noise, recording.
func (e *engine) tensorsOf(b *batch) []*tensors.Tensor {
	n, frames, spectrum := e.cfg.Batch, e.cfg.CropFrames, 2*e.cfg.Net.Features.Bins()
	return []*tensors.Tensor{
		tensors.FromFlatDataAndDimensions(b.input, n, frames, e.cfg.Net.Inputs()),
		tensors.FromFlatDataAndDimensions(b.harmonics, n, frames, spectrum),
		tensors.FromFlatDataAndDimensions(b.noise, n, frames, spectrum),
		tensors.FromFlatDataAndDimensions(b.sound, n, samples(e.cfg.Net.Features, frames)),
	}
}

// step makes one step of training and returns its metrics.
func (e *engine) step(b *batch) (metrics map[string]float32, err error) {
	in := append(e.tensorsOf(b), tensors.FromFlatDataAndDimensions([]float32{float32(e.cfg.rate(b.step)), float32(e.cfg.emaDecay(b.step))}, 2))
	metrics = map[string]float32{}
	take := func(names []string, values []float32) {
		for i, v := range values {
			metrics[names[i]] = v
		}
	}
	if b.step < e.cfg.SpectralSteps() {
		out, err := e.run("spectral", e.spectralStep, in...)
		if err != nil {
			return nil, err
		}
		take(spectralMetrics, out)
		return metrics, e.steps.Free(in)
	}
	out, err := e.run("discriminators", e.discriminatorStep, in...)
	if err != nil {
		return nil, err
	}
	take(discriminatorMetrics, out)
	if out, err = e.run("vocoder", e.generatorStep, in...); err != nil {
		return nil, err
	}
	take(generatorMetrics, out)
	return metrics, e.steps.Free(in)
}

// score runs the averaged network over one batch.
func (e *engine) score(b *batch) ([]float32, error) {
	in := e.tensorsOf(b)
	out, err := e.run("validation", e.validStep, in...)
	if err != nil {
		return nil, err
	}
	return out, e.steps.Free(in)
}
