package train

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/mlx/gannet"
)

// Metrics of the steps that add voices.
var (
	judgeMetrics = []string{"ok_d", "norm_d", "adv_d", "r1", "real", "fake"}
	voiceMetrics = []string{"ok", "norm_g", "norm_f", "norm_e", "adv_g", "identity", "cycle", "anchor", "common", "mapped"}
)

// replay is a crop in an old voice, as the model that the run began with says it.
type replay struct {
	style *Node // of the old voice, [batch, styleDim]
	mel   *Node // [batch, frames, nMels]
}

// replayed lets the old model say x in the old voices of oldHot [batch, old speakers]: in their stored styles where kept,
// [batch, 1], is 1, else in draws of the old F. Nothing of it learns.
func (e *engine) replayed(x, moved, oldHot, stored, kept, z, taps *Node) replay {
	base := e.over(x.Graph(), groupBase, true)
	kept = BroadcastToShape(kept, stored.Shape())
	style := Add(Mul(stored, kept), Mul(base.mapLatent(z, oldHot), OneMinus(kept)))
	return replay{style, base.generate(x, moved, style, taps)}
}

// ownStyles is E's reading of same, [batch, frames, nMels], by the speaker's head for the first half of the batch and by the
// common head for the second, so that G takes both; with both readings of all items. E's body rests.
func (e *engine) ownStyles(net, fixed networks, same, y *Node) (style, own, common *Node) {
	v := StopGradient(fixed.body(same, "sty"))
	own = net.net.SelectHead(v, y, "sty.head")
	common = mlx.Float(fixed.net.Linear(v, "sty.common"))
	half := e.cfg.Batch / 2
	style = Concatenate([]*Node{SliceAxis(own, 0, AxisRange(0, half)), SliceAxis(common, 0, AxisRange(half, e.cfg.Batch))}, 0)
	return style, own, common
}

// learnVoice is the step that adds voices; with judged, D is a part of it.
// Inputs: x, same, controls of the source, controls of the target, y, oldHot, stored, kept, z1, z2, warp, tilt, taps,
// schedule, and with judged shift, gain, mask; with bands above features.SpeechHz, last, which items have them.
func (e *engine) learnVoice(in []*Node, judged bool) []*Node {
	x, same, controls, moved, y, oldHot, stored, kept := in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7]
	z1, z2, warp, tilt, taps, schedule := in[8], in[9], in[10], in[11], in[12], in[13]
	g, b := x.Graph(), e.cfg.Batch
	known := e.voiceKnown(in)
	net, fixed := e.over(g, mlx.GroupWeights, false), e.over(g, mlx.GroupWeights, true)
	w, add := e.cfg.Loss, e.cfg.AddVoice

	far := e.replayed(x, moved, oldHot, stored, kept, z1, taps)
	style, own, common := e.ownStyles(net, fixed, same, y)
	heard := gannet.Heard(e.cfg.GAN, x)
	disturbed := Add(Einsum("btm,bmn->btn", heard, warp), BroadcastToShape(InsertAxes(tilt, 1), heard.Shape()))

	// One pass for all three: x in the old voice, x out of the old voice, and x out of itself.
	content := net.encode(Concatenate([]*Node{heard, gannet.Heard(e.cfg.GAN, far.mel), disturbed}, 0), taps)
	if e.cfg.EncoderShare == 0 {
		content = StopGradient(content)
	}
	said := net.decode(content, Concatenate([]*Node{moved, controls, controls}, 0), Concatenate([]*Node{far.style, style, style}, 0))
	old, back, again := SliceAxis(said, 0, AxisRange(0, b)), SliceAxis(said, 0, AxisRange(b, 2*b)), SliceAxis(said, 0, AxisRange(2*b, 3*b))

	anchor, cycle, identity := l1(far.mel, old), CycleLoss(x, back, known), IdentityLoss(x, again, known)
	commonLoss := StyleLoss(StopGradient(common), own) // the common head rests, so the new one keeps near it
	mapped := MatchLoss(own, net.mapLatent(z1, y), net.mapLatent(z2, y))
	loss := MulScalar(Add(cycle, identity), 0.5*w.Identity)
	loss = Add(loss, MulScalar(anchor, add.Anchor))
	loss = Add(loss, MulScalar(Add(MulScalar(commonLoss, 0.1), mapped), w.Style))
	adversarial := ScalarZero(g, dtypes.Float32)
	if judged {
		adversarial = GeneratorLoss(fixed.judge(augment(e.alike(back, known), in[14], in[15], in[16]), y))
		loss = Add(loss, MulScalar(adversarial, w.Adversarial))
	}

	rate := mlx.At(schedule, 0)
	shared := MulScalar(rate, add.RestShare)
	rates := []mlx.Rate{{Prefix: "map.head.", Rate: rate}, {Prefix: "sty.head.", Rate: rate}}
	for i, part := range generatorParts {
		switch {
		case i >= encoderParts:
			rates = append(rates, mlx.Rate{Prefix: part, Rate: shared})
		case e.cfg.EncoderShare > 0:
			rates = append(rates, mlx.Rate{Prefix: part, Rate: MulScalar(shared, e.cfg.EncoderShare)})
		}
	}
	norms, ok := e.adam.Step(e.vars, loss, rates...)
	for _, r := range rates { // the average of what rests would differ by its rounding
		mlx.UpdateEMA(e.vars, mlx.At(schedule, 6), r.Prefix)
	}
	return mlx.Results(ok, norms[2], norms[0], norms[1], adversarial, identity, cycle, anchor, commonLoss, mapped)
}

// judgeVoice is D's step of a run that adds voices: the crops against what G makes of them out of the old voices.
// Inputs: those of learnVoice, with noise after the mask.
func (e *engine) judgeVoice(in []*Node) []*Node {
	x, same, controls, moved, y, oldHot, stored, kept := in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7]
	z1, taps, schedule, shift, gain, mask, noise := in[8], in[12], in[13], in[14], in[15], in[16], in[17]
	g, b := x.Graph(), e.cfg.Batch
	net, fixed := e.over(g, mlx.GroupWeights, false), e.over(g, mlx.GroupWeights, true)

	far := e.replayed(x, moved, oldHot, stored, kept, z1, taps)
	style, _, _ := e.ownStyles(fixed, fixed, same, y)
	fake := StopGradient(e.alike(fixed.generate(far.mel, controls, style, taps), e.voiceKnown(in)))
	real := augment(x, shift, gain, mask)
	disturbed := Add(real, MulScalar(noise, e.cfg.R1Sigma))
	logits := net.judge(Concatenate([]*Node{real, disturbed, augment(fake, shift, gain, mask)}, 0), Concatenate([]*Node{y, y, y}, 0))
	onReal, onDisturbed, onFake := SliceAxis(logits, 0, AxisRange(0, b)), SliceAxis(logits, 0, AxisRange(b, 2*b)), SliceAxis(logits, 0, AxisRange(2*b, 3*b))

	adversarial := DiscriminatorLoss(onReal, onFake)
	penalty := GradientPenalty(onReal, onDisturbed, e.cfg.R1Sigma)
	loss := Add(adversarial, MulScalar(penalty, e.cfg.Loss.R1*0.5))
	norms, ok := e.adam.Step(e.vars, loss, mlx.Rate{Prefix: "disc.", Rate: mlx.At(schedule, 0)})
	return mlx.Results(ok, norms[0], adversarial, penalty, ReduceAllMean(onReal), ReduceAllMean(onFake))
}

// voiceFeed is the part of the inputs that all graphs of a run that adds voices share.
func (e *engine) voiceFeed(batch *corpus.Batch) (feed, []*tensors.Tensor, error) {
	f := feed{cfg: e.cfg, speakers: e.speakers, batch: batch}
	styles, err := e.oldStyles()
	if err != nil {
		return f, nil, err
	}
	b, dim := e.cfg.Batch, e.cfg.GAN.StyleDim
	old := len(styles) / dim
	hot, stored, kept := make([]float32, b*old), make([]float32, 0, b*dim), make([]float32, b)
	for i, target := range batch.Target {
		hot[i*old+int(target)] = 1
		stored = append(stored, styles[int(target)*dim:(int(target)+1)*dim]...)
		if (i+batch.Step)%2 == 0 {
			kept[i] = 1
		}
	}
	return f, []*tensors.Tensor{
		f.x(), f.same(), f.controls(batch.Y), f.controls(batch.Target), f.oneHot(batch.Y),
		tensors.FromFlatDataAndDimensions(hot, b, old), tensors.FromFlatDataAndDimensions(stored, b, dim),
		tensors.FromFlatDataAndDimensions(kept, b, 1),
	}, nil
}

// prepareVoiceStep builds the inputs of a step of a run that adds voices: G's alone at first, then D's and G's.
func (e *engine) prepareVoiceStep(batch *corpus.Batch) (readyStep, error) {
	f, in, err := e.voiceFeed(batch)
	if err != nil {
		return readyStep{}, err
	}
	warp, tilt := f.disturbance()
	in = append(in, f.latent(batch.Z1), f.latent(batch.Z2), warp, tilt, f.taps(), f.schedule(e.cfg.schedule(batch.Step, false)))
	var full []*tensors.Tensor
	if e.cfg.Features.HasUpper() {
		full = append(full, f.flags(batch.FullBand))
	}
	if batch.Step < e.cfg.WarmUpSteps() {
		in = append(in, full...)
		learn := func(in []*Node) []*Node { return e.learnVoice(in, false) }
		return readyStep{graphs: []readyGraph{{"new voice", learn, voiceMetrics, in}}, inputs: in}, nil
	}
	shift, gain := f.shifts()
	in = append(in, shift, gain, f.mask())
	judge := slices.Concat(in, []*tensors.Tensor{f.noise()}, full)
	in = append(in, full...)
	return readyStep{
		graphs: []readyGraph{
			{"judge of the new voice", e.judgeVoice, judgeMetrics, judge},
			{"new voice, judged", func(in []*Node) []*Node { return e.learnVoice(in, true) }, voiceMetrics, in},
		},
		inputs: judge,
	}, nil
}

// voiceKnown is known of the items by the last of the inputs, nil without bands above features.SpeechHz.
func (e *engine) voiceKnown(in []*Node) *Node {
	if !e.cfg.Features.HasUpper() {
		return nil
	}
	return e.known(in[len(in)-1])
}

// validateVoice scores the averaged weights: a crop rebuilt in its own style, rebuilt out of an old voice, and the style
// read back from that.
// Inputs: those of voiceFeed, z, taps; with bands above features.SpeechHz which items have them.
func (e *engine) validateVoice(in []*Node) []*Node {
	x, same, controls, moved, y, oldHot, stored, kept, z, taps := in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7], in[8], in[9]
	net := e.over(x.Graph(), mlx.GroupEMA, true)
	far := e.replayed(x, moved, oldHot, stored, kept, z, taps)
	own, _ := net.encodeStyle(same, y)
	known := e.voiceKnown(in)
	back := e.alike(net.generate(far.mel, controls, own, taps), known)
	read, _ := net.encodeStyle(back, y)
	return mlx.Results(apartKnown(x, net.generate(x, controls, own, taps), known), apartKnown(x, back, known), apart(own, read))
}

func (e *engine) scoreVoice(batch *corpus.Batch) ([]float32, error) {
	f, in, err := e.voiceFeed(batch)
	if err != nil {
		return nil, err
	}
	in = append(in, f.latent(batch.Z1), f.taps())
	if e.cfg.Features.HasUpper() {
		in = append(in, f.flags(batch.FullBand))
	}
	out, err := e.run("validation", e.validateVoice, in...)
	if err != nil {
		return nil, err
	}
	return results{Names: validMetrics, Tensor: out}.Fetch(), nil
}

// voiceCost is the operations of a step without D and of one with it, see stepCost: the old model's pass, three of G, whose
// encoder takes no gradient, and E's.
func (c Config) voiceCost(g, body, style forward) (alone, judged float64) {
	b := 2 * float64(c.Batch)
	decoder := decoderShare(c.GAN)
	alone = b * (g.MACs + 3*g.MACs*(1+2*decoder) + style.MACs)
	return alone, alone + b*(2*body.MACs+2*g.MACs+style.MACs+9*body.MACs)
}

// voiceKept is what a step keeps for its backward pass, see stepCost: of G the decoder's three passes, unless the encoder learns too,
// and where D has a part, its own.
func (c Config) voiceKept(g, body forward) forward {
	kept := g.Times(3 * decoderShare(c.GAN))
	if c.EncoderShare > 0 {
		kept = g.Times(3)
	}
	if c.WarmUpSteps() < c.Steps {
		kept = kept.Plus(body.Times(4))
	}
	return kept
}

// oldStyles are the stored styles of the model that the run began with, [old speakers*styleDim].
func (e *engine) oldStyles() ([]float32, error) {
	if e.stored == nil {
		styles, _, err := e.vars.Get(groupBase, storedStyles)
		if err != nil {
			return nil, err
		}
		e.stored = styles
	}
	return e.stored, nil
}

// keptStyle is the style of an old voice that has no recordings here.
func (e *engine) keptStyle(speaker int, name string) ([]float32, error) {
	if e.cfg.AddVoice.On {
		styles, err := e.oldStyles()
		if err != nil {
			return nil, err
		}
		if dim := e.cfg.GAN.StyleDim; (speaker+1)*dim <= len(styles) {
			return styles[speaker*dim : (speaker+1)*dim], nil
		}
	}
	return nil, fmt.Errorf("styles: speaker %s has no training speech", name)
}
