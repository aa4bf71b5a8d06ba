// Package gannet is what the networks that gan.Config describes have in common as graphs, those of the voice model and the phone
// network: the encoder, its blocks, and the first weights.
package gannet

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/mlx"
)

// Heard is what the encoder hears of x [batch, frames, bands], the lowest HeardMels bands.
func Heard(c gan.Config, x *Node) *Node {
	if n := c.HeardMels(); n < x.Shape().Dimensions[2] {
		return SliceAxis(x, 2, AxisRange(0, n))
	}
	return x
}

// Encode is an encoder, whose weights stand under a prefix: x [batch, frames, bands] normalised log-mel, tapMask [taps] of the stem (nil for all), to
// content [batch, frames, bottleneck].
func Encode(n mlx.Net, c gan.Config, prefix string, x, tapMask *Node) *Node {
	h := n.TimeConv(Heard(c, x), prefix+".stem", c.StemPast, c.StemFuture, tapMask)
	for i := range c.EncoderBlocks {
		name := fmt.Sprintf("%s.enc.%d", prefix, i)
		h = Block(n, h, name, c.EncoderDilation(i), func(y *Node) *Node { return n.LayerNorm(y, name+".norm") })
	}
	return n.Linear(n.LayerNorm(h, prefix+".neck.norm"), prefix+".neck.down")
}

// Block is a residual block: causal depthwise convolution, norm, and two linear layers around a GELU (Liu et al. 2022).
func Block(n mlx.Net, h *Node, name string, dilation int, norm func(*Node) *Node) *Node {
	y := norm(n.DilatedDepthwise(h, name+".dw", dilation))
	y = n.Linear(mlx.GELU(n.Linear(y, name+".up")), name+".down")
	return Add(h, y)
}

// Taps is the stem's mask for a look-ahead, [taps].
func Taps(c gan.Config, lookAhead int) *tensors.Tensor {
	v := make([]float32, c.StemTaps())
	for k := range c.StemPast + 1 + lookAhead {
		v[k] = 1
	}
	return tensors.FromFlatDataAndDimensions(v, len(v))
}
