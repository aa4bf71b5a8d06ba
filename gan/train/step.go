package train

import (
	"errors"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/mlx/gannet"
	"github.com/starvc/vc/internal/run"
)

// Metrics of the three kinds of step, in the order in which the graphs return them. "ok" is 1 for a step that was made
// and 0 for one that was skipped because something was not finite.
var (
	warmUpMetrics        = []string{"ok", "norm_g", "norm_e", "identity", "content", "common", "mapped"}
	discriminatorMetrics = []string{"ok_d", "norm_d", "adv_d", "r1", "source_c", "real", "fake"}
	generatorMetrics     = []string{"ok", "norm_g", "norm_f", "norm_e", "adv_g", "style", "diversity", "cycle", "content", "source_g", "energy", "common", "identity"}
	validMetrics         = []string{"valid_identity", "valid_cycle", "valid_style"}
	starValidMetrics     = append(slices.Clip(validMetrics), "valid_colour", "valid_spread")
)

// engine compiles and runs the training steps of one configuration on one backend.
type engine struct {
	cfg          Config
	backend      compute.Backend
	native       bool // the backend's own convolution
	vars         *mlx.Vars
	speakers     []corpus.SpeakerInfo
	phones       bool // the weights hold a phone network, prefix "pho"
	encoderFromP bool // G's encoder began as that network
	adam         mlx.AdamW
	steps        *mlx.Steps
	stored       []float32 // styles of the model that is added to, see oldStyles
}

func newEngine(cfg Config, backend compute.Backend, native bool, vars *mlx.Vars, speakers []corpus.SpeakerInfo, phones bool) *engine {
	return &engine{
		cfg: cfg, backend: backend, native: native, vars: vars, speakers: speakers, phones: phones,
		adam: optimizer(cfg), steps: mlx.NewSteps(backend, vars),
	}
}

// over is the networks over one group of weights; frozen ones take no gradient.
func (e *engine) over(g *Graph, group string, frozen bool) networks {
	lookup := e.vars.Lookup(g, group)
	if frozen {
		lookup = e.vars.Frozen(g, group)
	}
	net := mlx.Net{Weights: lookup, DType: dtypes.Float32, NativeConv: e.native}
	if e.cfg.BFloat16 {
		net.DType = dtypes.BFloat16
	}
	return networks{cfg: e.cfg.GAN, net: net, labels: e.cfg.StyleLabels, patches: e.cfg.Patches}
}

// phone is P's hidden layer, or nil without P.
func (e *engine) phone(x *Node) *Node {
	if !e.phones {
		return nil
	}
	net := e.over(x.Graph(), mlx.GroupWeights, true)
	return mlx.Float(gannet.Encode(net.net, net.cfg, "pho", x, nil))
}

// warmUp is the step of the first phase: G rebuilds x from a disturbed copy of it, its own pitch and energy, and the style
// of another recording of the same speaker. F learns to draw such styles too, so that the star does not begin with styles
// that G has never seen.
//
// Where what is wanted is given, some of the items are what another speaker says at the same times as the recording that is wanted, so
// that G has a true answer in another voice, in which what passes from the source is an error; and some are that recording in noise.
// Inputs: x, same, controls, y, z1, z2, warp, tilt, taps, schedule; if given what is wanted; with bands above features.SpeechHz
// which items have them; with back-translation the controls for the other voice and which items are chosen.
func (e *engine) warmUp(in []*Node, given bool) []*Node {
	x, same, controls, y, z1, z2, warp, tilt, taps, schedule := in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7], in[8], in[9]
	g := x.Graph()
	rest, want := in[10:], x
	if given {
		want, rest = rest[0], rest[1:]
	}
	var full *Node
	if e.cfg.Features.HasUpper() {
		full, rest = rest[0], rest[1:]
	}
	net := e.over(g, mlx.GroupWeights, false)
	t := e.hold(net, e.rebuild(net, source{x, same, controls, y, warp, tilt, taps}, rest...), y, want, e.known(full), z1, z2)
	rate := mlx.At(schedule, 0)
	rates := generatorRates(rate, mlx.At(schedule, 2))
	norms, ok := e.adam.Step(e.vars, t.loss, append(rates, mlx.Rate{Prefix: "sty.", Rate: rate}, mlx.Rate{Prefix: "map.", Rate: rate})...)
	mlx.UpdateEMA(e.vars, mlx.At(schedule, 6), "gen.", "map.", "sty.")
	return mlx.Results(ok, norms[decoderPart], norms[len(generatorParts)], t.identity, t.content, t.common, t.mapped)
}

// source is what G takes to say a recording again: x [batch, frames, nMels], which it hears disturbed by warp and tilt, another
// recording of the speaker y, pitch and energy, and the taps of the look-ahead.
type source struct{ x, same, controls, y, warp, tilt, taps *Node }

// rebuilt is what G makes of a source, and the two readings of the style that it was given.
type rebuilt struct{ made, own, common *Node }

// rebuild has G say a source again. translation is nothing, or what backTranslated takes besides.
func (e *engine) rebuild(net networks, s source, translation ...*Node) rebuilt {
	own, common := net.encodeStyle(s.same, s.y)
	half := e.cfg.Batch / 2 // half of the items take the common head's style, so that unseen voices can be read
	x := s.x
	if len(translation) > 0 {
		x = e.backTranslated(x, own, translation[0], translation[1], s.taps)
	}
	heard := gannet.Heard(e.cfg.GAN, x)
	disturbed := Add(Einsum("btm,bmn->btn", heard, s.warp), BroadcastToShape(InsertAxes(s.tilt, 1), heard.Shape()))
	style := Concatenate([]*Node{SliceAxis(own, 0, AxisRange(0, half)), SliceAxis(common, 0, AxisRange(half, e.cfg.Batch))}, 0)
	return rebuilt{net.generate(disturbed, s.controls, style, s.taps), own, common}
}

// held are the terms that hold G, E and F to a true answer, and their weighted sum.
type held struct{ loss, identity, content, common, mapped *Node }

// hold compares what was rebuilt with what is wanted, in the bands that are known, and F's draws with the style that E has read.
func (e *engine) hold(net networks, r rebuilt, y, want, known, z1, z2 *Node) held {
	w := e.cfg.Loss
	t := held{
		identity: IdentityLoss(want, r.made, known), content: ScalarZero(want.Graph(), dtypes.Float32),
		common: StyleLoss(StopGradient(r.own), r.common), mapped: MatchLoss(r.own, net.mapLatent(z1, y), net.mapLatent(z2, y)),
	}
	t.loss = Add(MulScalar(t.identity, w.Identity), MulScalar(Add(t.common, t.mapped), w.Style))
	if e.phones {
		t.content = ContentLoss(e.phone(want), e.phone(r.made))
		t.loss = Add(t.loss, MulScalar(t.content, w.Content))
	}
	return t
}

// known is 1 for the bands that the items tell of, [batch, 1, nMels], by full [batch, 1, 1], which is 1 for those that have all of
// them and 0 for those that end at features.SpeechHz. A nil full gives nil.
func (e *engine) known(full *Node) *Node {
	if full == nil {
		return nil
	}
	f := e.cfg.Features
	lower := make([]float32, f.NMels)
	for m := range f.SpeechMels() {
		lower[m] = 1
	}
	always := ConstTensor(full.Graph(), tensors.FromFlatDataAndDimensions(lower, 1, 1, f.NMels))
	shape := full.Shape().Clone()
	shape.Dimensions[2] = f.NMels
	return Max(BroadcastToShape(full, shape), BroadcastToShape(always, shape))
}

// alike brings the bands of x [batch, frames, nMels] that are not known to the floor, where recordings have them that end at
// features.SpeechHz: judges see real and made ones alike.
func (e *engine) alike(x, known *Node) *Node {
	if known == nil {
		return x
	}
	all := BroadcastToShape(known, x.Shape())
	return Add(Mul(x, all), MulScalar(OneMinus(all), float64(e.cfg.Features.NormalizeMel(0))))
}

// backTranslated is x with the chosen items [batch, 1, 1] as the averaged G says them in the style of the item half a batch
// away, under controls with the pitch moved there. What G makes of such an item is then known, the recording itself, so that
// it learns to take another voice off rather than to pass some of its own on (after Sennrich, Haddow and Birch, "Improving
// neural machine translation models with monolingual data", 2016).
func (e *engine) backTranslated(x, styles, moved, chosen, taps *Node) *Node {
	half := e.cfg.Batch / 2
	others := Concatenate([]*Node{SliceAxis(styles, 0, AxisRange(half, e.cfg.Batch)), SliceAxis(styles, 0, AxisRange(0, half))}, 0)
	said := e.over(x.Graph(), mlx.GroupEMA, true).generate(x, moved, StopGradient(others), taps)
	return Add(x, Mul(BroadcastToShape(chosen, x.Shape()), Sub(StopGradient(said), x)))
}

// generatorParts are the prefixes of G's weights. The first four are the encoder's: in the warm-up they can rest while the
// others learn.
var generatorParts = []string{"gen.stem.", "gen.enc.", "gen.neck.norm.", "gen.neck.down.", "gen.neck.up.", "gen.dec.", "gen.out."}

const (
	encoderParts = 4
	decoderPart  = 5 // whose gradient norm stands for G's in the metrics
)

func generatorRates(rate, encoderRate *Node) []mlx.Rate {
	rates := make([]mlx.Rate, len(generatorParts))
	for i, part := range generatorParts {
		rates[i] = mlx.Rate{Prefix: part, Rate: rate}
		if i < encoderParts {
			rates[i].Rate = encoderRate
		}
	}
	return rates
}

// targetStyle is the style for each item: the first half of the batch takes F's, the other half E's reading of a reference.
// E's is a constant: were it not, E could please the style loss by reading the same style from everything.
func (e *engine) targetStyle(net networks, z, ref, target *Node) *Node {
	half := e.cfg.Batch / 2
	first := func(x *Node) *Node { return SliceAxis(x, 0, AxisRange(0, half)) }
	second := func(x *Node) *Node { return SliceAxis(x, 0, AxisRange(half, e.cfg.Batch)) }
	latent := net.mapLatent(first(z), first(target))
	read, _ := net.encodeStyle(second(ref), second(target))
	return Concatenate([]*Node{latent, StopGradient(read)}, 0)
}

// augment is what D sees of a mel, real or fake: bands shifted, level changed, a stretch of time and of bands masked.
func augment(x, shift, gain, mask *Node) *Node {
	moved := Add(Einsum("btm,bmn->btn", x, shift), BroadcastToShape(gain, x.Shape()))
	return Mul(moved, mask)
}

// discriminator is D's step, and C's when withSource is set.
// Inputs: x, ref, controls of the target, y, target, z, noise, shift, gain, mask, taps, schedule; with bands above
// features.SpeechHz which targets have them.
func (e *engine) discriminator(in []*Node, withSource bool) []*Node {
	x, ref, controls, y, target, z, noise := in[0], in[1], in[2], in[3], in[4], in[5], in[6]
	shift, gain, mask, taps, schedule := in[7], in[8], in[9], in[10], in[11]
	g := x.Graph()
	net := e.over(g, mlx.GroupWeights, false)
	fixed := e.over(g, mlx.GroupWeights, true)

	style := e.targetStyle(fixed, z, ref, target)
	fake := StopGradient(e.alike(fixed.generate(x, controls, style, taps), e.known(at(in, 12))))

	real := augment(x, shift, gain, mask)
	disturbed := Add(real, MulScalar(noise, e.cfg.R1Sigma))
	seen := Concatenate([]*Node{real, disturbed, augment(fake, shift, gain, mask)}, 0)
	logits := net.judge(seen, Concatenate([]*Node{y, y, target}, 0))
	b := e.cfg.Batch
	onReal, onDisturbed, onFake := SliceAxis(logits, 0, AxisRange(0, b)), SliceAxis(logits, 0, AxisRange(b, 2*b)), SliceAxis(logits, 0, AxisRange(2*b, 3*b))

	adversarial := DiscriminatorLoss(onReal, onFake)
	penalty := GradientPenalty(onReal, onDisturbed, e.cfg.R1Sigma)
	loss := Add(adversarial, MulScalar(penalty, e.cfg.Loss.R1*0.5))
	rate := mlx.At(schedule, 7)
	rates := []mlx.Rate{{Prefix: "disc.", Rate: rate}}
	source := ScalarZero(g, dtypes.Float32)
	if withSource {
		source = ClassifierLoss(net.classifySource(fake), y)
		loss = Add(loss, Mul(source, mlx.At(schedule, 5)))
		rates = append(rates, mlx.Rate{Prefix: "cls.", Rate: rate})
	}
	norms, ok := e.adam.Step(e.vars, loss, rates...)
	return mlx.Results(ok, norms[0], adversarial, penalty, source, ReduceAllMean(onReal), ReduceAllMean(onFake))
}

// generator is the step of G, F and E.
// Inputs: x, ref, ref2, controls of the source, controls of the target, y, target, z1, z2, shift, gain, mask, taps, schedule; with
// bands above features.SpeechHz which targets have them, and which items.
func (e *engine) generator(in []*Node, withSource bool) []*Node {
	x, ref, ref2, own, moved, y, target := in[0], in[1], in[2], in[3], in[4], in[5], in[6]
	z1, z2, shift, gain, mask, taps, schedule := in[7], in[8], in[9], in[10], in[11], in[12], in[13]
	g := x.Graph()
	net := e.over(g, mlx.GroupWeights, false)
	judges := e.over(g, mlx.GroupWeights, true) // D and C do not learn here
	w := e.cfg.Loss

	style := e.targetStyle(net, z1, ref, target)
	other := e.targetStyle(judges, z2, ref2, target)
	content := net.encode(x, taps)
	targetKnown, known := e.known(at(in, 14)), e.known(at(in, 15))
	fake := e.alike(net.decode(content, moved, style), targetKnown)

	adversarial := GeneratorLoss(judges.judge(augment(fake, shift, gain, mask), target))
	read, _ := net.encodeStyle(fake, target)
	styleLoss := StyleLoss(style, read)
	diversity := DiversityLoss(fake, e.alike(judges.decode(StopGradient(content), moved, other), targetKnown))
	ownStyle, common := net.encodeStyle(x, y)
	cycle := CycleLoss(x, net.generate(fake, own, ownStyle, taps), known)
	energy := EnergyLoss(gannet.Heard(e.cfg.GAN, x), gannet.Heard(e.cfg.GAN, fake), e.cfg.Features.MelMean, e.cfg.Features.MelScale, e.cfg.EnergyMargin)
	commonLoss := StyleLoss(StopGradient(ownStyle), common)

	loss := MulScalar(adversarial, w.Adversarial)
	loss = Add(loss, MulScalar(styleLoss, w.Style))
	loss = Sub(loss, Mul(diversity, mlx.At(schedule, 3)))
	loss = Add(loss, MulScalar(cycle, w.Cycle))
	loss = Add(loss, MulScalar(energy, w.Energy))
	loss = Add(loss, MulScalar(commonLoss, w.Style))
	source := ScalarZero(g, dtypes.Float32)
	if withSource {
		source = ClassifierLoss(judges.classifySource(fake), target)
		loss = Add(loss, Mul(source, mlx.At(schedule, 4)))
	}
	contentLoss := ScalarZero(g, dtypes.Float32)
	if e.phones {
		contentLoss = ContentLoss(e.phone(x), e.phone(fake))
		loss = Add(loss, MulScalar(contentLoss, w.Content))
	}
	identity := ScalarZero(g, dtypes.Float32)
	if w.StarIdentity > 0 {
		identity = IdentityLoss(x, net.decode(content, own, ownStyle), known)
		loss = Add(loss, MulScalar(identity, w.StarIdentity))
	}
	rate := mlx.At(schedule, 0)
	rates := generatorRates(rate, mlx.At(schedule, 2))
	rates = append(rates, mlx.Rate{Prefix: "map.", Rate: mlx.At(schedule, 1)}, mlx.Rate{Prefix: "sty.", Rate: rate})
	norms, ok := e.adam.Step(e.vars, loss, rates...)
	mlx.UpdateEMA(e.vars, mlx.At(schedule, 6), "gen.", "map.", "sty.")
	return mlx.Results(ok, norms[decoderPart], norms[len(generatorParts)], norms[len(generatorParts)+1], adversarial, styleLoss, diversity, cycle, contentLoss, source, energy, commonLoss, identity)
}

// at is input i, nil where there are fewer.
func at(in []*Node, i int) *Node {
	if i < len(in) {
		return in[i]
	}
	return nil
}

// run executes a step by name and frees its inputs.
func (e *engine) run(name string, build func([]*Node) []*Node, inputs ...*tensors.Tensor) (*tensors.Tensor, error) {
	out, err := e.steps.Call(name, build, inputs...)
	return out, errors.Join(err, e.steps.Free(inputs))
}

// results are the metrics of one graph of a step, still on the device.
type results = run.Results
