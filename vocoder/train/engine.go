package train

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/run"
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

// upload puts data on the device. It does not keep data, and may be called beside run. Several cards take their parts later.
func (e *engine) upload(data []float32, dimensions ...int) (*tensors.Tensor, error) {
	if e.steps.Devices() > 1 {
		return tensors.FromFlatDataAndDimensions(data, dimensions...), nil
	}
	return tensors.FromRaw(e.backend, 0, shapes.Make(dtypes.Float32, dimensions...), dtypes.UnsafeByteSliceFromAny(data))
}

// tensorsOf uploads a batch and its step's place in the schedule: input, harmonics, noise, recording, and the learning rate and
// the decay of the averaged weights.
func (e *engine) tensorsOf(b *batch) ([]*tensors.Tensor, error) {
	n, frames, spectrum := e.cfg.Batch, e.cfg.CropFrames, 2*e.cfg.Net.Features.Bins()
	var in []*tensors.Tensor
	for _, part := range []struct {
		data       []float32
		dimensions []int
	}{
		{b.input, []int{n, frames, e.cfg.Net.Inputs()}},
		{b.harmonics, []int{n, frames, spectrum}},
		{b.noise, []int{n, frames, spectrum}},
		{b.sound, []int{n, samples(e.cfg.Net.Features, frames)}},
		{[]float32{float32(e.cfg.rate(b.step)), float32(mlx.EMADecay(e.cfg.EMA, b.step))}, []int{2}},
	} {
		t, err := e.upload(part.data, part.dimensions...)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("batch of step %d: %w", b.step, err), e.steps.Free(in))
		}
		in = append(in, t)
	}
	return in, nil
}

// step makes one step of training from what tensorsOf gives of its batch, which it frees.
func (e *engine) step(step int, in []*tensors.Tensor) ([]run.Results, error) {
	if step < e.cfg.SpectralSteps() {
		out, err := e.steps.Call("spectral", e.spectralStep, in...)
		return []run.Results{{Names: spectralMetrics, Tensor: out}}, errors.Join(err, e.steps.Free(in))
	}
	d, err := e.steps.Call("discriminators", e.discriminatorStep, in...)
	if err != nil {
		return nil, errors.Join(err, e.steps.Free(in))
	}
	g, err := e.steps.Call("vocoder", e.generatorStep, in...)
	return []run.Results{{Names: discriminatorMetrics, Tensor: d}, {Names: generatorMetrics, Tensor: g}}, errors.Join(err, e.steps.Free(in))
}

// score runs the averaged network over one batch; the values are those of validMetrics.
func (e *engine) score(b *batch) ([]float32, error) {
	in, err := e.tensorsOf(b)
	if err != nil {
		return nil, err
	}
	out, err := e.steps.Call("validation", e.validStep, in[:validInputs]...)
	if err := errors.Join(err, e.steps.Free(in)); err != nil {
		return nil, err
	}
	return run.Results{Names: validMetrics, Tensor: out}.Fetch(), nil
}

// validInputs are all but the schedule, which validStep does without.
const validInputs = 4
