package train

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/internal/mlx"
)

// Between the star's own steps stand anchored ones, see Config.StarEvery: what is wanted is known as in the warm-up, the speaker's own
// words or a pair, and D says whether G's output is as real as it. The distance alone has its least at the mean of what might be
// right, which is smooth and dull; D alone knows no words. Both together hold each other.

var (
	anchoredDMetrics = []string{"ok_d", "norm_d", "anchor_d", "r1", "anchor_real", "anchor_fake"}
	anchoredGMetrics = []string{"ok", "norm_g", "norm_e", "identity", "content", "common", "mapped", "anchor_g", "matching"}
)

// anchor is what both graphs of an anchored step take.
type anchor struct {
	source
	shift, gain, mask, schedule, want *Node
	known                             *Node // see engine.known
}

// anchorInputs is the number of inputs that both graphs have, without the last: which items have bands above features.SpeechHz.
const anchorInputs = 12

func (e *engine) anchorOf(in []*Node) anchor {
	return anchor{
		source: source{x: in[0], same: in[1], controls: in[2], y: in[3], warp: in[4], tilt: in[5], taps: in[9]},
		shift:  in[6], gain: in[7], mask: in[8], schedule: in[10], want: in[11], known: e.known(at(in, anchorInputs)),
	}
}

// anchoredDiscriminator is D's step. Inputs: those of anchor, and the noise of the penalty if it is penalised.
func (e *engine) anchoredDiscriminator(in []*Node, penalised bool) []*Node {
	var noise *Node
	if penalised {
		in, noise = in[:len(in)-1], in[len(in)-1]
	}
	a := e.anchorOf(in)
	g := a.x.Graph()
	net := e.over(g, mlx.GroupWeights, false)
	fake := e.alike(e.rebuild(e.over(g, mlx.GroupWeights, true), a.source).made, a.known)

	real := augment(e.alike(a.want, a.known), a.shift, a.gain, a.mask)
	seen, who := []*Node{real, augment(StopGradient(fake), a.shift, a.gain, a.mask)}, []*Node{a.y, a.y}
	if penalised {
		seen, who = append(seen, Add(real, MulScalar(noise, e.cfg.R1Sigma))), append(who, a.y)
	}
	logits := net.judge(Concatenate(seen, 0), Concatenate(who, 0))
	part := func(i int) *Node { return SliceAxis(logits, 0, AxisRange(i*e.cfg.Batch, (i+1)*e.cfg.Batch)) }
	onReal, onFake := part(0), part(1)
	adversarial := DiscriminatorLoss(onReal, onFake)
	if e.cfg.Relativistic {
		adversarial = PairedLoss(onReal, onFake)
	}
	loss, penalty := adversarial, ScalarZero(g, dtypes.Float32)
	if penalised {
		penalty = GradientPenalty(onReal, part(2), e.cfg.R1Sigma)
		loss = Add(loss, MulScalar(penalty, e.penaltyWeight()))
	}
	norms, ok := e.adam.Step(e.vars, loss, mlx.Rate{Prefix: "disc.", Rate: mlx.At(a.schedule, 7)})
	return mlx.Results(ok, norms[0], adversarial, penalty, ReduceAllMean(onReal), ReduceAllMean(onFake))
}

// penaltyWeight is that of the gradient penalty where it is asked for, as strong as if every step had it.
func (e *engine) penaltyWeight() float64 { return e.cfg.Loss.R1 * 0.5 * float64(max(1, e.cfg.R1Every)) }

// anchoredGenerator is the step of G, F and E. Inputs: those of anchor; with back-translation the controls for the other voice and
// which items are chosen, which D's step goes without; z1, z2.
func (e *engine) anchoredGenerator(in []*Node) []*Node {
	n := len(in) - 2
	z1, z2 := in[n], in[n+1]
	var translation []*Node
	if e.cfg.BackTranslation > 0 {
		n -= 2
		translation = in[n : n+2]
	}
	a := e.anchorOf(in[:n])
	g := a.x.Graph()
	net := e.over(g, mlx.GroupWeights, false)
	judges := e.over(g, mlx.GroupWeights, true)
	w := e.cfg.Loss

	r := e.rebuild(net, a.source, translation...)
	t := e.hold(net, r, a.y, a.want, a.known, z1, z2)
	made, want := e.alike(r.made, a.known), e.alike(a.want, a.known)

	both := Concatenate([]*Node{augment(want, a.shift, a.gain, a.mask), augment(made, a.shift, a.gain, a.mask)}, 0)
	logits, layers := judges.judgeLayers(both, Concatenate([]*Node{a.y, a.y}, 0))
	b := e.cfg.Batch
	onWant, onMade := SliceAxis(logits, 0, AxisRange(0, b)), SliceAxis(logits, 0, AxisRange(b, 2*b))
	adversarial := GeneratorLoss(onMade)
	if e.cfg.Relativistic {
		adversarial = PairedLoss(onMade, StopGradient(onWant))
	}
	matching := ScalarZero(g, dtypes.Float32)
	if len(layers) > 0 {
		matching = MatchingLoss(layers, b)
	}

	loss := Add(t.loss, Add(MulScalar(adversarial, w.Adversarial), MulScalar(matching, w.Matching)))
	rate := mlx.At(a.schedule, 0)
	rates := generatorRates(rate, mlx.At(a.schedule, 2))
	rates = append(rates, mlx.Rate{Prefix: "map.", Rate: mlx.At(a.schedule, 1)}, mlx.Rate{Prefix: "sty.", Rate: rate})
	norms, ok := e.adam.Step(e.vars, loss, rates...)
	mlx.UpdateEMA(e.vars, mlx.At(a.schedule, 6), "gen.", "map.", "sty.")
	return mlx.Results(ok, norms[decoderPart], norms[len(generatorParts)+1], t.identity, t.content, t.common, t.mapped, adversarial, matching)
}

// prepareAnchor builds the inputs of an anchored step, D's and then G's.
func (e *engine) prepareAnchor(f feed, schedule *tensors.Tensor) readyStep {
	b := f.batch
	warp, tilt := f.disturbance()
	shift, gain := f.shifts()
	want := f.x()
	if b.Want != nil {
		want = f.want()
	}
	in := []*tensors.Tensor{f.x(), f.same(), f.controls(b.Y), f.oneHot(b.Y), warp, tilt, shift, gain, f.mask(), f.taps(), schedule, want}
	if b.FullBand != nil {
		in = append(in, f.flags(b.FullBand))
	}
	var ofG []*tensors.Tensor
	if e.cfg.BackTranslation > 0 {
		ofG = f.translation()
	}
	ofG = append(ofG, f.latent(b.Z1), f.latent(b.Z2))
	with := func(more ...*tensors.Tensor) []*tensors.Tensor { return append(in[:len(in):len(in)], more...) }
	name, ofD, penalised := "anchored discriminator", in, e.penalised(b.Step)
	s := readyStep{inputs: with(ofG...)}
	if penalised {
		noise := f.noise()
		name, ofD, s.inputs = name+" with its penalty", with(noise), append(s.inputs, noise)
	}
	s.graphs = []readyGraph{
		{name, func(in []*Node) []*Node { return e.anchoredDiscriminator(in, penalised) }, anchoredDMetrics, ofD},
		{"anchored generator", e.anchoredGenerator, anchoredGMetrics, with(ofG...)},
	}
	return s
}

// penalised tells the anchored steps that have the gradient penalty. The first of the star is none of them.
func (e *engine) penalised(step int) bool {
	n := max(1, e.cfg.R1Every)
	return (step-e.cfg.WarmUpSteps())%n == 1%n
}
