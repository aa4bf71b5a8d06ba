package train

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/vocoder"
)

// network builds the graph of the vocoder over the weights of net.
type network struct {
	cfg vocoder.NetConfig
	net mlx.Net
}

// trimmedHops is by how many hops a crop's sound is shorter than its frames, since frames beside the crop would reach in.
const trimmedHops = 3

// samples is the length of the sound that a crop of so many frames gives.
func samples(cfg features.Config, frames int) int { return (frames - trimmedHops) * cfg.Hop }

// voice is the vocoder: input [batch, frames, inputs], harmonics and noise [batch, frames, 2*bins], to sound [batch, samples]
// that begins one hop after the first frame's centre.
func (n network) voice(input, harmonics, noise *Node) *Node {
	h := n.net.Linear(input, "voc.stem")
	for i := range n.cfg.Blocks {
		b := fmt.Sprintf("voc.block.%d", i)
		y := n.net.LayerNorm(n.net.CausalDepthwise(h, b+".dw"), b+".norm")
		h = Add(h, n.net.Linear(mlx.GELU(n.net.Linear(y, b+".up")), b+".down"))
	}
	out := mlx.Float(n.net.Linear(n.net.LayerNorm(h, "voc.norm"), "voc.head"))
	bins := n.cfg.Features.Bins()
	part := func(x *Node, i int) *Node { return SliceAxis(x, 2, AxisRange(i*bins, (i+1)*bins)) }
	re1, im1 := filter(part(harmonics, 0), part(harmonics, 1), part(out, 0), part(out, 1))
	re2, im2 := filter(part(noise, 0), part(noise, 1), part(out, 2), part(out, 3))
	return overlapAdd(n.cfg.Features, Concatenate([]*Node{Add(re1, re2), Add(im1, im2)}, -1))
}

// filter multiplies a spectrum by a gain and turns it by a phase, all [batch, frames, bins].
func filter(re, im, gain, phase *Node) (*Node, *Node) {
	a := Exp(MulScalar(Tanh(MulScalar(gain, 1.0/vocoder.MaxLogGain)), vocoder.MaxLogGain))
	c, s := Mul(a, Cos(phase)), Mul(a, Sin(phase))
	return Sub(Mul(re, c), Mul(im, s)), Add(Mul(re, s), Mul(im, c))
}

// overlapAdd is the inverse STFT as a matrix product: spectra [batch, frames, 2*bins], real parts and then imaginary ones, to
// sound [batch, samples].
func overlapAdd(cfg features.Config, spectra *Node) *Node {
	g := spectra.Graph()
	d := spectra.Shape().Dimensions
	batch, frames := d[0], d[1]
	rows := (cfg.WinLength + cfg.Hop - 1) / cfg.Hop
	flat := Reshape(spectra, batch*frames, d[2])
	wave := Dot(flat, constant(g, synthesisMatrix(cfg, rows*cfg.Hop), rows*cfg.Hop)).Product()
	wave = Reshape(wave, batch, frames, rows, cfg.Hop)
	var sum *Node // [batch, frames+rows-1, hop]
	for i := range rows {
		row := Reshape(SliceAxis(wave, 2, AxisElem(i)), batch, frames, cfg.Hop)
		padded := mlx.ZeroPad(row, 1, i, rows-1-i)
		if sum == nil {
			sum = padded
		} else {
			sum = Add(sum, padded)
		}
	}
	sound := Reshape(sum, batch, (frames+rows-1)*cfg.Hop)
	from, n := cfg.WinLength/2+cfg.Hop, samples(cfg, frames)
	sound = SliceAxis(sound, 1, AxisRange(from, from+n))
	weight := Const(g, [][]float32{synthesisWeight(cfg, frames)[from : from+n]})
	return Mul(sound, BroadcastToDims(weight, batch, n))
}

// synthesisMatrix takes the real and imaginary parts of a spectrum to the windowed samples of its frame, [2*bins*width],
// row-major, zeros behind the window. The first and last bin have no part in it: a constant offset is no part of a voice.
func synthesisMatrix(cfg features.Config, width int) []float32 {
	stft := features.NewSTFT(cfg)
	bins := cfg.Bins()
	m := make([]float32, 2*bins*width)
	spec, frame := make([]complex128, bins), make([]float64, cfg.WinLength)
	for i := range 2 * bins {
		row, k := m[i*width:][:width], i%bins
		if k == 0 || k == bins-1 {
			continue
		}
		spec[k] = 1
		if i >= bins {
			spec[k] = complex(0, 1)
		}
		stft.Inverse(frame, spec)
		for j, v := range frame {
			row[j] = float32(v * stft.Window()[j])
		}
		spec[k] = 0
	}
	return m
}

// synthesisWeight is what overlap-added samples are multiplied by: one over the sum of the squared windows.
func synthesisWeight(cfg features.Config, frames int) []float32 {
	window := features.NewSTFT(cfg).Window()
	sum := make([]float64, (frames-1)*cfg.Hop+len(window)+cfg.Hop)
	for t := range frames {
		for i, w := range window {
			sum[t*cfg.Hop+i] += w * w
		}
	}
	out := make([]float32, len(sum))
	for i, v := range sum {
		out[i] = float32(1 / math.Max(v, 1e-2))
	}
	return out
}
