package train

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/mlx"
)

// With Config.Patches above 0, D judges patches in time and band (Isola et al., "Image-to-Image Translation with Conditional
// Adversarial Networks", 2017) in place of whole crops: it gives a logit for each cell that is left after so many halvings. A crop is
// then some hundred examples of what is real, not one, and G is told where it is not. The first halving folds squares of two frames by
// two bands into channels, which costs a quarter of a convolution at full size; each block makes another. Since a cell does not see
// which bands it lies in, the bands' places are a second channel of what goes in. What is real of any voice is told by a logit that all
// speakers share, since a speaker's own learns from few items; the two are added.

// foldedChannels are those of a folded mel with its bands' places.
const foldedChannels = 2 * 4

// patchParams lists the weights of a D that judges patches, for a number of speakers.
func patchParams(c gan.Config, patches, speakers int) []gan.Param {
	var list []gan.Param
	for _, p := range c.DiscriminatorParams("disc", speakers) {
		var i int
		switch n, _ := fmt.Sscanf(p.Name, "disc.block.%d.", &i); {
		case p.Name == "disc.stem.w":
			list = append(list, gan.Param{Name: p.Name, Shape: []int{3, 3, foldedChannels, c.BodyWidths[1]}})
		case p.Name == "disc.stem.b":
			list = append(list, gan.Param{Name: p.Name, Shape: []int{c.BodyWidths[1]}})
		case n == 1 && i >= 1 && i < patches:
			list = append(list, p)
		}
	}
	w := c.BodyWidths[patches]
	return append(list,
		gan.Param{Name: "disc.common.w", Shape: []int{w, 1}}, gan.Param{Name: "disc.common.b", Shape: []int{1}},
		gan.Param{Name: "disc.head.w", Shape: []int{w, speakers}}, gan.Param{Name: "disc.head.b", Shape: []int{speakers}})
}

// judgeParams lists D's weights.
func (c Config) judgeParams(speakers int) []gan.Param {
	if c.Patches > 0 {
		return patchParams(c.GAN, c.Patches, speakers)
	}
	return c.GAN.DiscriminatorParams("disc", speakers)
}

// judgePatches is D: x [batch, frames, nMels] to the logits of the speaker in oneHot, [batch, patches], and what each of its layers
// makes of x, [batch, frames, bands, channels].
func (n networks) judgePatches(x, oneHot *Node) (own *Node, layers []*Node) {
	d := x.Shape().Dimensions
	image := Reshape(x, d[0], d[1], d[2], 1)
	image = Concatenate([]*Node{image, BroadcastToShape(bandPlaces(x.Graph(), d[2]), image.Shape())}, 3)
	h := n.net.Conv2D(fold(image), "disc.stem", true)
	layers = []*Node{h}
	for i := 1; i < n.patches; i++ {
		h = n.block(h, "disc", i)
		layers = append(layers, h)
	}
	h = mlx.LeakyReLU(h)
	e := h.Shape().Dimensions
	h = Reshape(h, e[0], e[1]*e[2], e[3])
	logits := mlx.Float(n.net.Linear(h, "disc.head")) // [batch, patches, speakers]
	chosen := BroadcastToShape(InsertAxes(oneHot, 1), logits.Shape())
	common := mlx.Float(n.net.Linear(h, "disc.common"))
	return Add(ReduceSum(Mul(logits, chosen), -1), ReduceSum(common, -1)), layers
}

// fold makes channels of squares of two by two: x [batch, frames, bands, channels] to [batch, frames/2, bands/2, 4*channels]. A last
// odd frame or band is left out.
func fold(x *Node) *Node {
	d := x.Shape().Dimensions
	frames, bands := d[1]/2, d[2]/2
	x = Slice(x, AxisRange(), AxisRange(0, 2*frames), AxisRange(0, 2*bands), AxisRange())
	x = Reshape(x, d[0], frames, 2, bands, 2, d[3])
	x = TransposeAllDims(x, 0, 1, 3, 2, 4, 5)
	return Reshape(x, d[0], frames, bands, 4*d[3])
}

// bandPlaces is where each band lies, from -1 to 1, [1, 1, bands, 1].
func bandPlaces(g *Graph, bands int) *Node {
	places := make([]float32, bands)
	for m := range places {
		places[m] = float32(2*float64(m)/math.Max(float64(bands-1), 1) - 1)
	}
	return ConstTensor(g, tensors.FromFlatDataAndDimensions(places, 1, 1, bands, 1))
}
