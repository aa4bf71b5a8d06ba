package train

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/vocoder"
)

// The discriminators are those of Kong, Kim and Bae ("HiFi-GAN", 2020) over periods, and of Jang et al. ("UnivNet", 2021) over
// resolutions, made narrow. Strides are means over neighbours, since the gradient of a strided convolution is not right on every
// backend.

var (
	discPeriods = []int{2, 3, 5, 7, 11}
	discWindows = []int{1024, 512, 256}
)

// A layer is a convolution [kt, kf] to so many channels of the widest, followed by means over pt by pf.
type discLayer struct{ kt, kf, part, pt, pf int }

var (
	periodLayers     = []discLayer{{5, 1, 4, 3, 1}, {5, 1, 2, 3, 1}, {5, 1, 1, 3, 1}, {5, 1, 1, 1, 1}}
	resolutionLayers = []discLayer{{3, 5, 4, 1, 2}, {3, 5, 2, 1, 2}, {3, 5, 1, 1, 2}, {3, 3, 1, 1, 2}}
)

// discParams lists the discriminators' weights, prefix "disc.".
func discParams(width int) []vocoder.Param {
	var p []vocoder.Param
	add := func(prefix string, layers []discLayer) {
		in := 1
		for i, l := range layers {
			out := max(1, width/l.part)
			p = append(p, vocoder.Param{Name: fmt.Sprintf("%s.%d.w", prefix, i), Shape: []int{l.kt, l.kf, in, out}},
				vocoder.Param{Name: fmt.Sprintf("%s.%d.b", prefix, i), Shape: []int{out}})
			in = out
		}
		p = append(p, vocoder.Param{Name: prefix + ".out.w", Shape: []int{3, layers[len(layers)-1].kf/2*2 + 1, in, 1}},
			vocoder.Param{Name: prefix + ".out.b", Shape: []int{1}})
	}
	for _, n := range discPeriods {
		add(fmt.Sprintf("disc.period.%d", n), periodLayers)
	}
	for _, n := range discWindows {
		add(fmt.Sprintf("disc.window.%d", n), resolutionLayers)
	}
	return p
}

// verdict is what one discriminator makes of a sound: its logits and the outputs of its layers.
type verdict struct {
	logits *Node
	layers []*Node
}

// judge lets all discriminators hear x [batch, samples].
func judge(net mlx.Net, x *Node) []verdict {
	return append(judgePeriods(net, x), judgeResolutions(net, x)...)
}

func judgePeriods(net mlx.Net, x *Node) (all []verdict) {
	batch := x.Shape().Dimensions[0]
	for _, period := range discPeriods {
		rows := x.Shape().Dimensions[1] / period
		image := Reshape(SliceAxis(x, 1, AxisRange(0, rows*period)), batch, rows, period, 1)
		all = append(all, convolve(net, image, fmt.Sprintf("disc.period.%d", period), periodLayers))
	}
	return all
}

func judgeResolutions(net mlx.Net, x *Node) (all []verdict) {
	for _, length := range discWindows {
		// The cube root of the power is about what loudness is.
		mags := magnitudes(x, length, length/4, length, 4/float64(length))
		image := Exp(MulScalar(Log(AddScalar(mags, 1e-5)), 0.3))
		image = SliceAxis(image, 2, AxisRange(0, length/2)) // an even number of bands
		d := image.Shape().Dimensions
		all = append(all, convolve(net, Reshape(image, d[0], d[1], d[2], 1), fmt.Sprintf("disc.window.%d", length), resolutionLayers))
	}
	return all
}

func convolve(net mlx.Net, h *Node, prefix string, layers []discLayer) verdict {
	var v verdict
	for i, l := range layers {
		h = mlx.LeakyReLU(net.Conv2D(h, fmt.Sprintf("%s.%d", prefix, i), true))
		v.layers = append(v.layers, mlx.Float(h))
		h = pool(h, l.pt, l.pf)
	}
	v.logits = mlx.Float(net.Conv2D(h, prefix+".out", true))
	return v
}

// pool is the mean over pt frames by pf bands of x [batch, frames, bands, channels]; what fills no whole cell is left out.
func pool(x *Node, pt, pf int) *Node {
	d := x.Shape().Dimensions
	frames, bands := d[1]/pt, d[2]/pf
	if frames*pt != d[1] {
		x = SliceAxis(x, 1, AxisRange(0, frames*pt))
	}
	if bands*pf != d[2] {
		x = SliceAxis(x, 2, AxisRange(0, bands*pf))
	}
	if pt == 1 && pf == 1 {
		return x
	}
	return ReduceMean(Reshape(x, d[0], frames, pt, bands, pf, d[3]), 2, 4)
}

// DiscriminatorLoss is the discriminators' hinge: 1 less what a recording gets and 1 more than what the vocoder's sound gets,
// where above 0 (Lim and Ye, "Geometric GAN", 2017), a mean over the discriminators.
func DiscriminatorLoss(onRecording, onSound []verdict) *Node {
	var terms []*Node
	for i := range onRecording {
		terms = append(terms, Add(ReduceAllMean(mlx.ReLU(AddScalar(Neg(onRecording[i].logits), 1))),
			ReduceAllMean(mlx.ReLU(AddScalar(onSound[i].logits, 1)))))
	}
	return mean(terms)
}

// AdversarialLoss is the vocoder's side: less what its sound gets, a mean over the discriminators.
func AdversarialLoss(onSound []verdict) *Node {
	var terms []*Node
	for _, v := range onSound {
		terms = append(terms, Neg(ReduceAllMean(v.logits)))
	}
	return mean(terms)
}

// MatchingLoss is the L1 distance of the discriminators' layers on the vocoder's sound from those on the recording, per mean
// size of the latter (Kumar et al., "MelGAN", 2019), a mean over all layers.
func MatchingLoss(onRecording, onSound []verdict) *Node {
	var terms []*Node
	for i := range onRecording {
		for j, want := range onRecording[i].layers {
			want = StopGradient(want)
			size := AddScalar(ReduceAllMean(Abs(want)), 1e-3)
			terms = append(terms, Div(ReduceAllMean(Abs(Sub(want, onSound[i].layers[j]))), size))
		}
	}
	return mean(terms)
}

func mean(terms []*Node) *Node {
	sum := terms[0]
	for _, t := range terms[1:] {
		sum = Add(sum, t)
	}
	return MulScalar(sum, 1/float64(len(terms)))
}
