package nn

// Block is a residual block over time: a causal depthwise convolution, LayerNorm, and two linear layers with a GELU
// between them (Liu et al. 2022, ConvNeXt, in one dimension).
type Block struct {
	depthwise  *Depthwise
	gain, bias []float32
	up, down   *Linear
}

// NewBlock packs the weights name.dw, name.norm, name.up and name.down: width channels, hidden ones inside, taps of the
// convolution. What get gives is kept and must not change.
func NewBlock(get func(name string) []float32, name string, taps, width, hidden int) *Block {
	return NewDilatedBlock(get, name, taps, width, hidden, 1)
}

// NewDilatedBlock is NewBlock with taps that lie dilation frames apart.
func NewDilatedBlock(get func(name string) []float32, name string, taps, width, hidden, dilation int) *Block {
	return &Block{
		depthwise: NewDilatedDepthwise(get(name+".dw.w"), get(name+".dw.b"), taps, width, dilation),
		gain:      get(name + ".norm.gain"), bias: get(name + ".norm.bias"),
		up:   NewLinear(get(name+".up.w"), get(name+".up.b"), width, hidden),
		down: NewLinear(get(name+".down.w"), get(name+".down.b"), hidden, width),
	}
}

// Window makes the memory that a stream through the block needs, for at most room frames a call.
func (b *Block) Window(a *Arena, room int) Window { return b.depthwise.Window(a, room) }

// Forward adds the block to h, [frames, width], in place. norm and hidden are scratch of at least frames*width and
// frames*hidden.
func (b *Block) Forward(h []float32, frames int, past *Window, norm, hidden []float32) {
	norm, hidden = norm[:len(h)], hidden[:frames*b.up.Out()]
	b.depthwise.Forward(norm, h, frames, past)
	LayerNorm(norm, norm, b.gain, b.bias, frames)
	b.up.Forward(hidden, norm, frames)
	GELU(hidden)
	b.down.Forward(norm, hidden, frames)
	Add(h, norm)
}
