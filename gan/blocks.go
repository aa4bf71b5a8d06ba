package gan

import (
	"fmt"

	"github.com/starvc/vc/internal/nn"
)

// block is one residual block of G: a causal depthwise convolution over time, a normalisation, and two linear layers
// with a GELU between them (Liu et al. 2022, ConvNeXt, in one dimension). An encoder block has a gain and a bias of
// its own; a decoder block takes them from the style (AdaLN).
type block struct {
	depthwise  *nn.Depthwise
	gain, bias []float32 // [width]; encoder
	up, down   *nn.Linear
}

// decoderBlock is a block over frames, or over frames and bands.
type decoderBlock interface {
	// window makes the memory of a stream, for at most room frames a call.
	window(a *nn.Arena, room int) nn.Window
	// forward adds the block to h, [frames, bands, channels], in place. gain and bias are the normalisation's,
	// [channels]. norm and hidden are scratch of Config.scratch's lengths for as many frames.
	forward(h []float32, frames int, gain, bias []float32, past *nn.Window, norm, hidden []float32)
}

// network is G's weights, packed for one look-ahead. It is immutable and serves any number of streams.
type network struct {
	cfg       Config
	lookAhead int

	stem    *nn.Linear // over StemPast+1+lookAhead frames
	encoder []block
	decoder []decoderBlock
	ada     []*nn.Linear // a decoder block each, [styleDim, 2*channels]: gamma, then beta

	neckGain, neckBias []float32
	neckDown, neckUp   *nn.Linear
	outGain, outBias   []float32
	out                *nn.Linear
}

// newNetwork packs G. get gives a weight by its name in Config.GeneratorParams, and need not be asked twice.
func newNetwork(cfg Config, lookAhead int, get func(name string) []float32) (*network, error) {
	if lookAhead < 0 || lookAhead > cfg.StemFuture {
		return nil, fmt.Errorf("generator: look-ahead of %d frames, want 0 to %d", lookAhead, cfg.StemFuture)
	}
	w := cfg.Width
	linear := func(name string, in, out int) *nn.Linear {
		return nn.NewLinear(get(name+".w"), get(name+".b"), in, out)
	}
	n := &network{cfg: cfg, lookAhead: lookAhead}
	// The taps beyond the look-ahead count as zero, so they are left out.
	seen := (cfg.StemPast + 1 + lookAhead) * cfg.HeardMels()
	n.stem = nn.NewLinear(get("gen.stem.w")[:seen*w], get("gen.stem.b"), seen, w)
	oneDimensional := func(name string, dilation int) block {
		return block{
			depthwise: nn.NewDilatedDepthwise(get(name+".dw.w"), get(name+".dw.b"), cfg.Kernel, w, dilation),
			up:        linear(name+".up", w, cfg.Hidden),
			down:      linear(name+".down", cfg.Hidden, w),
		}
	}
	for i := range cfg.EncoderBlocks {
		name := fmt.Sprintf("gen.enc.%d", i)
		b := oneDimensional(name, cfg.EncoderDilation(i))
		b.gain, b.bias = get(name+".norm.gain"), get(name+".norm.bias")
		n.encoder = append(n.encoder, b)
	}
	bands, channels := cfg.decoderBands(), cfg.decoderChannels()
	for i := range cfg.DecoderBlocks {
		name := fmt.Sprintf("gen.dec.%d", i)
		n.ada = append(n.ada, linear(name+".ada", cfg.StyleDim, 2*channels))
		if cfg.DecoderBands > 0 {
			n.decoder = append(n.decoder, &imageBlock{
				conv: nn.NewConv3x3(get(name+".conv.w"), get(name+".conv.b"), channels, channels),
				up:   linear(name+".up", channels, cfg.decoderHidden()), down: linear(name+".down", cfg.decoderHidden(), channels),
				bands: bands,
			})
			continue
		}
		b := oneDimensional(name, 1)
		n.decoder = append(n.decoder, &b)
	}
	n.neckGain, n.neckBias = get("gen.neck.norm.gain"), get("gen.neck.norm.bias")
	n.neckDown = linear("gen.neck.down", w, cfg.Bottleneck)
	n.neckUp = linear("gen.neck.up", cfg.Bottleneck+Controls, bands*channels)
	n.outGain, n.outBias = get("gen.out.norm.gain"), get("gen.out.norm.bias")
	n.out = linear("gen.out", channels, cfg.NMels/bands)
	return n, nil
}

// receptivePast is how many frames before a frame can change its output.
func (c Config) receptivePast() int {
	return c.EncoderPast() + c.decoderPast()
}

func (b *block) window(a *nn.Arena, room int) nn.Window { return b.depthwise.Window(a, room) }

// forward adds the block to h, [frames, width], in place. gain and bias are the normalisation's. norm and hidden are
// scratch of at least frames*width and frames*hidden.
func (b *block) forward(h []float32, frames int, gain, bias []float32, past *nn.Window, norm, hidden []float32) {
	norm, hidden = norm[:len(h)], hidden[:frames*b.up.Out()]
	b.depthwise.Forward(norm, h, frames, past)
	nn.LayerNorm(norm, norm, gain, bias, frames)
	b.up.Forward(hidden, norm, frames)
	nn.GELU(hidden)
	b.down.Forward(norm, hidden, frames)
	nn.Add(h, norm)
}
