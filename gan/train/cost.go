package train

import (
	"time"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/mlx/gannet"
	"github.com/starvc/vc/internal/run"
)

// What a step costs, counted from the configuration: multiplications for its time, numbers kept for its memory.

type forward = run.Forward

// generatorCost is G on so many frames.
func generatorCost(c gan.Config, frames int) forward {
	w := float64(c.Width)
	ends := forward{MACs: w*float64(c.NMels*(c.StemTaps()+1)) + 2*w*float64(c.Bottleneck), Kept: 3 * w}
	return ends.Plus(encoderCost(c)).Plus(decoderCost(c)).Times(float64(frames))
}

// encoderCost and decoderCost are the blocks on one frame.
func encoderCost(c gan.Config) forward {
	return gannet.BlockCost(c).Times(float64(c.EncoderBlocks))
}

func decoderCost(c gan.Config) forward {
	if c.DecoderBands > 0 {
		w := float64(c.DecoderChannels)
		h := w * float64(c.Hidden) / float64(c.Width)
		return forward{MACs: 9*w*w + 2*w*h, Kept: (9+5)*w + 4*h}.Times(float64(c.DecoderBlocks * c.DecoderBands))
	}
	return gannet.BlockCost(c).Times(float64(c.DecoderBlocks))
}

// decoderShare is the decoder's part of G's blocks.
func decoderShare(c gan.Config) float64 {
	d := decoderCost(c).MACs
	return d / (encoderCost(c).MACs + d)
}

// bodyCost is E, D or C on so many frames. Where the convolution is made of a matrix product its nine shifted copies are
// kept too.
func bodyCost(c gan.Config, frames int, native bool) forward {
	copies := 9.0
	if native {
		copies = 0
	}
	var f forward
	at := float64(frames * c.NMels)
	f = f.Plus(forward{MACs: at * 9 * float64(c.BodyWidths[0]), Kept: at * (copies + float64(c.BodyWidths[0]))})
	return f.Plus(bodyBlocksCost(c, 0, c.BodyBlocks(), at, copies))
}

// bodyBlocksCost is the residual blocks of a body from one to before another, on so many cells at first, of which a block leaves a quarter.
func bodyBlocksCost(c gan.Config, from, to int, at, copies float64) (f forward) {
	for i := from; i < to; i++ {
		in, out := float64(c.BodyWidths[i]), float64(c.BodyWidths[i+1])
		f = f.Plus(forward{MACs: at * 9 * in * in, Kept: at * in * (copies + 3)})
		at /= 4
		f = f.Plus(forward{MACs: at * (9*in*out + in*out), Kept: at * (in*(copies+3) + 3*out)})
	}
	return f
}

// patchesCost is a D that judges patches on so many frames.
func patchesCost(c gan.Config, patches, frames int, native bool) forward {
	copies := 9.0
	if native {
		copies = 0
	}
	at, w := float64(frames*c.NMels)/4, float64(c.BodyWidths[1])
	f := forward{MACs: at * 9 * foldedChannels * w, Kept: at * (foldedChannels*(copies+1) + w)}
	return f.Plus(bodyBlocksCost(c, 1, patches, at, copies))
}

// mapCost is F on one latent code: all heads are computed and one is kept.
func mapCost(c gan.Config, speakers int) forward {
	w, heads := float64(c.MapWidth), float64(speakers*c.StyleDim)
	shared := float64(c.LatentDim)*w + float64(c.MapLayers-1)*w*w
	return forward{MACs: shared + heads*w, Kept: float64(c.MapLayers)*w + heads}
}

// augmentCost is what D's augmentation does to one mel.
func augmentCost(c gan.Config, frames int) forward {
	at := float64(frames * c.NMels)
	return forward{MACs: at * float64(c.NMels), Kept: 2 * at}
}

// pass is one way through one network in a step of the star: forward, and back where a gradient is asked for.
type pass struct {
	step    string // whose it is: "D", which C's belongs to, or "G", which F's and E's belong to
	network string // "G", "F", "E", "D", "C", "P", or augmentation
	decoder bool   // of G, its second half alone
	what    string // for people: what goes through it
	items   float64
	frames  int
	weights bool // gradients of the network's weights
	input   bool // gradients of what goes in
}

// starPasses lists what a step of the star, D's and then G's, sends through the networks, in the order of
// engine.discriminator and engine.generator. C takes part.
func (c Config) starPasses(phones bool) []pass {
	b, crop, ref := float64(c.Batch), c.CropFrames, c.StyleFrames
	list := []pass{
		{step: "D", network: "F", what: "draws half of the target styles", items: b / 2},
		{step: "D", network: "E", what: "reads the other half", items: b / 2, frames: ref},
		{step: "D", network: "G", what: "converts", items: b, frames: crop},
		{step: "D", network: augmentation, what: "of real and converted", items: 2 * b, frames: crop},
		{step: "D", network: "D", what: "judges real, disturbed and converted", items: 3 * b, frames: crop, weights: true},
		{step: "D", network: "C", what: "names the source of the converted", items: b, frames: crop, weights: true},

		{step: "G", network: "F", what: "draws half of the target styles", items: b / 2, weights: true},
		{step: "G", network: "F", what: "draws styles for diversity", items: b / 2},
		{step: "G", network: "E", what: "reads the other half", items: b / 2, frames: ref},
		{step: "G", network: "E", what: "reads styles for diversity", items: b / 2, frames: ref},
		{step: "G", network: "G", what: "converts", items: b, frames: crop, weights: true},
		{step: "G", network: augmentation, what: "of converted", items: b, frames: crop, input: true},
		{step: "G", network: "D", what: "judges converted", items: b, frames: crop, input: true},
		{step: "G", network: "E", what: "reads the style back", items: b, frames: crop, weights: true, input: true},
		{step: "G", network: "G", decoder: true, what: "converts for diversity", items: b, frames: crop},
		{step: "G", network: "E", what: "reads the source's style", items: b, frames: crop, weights: true},
		{step: "G", network: "G", what: "converts back (cycle)", items: b, frames: crop, weights: true, input: true},
		{step: "G", network: "C", what: "names the converted", items: b, frames: crop, input: true},
	}
	if c.Loss.StarIdentity > 0 {
		list = append(list, pass{step: "G", network: "G", decoder: true, what: "says the source in its own style", items: b, frames: crop, weights: true})
	}
	if phones {
		list = append(list,
			pass{step: "G", network: "P", what: "hears the source", items: b, frames: crop},
			pass{step: "G", network: "P", what: "hears the converted", items: b, frames: crop, input: true})
	}
	return list
}

// anchorPasses lists what an anchored step sends through the networks, in the order of engine.anchoredDiscriminator, with its penalty
// in so many steps, and engine.anchoredGenerator.
func (c Config) anchorPasses(phones bool) []pass {
	b, crop, ref := float64(c.Batch), c.CropFrames, c.StyleFrames
	list := []pass{
		{step: "D", network: "E", what: "reads the styles", items: b, frames: ref},
		{step: "D", network: "G", what: "rebuilds", items: b, frames: crop},
		{step: "D", network: augmentation, what: "of wanted and rebuilt", items: 2 * b, frames: crop},
		{step: "D", network: "D", what: "judges wanted and rebuilt", items: b * (2 + 1/float64(max(1, c.R1Every))), frames: crop, weights: true},
		{step: "G", network: "E", what: "reads the styles", items: b, frames: ref, weights: true},
		{step: "G", network: "G", what: "rebuilds", items: b, frames: crop, weights: true},
		{step: "G", network: augmentation, what: "of wanted and rebuilt", items: 2 * b, frames: crop, input: true},
		{step: "G", network: "D", what: "judges wanted and rebuilt", items: 2 * b, frames: crop, input: true},
	}
	if c.BackTranslation > 0 {
		list = append(list, pass{step: "G", network: "G", what: "says it in another voice (back-translation)", items: b, frames: crop})
	}
	if phones {
		list = append(list,
			pass{step: "G", network: "P", what: "hears what is wanted", items: b, frames: crop},
			pass{step: "G", network: "P", what: "hears the rebuilt", items: b, frames: crop, input: true})
	}
	return list
}

const augmentation = "augmentation"

// cost is one item's way forward. native is as in bodyCost.
func (p pass) cost(cfg Config, speakers int, native bool) forward {
	c := cfg.GAN
	g := generatorCost(c, p.frames)
	switch {
	case p.decoder:
		return g.Times(decoderShare(c))
	case p.network == "G":
		return g
	case p.network == "P":
		return g.Times(1 - decoderShare(c))
	case p.network == "F":
		return mapCost(c, speakers)
	case p.network == augmentation:
		return augmentCost(c, p.frames)
	case p.network == "D" && cfg.Patches > 0:
		return patchesCost(c, cfg.Patches, p.frames, native)
	}
	return bodyCost(c, p.frames, native)
}

// with is the pass with the cost of one item's way forward.
func (p pass) with(f forward) run.Pass {
	return run.Pass{Forward: f, Items: p.items, Weights: p.weights, Input: p.input}
}

// cost is what the two kinds of step do: floating-point operations, and bytes in use at the height of it.
type cost struct {
	warmUp, star float64 // operations per step
	bytes        float64
}

// stepCost counts a configuration. A backward pass does twice the work of the forward one; a network that only passes the
// gradient on does as much again as forward.
func (c Config) stepCost(speakers int, phones, native bool) cost {
	g := generatorCost(c.GAN, c.CropFrames)
	p := g.Times(1 - decoderShare(c.GAN))
	if !phones {
		p = forward{}
	}
	body, style := bodyCost(c.GAN, c.CropFrames, native), bodyCost(c.GAN, c.StyleFrames, native)
	b := 2 * float64(c.Batch) // two operations in a multiply-add
	var k cost
	k.warmUp = b * (3*g.MACs + 3*style.MACs + 3*p.MACs)
	if c.BackTranslation > 0 {
		k.warmUp += b * g.MACs * float64(c.translatedSteps()) / float64(max(1, c.WarmUpSteps())) // a forward pass in some of the steps
	}
	operations := func(passes []pass) (n float64) {
		for _, p := range passes {
			n += p.with(p.cost(c, speakers, native)).Operations()
		}
		return n
	}
	every := float64(max(1, c.StarEvery))
	k.star = operations(c.starPasses(phones)) / every
	if every > 1 {
		k.star += operations(c.anchorPasses(phones)) * (every - 1) / every
	}

	kept := g.Times(3).Plus(body.Times(4)).Plus(p)
	kept.Kept = max(kept.Kept, body.Kept*3)
	if c.WarmUpSteps() >= c.Steps {
		kept = g.Plus(style).Plus(p)
	}
	if c.AddVoice.On {
		k.warmUp, k.star = c.voiceCost(g, body, style)
		kept = c.voiceKept(g, body)
	}
	weights := 0.0
	for _, params := range [][]gan.Param{
		c.GAN.ModelParams(speakers), c.judgeParams(speakers), c.GAN.DiscriminatorParams("cls", speakers),
	} {
		for _, p := range params {
			n := 1.0
			for _, d := range p.Shape {
				n *= float64(d)
			}
			weights += n
		}
	}
	bytes := 4.0
	if c.BFloat16 {
		bytes = 2
	}
	// Weights, their average, the moment, gradients and new values; and as much again for what a backward pass has in hand.
	k.bytes = 4*6*weights + bytes*2*float64(c.Batch)*kept.Kept
	return k
}

// Operations per second and core, forward and backward, that training reaches: measured on two cores of a Xeon (Sapphire
// Rapids) with presets tiny and small, and with medium, whose wider layers keep a core busier. Adding a voice, most of which goes
// forward only, reached 50e9 there and 110e9 on a core of an EPYC.
const (
	xlaPerCore      = 14e9
	xlaWidePerCore  = 37e9
	xlaVoicePerCore = 60e9
	goPerCore       = 1.4e9

	wideLayers = 192

	compileTime = time.Minute
)

// expected is how long the steps from first on take on this computer's CPU, compiling included.
func (c Config) expected(k cost, first int, kind string) time.Duration {
	w := c.WarmUpSteps()
	early, late := float64(max(0, w-first)), float64(c.Steps-max(first, w))
	plain := run.Load{Operations: early * k.warmUp, XLA: xlaPerCore, Go: goPerCore}
	star := run.Load{Operations: late * k.star, XLA: xlaPerCore, Go: goPerCore}
	switch {
	case c.GAN.Width < wideLayers:
	case c.AddVoice.On: // what a step has besides is D's
		plain.XLA = xlaVoicePerCore
		plain.Operations += late * k.warmUp
		star.Operations = late * (k.star - k.warmUp)
	default:
		plain.XLA = xlaWidePerCore
	}
	return run.Time(kind, compileTime, plain, star)
}
