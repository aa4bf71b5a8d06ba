package gan

import (
	"fmt"

	"github.com/starvc/vc/internal/nn"
)

// What is different in a decoder that works on an image, frames by bands, instead of frames alone. The bottleneck is
// widened to all channels of all bands; from there on a row of the linear layers and of the norms is one band of one
// frame, and its channels become NMels/DecoderBands neighbouring mel bands at the end. Weights are shared by the bands.

// validateImage names the first of the image's fields that cannot work.
func (c Config) validateImage() error {
	switch bands, channels := c.DecoderBands, c.DecoderChannels; {
	case bands == 0 && channels != 0:
		return fmt.Errorf("gan config: decoderChannels is %d without decoderBands; set decoderBands too, for example to 20, for a decoder over bands", channels)
	case bands == 0:
		return nil
	case bands < 0 || c.NMels%bands != 0:
		return fmt.Errorf("gan config: decoderBands is %d, want 0 or a divisor of nMels, %d: each band makes as many mels as the others", bands, c.NMels)
	case channels < 2 || channels > 512:
		return fmt.Errorf("gan config: decoderChannels is %d, want 2 to 512 with decoderBands %d, for example 16", channels, bands)
	}
	return nil
}

// decoderBands and decoderChannels are what a frame of the decoder consists of: one band without an image.
func (c Config) decoderBands() int { return max(1, c.DecoderBands) }

func (c Config) decoderChannels() int {
	if c.DecoderBands > 0 {
		return c.DecoderChannels
	}
	return c.Width
}

// decoderHidden is the number of channels inside a block of the decoder.
func (c Config) decoderHidden() int { return max(1, c.Hidden*c.decoderChannels()/c.Width) }

// decoderPast is how many frames before a frame the decoder sees.
func (c Config) decoderPast() int {
	if c.DecoderBands > 0 {
		return 2 * c.DecoderBlocks
	}
	return c.DecoderBlocks * (c.Kernel - 1)
}

// scratch is the room that all blocks need for so many frames: for the activation itself or a copy, and for what is inside
// a block. An imageBlock goes frame by frame, so the latter is for one.
func (c Config) scratch(frames int) (width, hidden int) {
	width, hidden = frames*c.Width, frames*c.Hidden
	if c.DecoderBands > 0 {
		width = max(width, frames*c.DecoderBands*c.DecoderChannels)
		hidden = max(hidden, c.DecoderBands*max(9*c.DecoderChannels, c.decoderHidden()))
	}
	return width, hidden
}

// imageBlock is block over frames and bands: a convolution of 3 bands by 3 frames, the present one and the two before it,
// AdaLN over the channels, and two linear layers with a GELU between them.
type imageBlock struct {
	conv     *nn.Conv3x3
	up, down *nn.Linear
	bands    int
}

func (b *imageBlock) window(a *nn.Arena, room int) nn.Window { return b.conv.Window(a, b.bands, room) }

// forward adds the block to h, [frames, bands, channels], in place. norm and hidden are scratch for one frame.
func (b *imageBlock) forward(h []float32, frames int, gain, bias []float32, past *nn.Window, norm, hidden []float32) {
	row := b.bands * b.down.Out()
	norm, inside := norm[:row], hidden[:b.bands*b.up.Out()]
	view := past.Push(h, frames)
	for t := range frames { // a frame's patches and weights stay in the nearest cache
		b.conv.ForwardCausal(norm, view[t*row:(t+3)*row], hidden, b.bands)
		nn.LayerNorm(norm, norm, gain, bias, b.bands)
		b.up.Forward(inside, norm, b.bands)
		nn.GELU(inside)
		b.down.Forward(norm, inside, b.bands)
		nn.Add(h[t*row:(t+1)*row], norm)
	}
	past.Drop(frames)
}
