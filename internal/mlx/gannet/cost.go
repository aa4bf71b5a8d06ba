package gannet

import (
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/run"
)

// EncodeCost is what Encode does for one frame.
func EncodeCost(c gan.Config) run.Forward {
	w := float64(c.Width)
	ends := run.Forward{MACs: w * float64(c.HeardMels()*c.StemTaps()+c.Bottleneck), Kept: 2*w + float64(c.Bottleneck)}
	return ends.Plus(BlockCost(c).Times(float64(c.EncoderBlocks)))
}

// BlockCost is what Block does for one frame.
func BlockCost(c gan.Config) run.Forward {
	w, h := float64(c.Width), float64(c.Hidden)
	return run.Forward{MACs: w*float64(c.Kernel) + 2*w*h, Kept: 5*w + 4*h}
}
