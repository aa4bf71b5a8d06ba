package train

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/mlx/gannet"
)

// networks builds the graphs of all networks of one configuration over the weights of net. Names and shapes of weights
// stand in gan.Config; package gan has the same arithmetic for the CPU, and a parity test compares the two.
type networks struct {
	cfg    gan.Config
	net    mlx.Net
	labels bool // F and E give a label in place of a style, see label

	patches int // see Config.Patches
}

// encode is G up to the bottleneck: x [batch, frames, nMels] normalised log-mel, of which it hears the lowest HeardMels bands, tapMask [taps] of the stem (nil for all),
// to content [batch, frames, bottleneck].
func (n networks) encode(x, tapMask *Node) *Node {
	return gannet.Encode(n.net, n.cfg, "gen", x, tapMask)
}

// decode is G behind the bottleneck: content, controls [batch, frames, 3] (log-F0, voiced, log-energy) and style
// [batch, styleDim] to a normalised log-mel, float32.
func (n networks) decode(content, controls, style *Node) *Node {
	joined := Concatenate([]*Node{mlx.Float(content), controls}, -1)
	h := n.net.Linear(joined, "gen.neck.up")
	if n.cfg.DecoderBands > 0 {
		return n.decodeImage(h, style)
	}
	for i := range n.cfg.DecoderBlocks {
		name := fmt.Sprintf("gen.dec.%d", i)
		h = gannet.Block(n.net, h, name, 1, func(y *Node) *Node { return n.net.AdaLN(y, style, name+".ada") })
	}
	return mlx.Float(n.net.Linear(n.net.LayerNorm(h, "gen.out.norm"), "gen.out"))
}

// decodeImage is the rest of decode where the decoder works on an image of frames by bands: h
// [batch, frames, bands*channels].
func (n networks) decodeImage(h, style *Node) *Node {
	d := h.Shape().Dimensions
	batch, frames, bands, channels := d[0], d[1], n.cfg.DecoderBands, n.cfg.DecoderChannels
	rows := func(x *Node) *Node { return Reshape(x, batch, frames*bands, channels) } // the norms take three axes
	h = rows(h)
	for i := range n.cfg.DecoderBlocks {
		name := fmt.Sprintf("gen.dec.%d", i)
		// A frame of zeros before the first moves a convolution that looks one frame ahead into the past.
		y := mlx.ZeroPad(Reshape(h, batch, frames, bands, channels), 1, 1, 0)
		y = SliceAxis(n.net.Conv2D(y, name+".conv", true), 1, AxisRange(0, frames))
		y = n.net.AdaLN(rows(y), style, name+".ada")
		h = Add(h, n.net.Linear(mlx.GELU(n.net.Linear(y, name+".up")), name+".down"))
	}
	y := mlx.Float(n.net.Linear(n.net.LayerNorm(h, "gen.out.norm"), "gen.out"))
	return Reshape(y, batch, frames, n.cfg.NMels)
}

// generate is G.
func (n networks) generate(x, controls, style, tapMask *Node) *Node {
	return n.decode(n.encode(x, tapMask), controls, style)
}

// mapLatent is F: z [batch, latentDim] and oneHot [batch, speakers] to a style.
func (n networks) mapLatent(z, oneHot *Node) *Node {
	if n.labels {
		return n.label(oneHot)
	}
	h := z
	for i := range n.cfg.MapLayers {
		h = mlx.ReLU(n.net.Linear(h, fmt.Sprintf("map.shared.%d", i)))
	}
	return n.net.SelectHead(h, oneHot, "map.head")
}

// body is what E, D and C share in form: x [batch, frames, nMels] to one vector per item, [batch, channels].
func (n networks) body(x *Node, prefix string) *Node {
	d := x.Shape().Dimensions
	h := n.net.Conv2D(Reshape(x, d[0], d[1], d[2], 1), prefix+".stem", true)
	h = mlx.LeakyReLU(n.blocks(h, prefix, n.cfg.BodyBlocks()))
	e := h.Shape().Dimensions
	v := mlx.LeakyReLU(n.net.Linear(Reshape(h, e[0], e[1], e[2]*e[3]), prefix+".join"))
	return mlx.Float(ReduceMean(mlx.Float(v), 1))
}

// blocks are the first so many residual blocks of a body, each of which halves frames and bands of h [batch, frames, bands, channels].
func (n networks) blocks(h *Node, prefix string, count int) *Node {
	for i := range count {
		h = n.block(h, prefix, i)
	}
	return h
}

// block is residual block i of a body.
func (n networks) block(h *Node, prefix string, i int) *Node {
	name := fmt.Sprintf("%s.block.%d", prefix, i)
	r := mlx.AvgPool2D(n.net.Conv2D(mlx.LeakyReLU(h), name+".conv1", true))
	r = n.net.Conv2D(mlx.LeakyReLU(r), name+".conv2", true)
	skip := mlx.AvgPool2D(h) // a 1x1 convolution and the mean commute; the mean first is four times cheaper
	if n.cfg.BodyWidths[i] != n.cfg.BodyWidths[i+1] {
		skip = n.net.Conv2D(skip, name+".skip", false)
	}
	return MulScalar(Add(r, skip), 1/math.Sqrt2)
}

// encodeStyle is E: a reference x [batch, frames, nMels] to the style of its speaker's head and that of the common head.
func (n networks) encodeStyle(x, oneHot *Node) (style, common *Node) {
	if n.labels {
		return n.label(oneHot), n.label(oneHot)
	}
	v := n.body(x, "sty")
	return n.net.SelectHead(v, oneHot, "sty.head"), mlx.Float(n.net.Linear(v, "sty.common"))
}

// label is the speaker's number in place of a style, as StarGAN (Choi et al. 2018) has it: one number of the style is on,
// and as large as a whole style is on average.
func (n networks) label(oneHot *Node) *Node {
	speakers := oneHot.Shape().Dimensions[1]
	if speakers > n.cfg.StyleDim {
		panic(fmt.Sprintf("%d speakers do not fit a label of %d numbers: raise gan.styleDim", speakers, n.cfg.StyleDim))
	}
	return MulScalar(mlx.ZeroPad(oneHot, 1, 0, n.cfg.StyleDim-speakers), math.Sqrt(float64(n.cfg.StyleDim)))
}

// judge is D: x to the real/fake logit of the speaker in oneHot, [batch], or with patches to those of all patches, [batch, patches].
func (n networks) judge(x, oneHot *Node) *Node {
	if n.patches > 0 {
		logits, _ := n.judgePatches(x, oneHot)
		return logits
	}
	return ReduceSum(Mul(n.logits(x, "disc"), oneHot), -1)
}

// judgeLayers is D with what its layers make of x; of a D that judges whole crops there is none.
func (n networks) judgeLayers(x, oneHot *Node) (logits *Node, layers []*Node) {
	if n.patches > 0 {
		return n.judgePatches(x, oneHot)
	}
	return n.judge(x, oneHot), nil
}

// classifySource is C: x to logits [batch, speakers] of which speaker was its source.
func (n networks) classifySource(x *Node) *Node { return n.logits(x, "cls") }

func (n networks) logits(x *Node, prefix string) *Node {
	return mlx.Float(n.net.Linear(n.body(x, prefix), prefix+".head"))
}
