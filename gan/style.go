package gan

import (
	"fmt"
	"math"
	"slices"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/nn"
)

// CommonHead stands for a speaker in StyleEncoder.Style where the voice is none of the model's.
const CommonHead = -1

// leak is the slope of the leaky ReLU below zero in E, D and C.
const leak = 0.2

// MappingNetwork is F: it draws a style of a speaker out of a latent code. Safe for concurrent use.
type MappingNetwork struct {
	shared []*nn.Linear
	heads  []*nn.Linear // one per speaker
}

// NewMappingNetwork packs F's weights.
func NewMappingNetwork(m *Model) *MappingNetwork {
	c, f := m.Config, &MappingNetwork{}
	in := c.LatentDim
	for i := range c.MapLayers {
		name := fmt.Sprintf("map.shared.%d", i)
		f.shared = append(f.shared, nn.NewLinear(m.Tensor(name+".w"), m.Tensor(name+".b"), in, c.MapWidth))
		in = c.MapWidth
	}
	f.heads = heads(m, "map.head", in)
	return f
}

// heads cuts [speakers, in, styleDim] into a layer per speaker.
func heads(m *Model, name string, in int) []*nn.Linear {
	out := m.Config.StyleDim
	w, b := m.Tensor(name+".w"), m.Tensor(name+".b")
	layers := make([]*nn.Linear, len(m.Speakers))
	for y := range layers {
		layers[y] = nn.NewLinear(w[y*in*out:(y+1)*in*out], b[y*out:(y+1)*out], in, out)
	}
	return layers
}

// Style maps z, [latentDim], drawn from N(0, I), to a style of the speaker, [styleDim].
func (f *MappingNetwork) Style(z []float32, speaker int) []float32 {
	h := z
	for _, l := range f.shared {
		next := make([]float32, l.Out())
		l.Forward(next, h, 1)
		nn.ReLU(next)
		h = next
	}
	style := make([]float32, f.heads[speaker].Out())
	f.heads[speaker].Forward(style, h, 1)
	return style
}

// body is the 2-D trunk that E, D and C share in form; here it serves E.
type body struct {
	stem   *nn.Conv3x3
	blocks []bodyBlock
	join   *nn.Linear
}

type bodyBlock struct {
	conv1, conv2 *nn.Conv3x3
	skip         *nn.Linear // nil where the widths agree
}

func newBody(m *Model, prefix string) *body {
	c := m.Config
	conv := func(name string, in, out int) *nn.Conv3x3 {
		return nn.NewConv3x3(m.Tensor(name+".w"), m.Tensor(name+".b"), in, out)
	}
	b := &body{stem: conv(prefix+".stem", 1, c.BodyWidths[0])}
	for i := range c.BodyBlocks() {
		in, out := c.BodyWidths[i], c.BodyWidths[i+1]
		name := fmt.Sprintf("%s.block.%d", prefix, i)
		block := bodyBlock{conv1: conv(name+".conv1", in, in), conv2: conv(name+".conv2", in, out)}
		if in != out {
			block.skip = nn.NewLinear(m.Tensor(name+".skip.w"), nil, in, out)
		}
		b.blocks = append(b.blocks, block)
	}
	last := c.BodyWidths[c.BodyBlocks()]
	b.join = nn.NewLinear(m.Tensor(prefix+".join.w"), m.Tensor(prefix+".join.b"), c.BodyBands()*last, last)
	return b
}

// steps gives the trunk's output before the mean over time: [frames >> blocks, last].
func (b *body) steps(logMel []float32, nMels int) []float32 {
	h := b.stem.Forward(&nn.Image{Frames: len(logMel) / nMels, Bands: nMels, Channels: 1, Data: logMel})
	for _, block := range b.blocks {
		h = block.forward(h)
	}
	nn.LeakyReLU(h.Data, h.Data, leak)
	out := make([]float32, h.Frames*b.join.Out())
	b.join.Forward(out, h.Data, h.Frames)
	nn.LeakyReLU(out, out, leak)
	return out
}

// forward halves the image: a residual block with the activations first, its input pooled on the way around.
func (b *bodyBlock) forward(h *nn.Image) *nn.Image {
	r := nn.NewImage(h.Frames, h.Bands, h.Channels)
	nn.LeakyReLU(r.Data, h.Data, leak)
	r = nn.HalvePool(b.conv1.Forward(r))
	nn.LeakyReLU(r.Data, r.Data, leak)
	r = b.conv2.Forward(r)
	if b.skip != nil {
		h = nn.Pointwise(b.skip, h)
	}
	nn.Add(r.Data, nn.HalvePool(h).Data)
	for i := range r.Data {
		r.Data[i] *= 1 / math.Sqrt2
	}
	return r
}

// StyleEncoder is E: it hears the style in a recording. Safe for concurrent use.
type StyleEncoder struct {
	cfg    Config
	heard  features.Config
	body   *body
	heads  []*nn.Linear
	common *nn.Linear
}

// NewStyleEncoder packs E's weights.
func NewStyleEncoder(m *Model) *StyleEncoder {
	last := m.Config.BodyWidths[m.Config.BodyBlocks()]
	return &StyleEncoder{
		cfg: m.Config, heard: m.Features, body: newBody(m, "sty"), heads: heads(m, "sty.head", last),
		common: nn.NewLinear(m.Tensor("sty.common.w"), m.Tensor("sty.common.b"), last, m.Config.StyleDim),
	}
}

// referenceFrames is the longest stretch that E takes at once. The memory it needs grows with the stretch.
const referenceFrames = 1024

// Style gives the style, [styleDim], of a recording's normalised logMel [frames, nMels], as the head of a speaker of
// the model hears it, or for any other voice as the CommonHead does. Recordings shorter than
// Config.MinStyleFrames are repeated until they are long enough. Those longer than 1024 frames (10 s) are taken in
// stretches of that length, with zeros around each, and the stretches averaged by their length, so that a long
// reference costs no more memory than a short one. Of a recording that ends at features.SpeechHz the bands above count as silent,
// as in training. No frame at all is an error.
func (e *StyleEncoder) Style(logMel []float32, speaker int) ([]float32, error) {
	nMels := e.cfg.NMels
	frames := len(logMel) / nMels
	if frames*nMels != len(logMel) {
		panic(fmt.Sprintf("gan: %d log-mels, want a multiple of %d", len(logMel), nMels))
	}
	if frames == 0 {
		return nil, fmt.Errorf("style: the reference is empty; give one with at least a second of speech")
	}
	if e.heard.Narrow(features.Frames{NMels: nMels, LogMel: logMel}) {
		logMel = slices.Clone(logMel)
		e.heard.SilenceUpper(logMel)
	}
	least := e.cfg.MinStyleFrames()
	for once := logMel; frames < least; frames++ {
		logMel = append(logMel[:frames*nMels:frames*nMels], once[frames*nMels%len(once):][:nMels]...)
	}
	last := e.body.join.Out()
	sum := make([]float64, last)
	count := 0
	for stretch := range slices.Chunk(logMel, referenceFrames*nMels) {
		if len(stretch) < least*nMels {
			continue // less than one step of output, behind at least one whole stretch
		}
		steps := e.body.steps(stretch, nMels)
		for i, v := range steps {
			sum[i%last] += float64(v)
		}
		count += len(steps) / last
	}
	mean := make([]float32, last)
	for i, v := range sum {
		mean[i] = float32(v / float64(count))
	}
	head := e.common
	if speaker != CommonHead {
		head = e.heads[speaker]
	}
	style := make([]float32, e.cfg.StyleDim)
	head.Forward(style, mean, 1)
	return style, nil
}
