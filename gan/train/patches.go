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
// Adversarial Networks", 2017) in place of whole crops: it stops after so many of the body's halvings, and gives a logit for each
// cell that is left. A crop is then some hundred examples of what is real, not one, and G is told where it is not. Since a cell does
// not see which bands it lies in, the bands' places are a second channel of what goes in.

// patchParams lists the weights of a D that judges patches, for a number of speakers.
func patchParams(c gan.Config, blocks, speakers int) []gan.Param {
	var list []gan.Param
	for _, p := range c.DiscriminatorParams("disc", speakers) {
		var i int
		switch n, _ := fmt.Sscanf(p.Name, "disc.block.%d.", &i); {
		case p.Name == "disc.stem.w":
			list = append(list, gan.Param{Name: p.Name, Shape: []int{3, 3, 2, c.BodyWidths[0]}})
		case p.Name == "disc.stem.b", n == 1 && i < blocks:
			list = append(list, p)
		}
	}
	return append(list, gan.Param{Name: "disc.head.w", Shape: []int{c.BodyWidths[blocks], speakers}}, gan.Param{Name: "disc.head.b", Shape: []int{speakers}})
}

// judgeParams lists D's weights.
func (c Config) judgeParams(speakers int) []gan.Param {
	if c.Patches > 0 {
		return patchParams(c.GAN, c.Patches, speakers)
	}
	return c.GAN.DiscriminatorParams("disc", speakers)
}

// judgePatches is D: x [batch, frames, nMels] to the logits of the speaker in oneHot, [batch, patches].
func (n networks) judgePatches(x, oneHot *Node) *Node {
	d := x.Shape().Dimensions
	image := Reshape(x, d[0], d[1], d[2], 1)
	image = Concatenate([]*Node{image, BroadcastToShape(bandPlaces(x.Graph(), d[2]), image.Shape())}, 3)
	h := mlx.LeakyReLU(n.blocks(n.net.Conv2D(image, "disc.stem", true), "disc", n.patches))
	e := h.Shape().Dimensions
	logits := mlx.Float(n.net.Linear(Reshape(h, e[0], e[1]*e[2], e[3]), "disc.head")) // [batch, patches, speakers]
	own := BroadcastToShape(InsertAxes(oneHot, 1), logits.Shape())
	return ReduceSum(Mul(logits, own), -1)
}

// bandPlaces is where each band lies, from -1 to 1, [1, 1, bands, 1].
func bandPlaces(g *Graph, bands int) *Node {
	places := make([]float32, bands)
	for m := range places {
		places[m] = float32(2*float64(m)/math.Max(float64(bands-1), 1) - 1)
	}
	return ConstTensor(g, tensors.FromFlatDataAndDimensions(places, 1, 1, bands, 1))
}
