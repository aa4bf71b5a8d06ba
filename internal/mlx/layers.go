package mlx

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Net is what a graph-building function needs: weights by name, the type of activations, and the way in which the
// backend likes its convolutions.
type Net struct {
	// Weights returns the float32 master weight of that name.
	Weights func(name string) *Node
	// DType is the type of activations and of the products: Float32 or BFloat16. Norms and losses are float32 always.
	DType dtypes.DType
	// NativeConv uses the backend's own convolution; false builds it from slices and one matrix product, which is
	// ten times faster on the pure Go backend.
	NativeConv bool
}

// Param returns the weight of that name in the type of activations.
func (n Net) Param(name string) *Node { return n.cast(n.Weights(name)) }

func (n Net) cast(x *Node) *Node {
	if n.DType == dtypes.InvalidDType || x.DType() == n.DType {
		return x
	}
	return ConvertDType(x, n.DType)
}

// Float returns x as float32: what losses and norms take.
func Float(x *Node) *Node {
	if x.DType() == dtypes.Float32 {
		return x
	}
	return ConvertDType(x, dtypes.Float32)
}

// MatMul multiplies the last axis of x by w [in, out].
func (n Net) MatMul(x, w *Node) *Node {
	dims := x.Shape().Dimensions
	in, out := w.Shape().Dimensions[0], w.Shape().Dimensions[1]
	if dims[len(dims)-1] != in {
		panic(fmt.Sprintf("mlx: matrix product of %s by %s", x.Shape(), w.Shape()))
	}
	flat := Reshape(n.cast(x), -1, in)
	y := n.cast(Dot(flat, n.cast(w)).Product())
	to := append(append([]int{}, dims[:len(dims)-1]...), out)
	return Reshape(y, to...)
}

// bias adds b [channels] to the last axis of x.
func bias(x, b *Node) *Node {
	return Add(x, ExpandLeftToRank(b, x.Rank()))
}

// Linear is x . w + b over the last axis, with weights name.w [in, out] and name.b [out].
func (n Net) Linear(x *Node, name string) *Node {
	return bias(n.MatMul(x, n.Weights(name+".w")), n.Param(name+".b"))
}

// zeros returns zeros of x's shape, but for the given extent of one axis.
func zeros(x *Node, axis, extent int) *Node {
	dims := append([]int{}, x.Shape().Dimensions...)
	dims[axis] = extent
	return Zeros(x.Graph(), shapes.Make(x.DType(), dims...))
}

// ZeroPad puts zeros around one axis of x. Concatenation rather than Pad: its gradient is right on every backend.
func ZeroPad(x *Node, axis, before, after int) *Node {
	parts := make([]*Node, 0, 3)
	if before > 0 {
		parts = append(parts, zeros(x, axis, before))
	}
	parts = append(parts, x)
	if after > 0 {
		parts = append(parts, zeros(x, axis, after))
	}
	if len(parts) == 1 {
		return x
	}
	return Concatenate(parts, axis)
}

// window is x [batch, frames, channels] shifted so that output frame t holds padded frame t+offset.
func window(padded *Node, offset, frames int) *Node {
	return SliceAxis(padded, 1, AxisRange(offset, offset+frames))
}

// CausalDepthwise convolves every channel of x [batch, frames, channels] with its own taps: output frame t sees frames
// t-taps+1 to t, zeros before the start. Weights: name.w [taps, channels], name.b [channels]. Shifts, products and sums:
// grouped convolutions are slow or unsupported.
func (n Net) CausalDepthwise(x *Node, name string) *Node { return n.DilatedDepthwise(x, name, 1) }

// DilatedDepthwise is CausalDepthwise with taps that lie dilation frames apart: output frame t sees the frames t, t-dilation, up
// to t-(taps-1)*dilation.
func (n Net) DilatedDepthwise(x *Node, name string, dilation int) *Node {
	w := n.Param(name + ".w")
	taps, channels := w.Shape().Dimensions[0], w.Shape().Dimensions[1]
	frames := x.Shape().Dimensions[1]
	padded := ZeroPad(n.cast(x), 1, (taps-1)*dilation, 0)
	var y *Node
	for k := range taps {
		tap := Reshape(SliceAxis(w, 0, AxisElem(k)), 1, 1, channels)
		term := Mul(window(padded, k*dilation, frames), BroadcastToDims(tap, padded.Shape().Dimensions[0], frames, channels))
		if y == nil {
			y = term
		} else {
			y = Add(y, term)
		}
	}
	return bias(y, n.Param(name+".b"))
}

// TimeConv convolves x [batch, frames, in] over time, past frames before and future frames after the present one, zeros
// outside. Weights: name.w [past+1+future, in, out], name.b [out]. tapMask [past+1+future] multiplies the taps, so that a
// batch can be trained with less look-ahead; nil keeps them all.
func (n Net) TimeConv(x *Node, name string, past, future int, tapMask *Node) *Node {
	w := n.Weights(name + ".w")
	dims := w.Shape().Dimensions
	taps, in, out := dims[0], dims[1], dims[2]
	if taps != past+1+future {
		panic(fmt.Sprintf("mlx: %s has %d taps, want %d", name, taps, past+1+future))
	}
	if tapMask != nil {
		w = Mul(w, BroadcastToDims(Reshape(tapMask, taps, 1, 1), taps, in, out))
	}
	frames := x.Shape().Dimensions[1]
	padded := ZeroPad(n.cast(x), 1, past, future)
	columns := make([]*Node, taps)
	for k := range taps {
		columns[k] = window(padded, k, frames)
	}
	y := n.MatMul(Concatenate(columns, -1), Reshape(w, taps*in, out))
	return bias(y, n.Param(name+".b"))
}

// normEpsilon keeps a norm finite on a constant input; gan's CPU forward has the same.
const normEpsilon = 1e-5

// standardize brings the last axis to mean 0 and variance 1, in float32.
func standardize(x *Node) *Node {
	x = Float(x)
	mean := ReduceAndKeep(x, ReduceMean, -1)
	centred := Sub(x, BroadcastToShape(mean, x.Shape()))
	variance := ReduceAndKeep(Square(centred), ReduceMean, -1)
	return Div(centred, BroadcastToShape(Sqrt(AddScalar(variance, normEpsilon)), x.Shape()))
}

// LayerNorm normalises the last axis (Ba et al. 2016). Weights: name.gain [channels], name.bias [channels].
func (n Net) LayerNorm(x *Node, name string) *Node {
	y := standardize(x)
	gain := ExpandLeftToRank(n.Weights(name+".gain"), y.Rank())
	return n.cast(bias(Mul(y, BroadcastToShape(gain, y.Shape())), n.Weights(name+".bias")))
}

// AdaLN normalises the last axis of x [batch, frames, channels] and then scales it by 1+gamma and shifts it by beta, both
// made from a style [batch, styleDim] by a linear layer with weights name.w [styleDim, 2*channels] (gamma first), name.b.
// It is adaptive instance normalisation (Huang and Belongie 2017) per frame, which keeps the network causal.
func (n Net) AdaLN(x, style *Node, name string) *Node {
	y := standardize(x)
	batch, channels := y.Shape().Dimensions[0], y.Shape().Dimensions[2]
	affine := Float(n.Linear(style, name))
	gamma := Reshape(SliceAxis(affine, 1, AxisRange(0, channels)), batch, 1, channels)
	beta := Reshape(SliceAxis(affine, 1, AxisRange(channels, 2*channels)), batch, 1, channels)
	scaled := Mul(y, BroadcastToShape(AddScalar(gamma, 1), y.Shape()))
	return n.cast(Add(scaled, BroadcastToShape(beta, y.Shape())))
}

// GELU is the tanh form of Hendrycks and Gimpel 2016: 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
func GELU(x *Node) *Node {
	cube := Mul(x, Mul(x, x))
	inner := MulScalar(Add(x, MulScalar(cube, 0.044715)), math.Sqrt(2/math.Pi))
	return MulScalar(Mul(x, AddScalar(Tanh(inner), 1)), 0.5)
}

// LeakyReLU has slope 0.2 below zero, as in StarGAN v2.
func LeakyReLU(x *Node) *Node { return Max(x, MulScalar(x, 0.2)) }

// ReLU is max(x, 0).
func ReLU(x *Node) *Node { return Max(x, ZerosLike(x)) }

// Conv2D convolves x [batch, time, mel, in] with an odd kernel and zeros outside ("same"). Weights: name.w
// [kt, km, in, out], and name.b [out] if withBias. Stride 1 only: on some backends the gradient of others is wrong.
func (n Net) Conv2D(x *Node, name string, withBias bool) *Node {
	w := n.Param(name + ".w")
	dims := w.Shape().Dimensions
	kt, km, in, out := dims[0], dims[1], dims[2], dims[3]
	x = n.cast(x)
	var y *Node
	switch {
	case kt == 1 && km == 1:
		y = n.MatMul(x, Reshape(w, in, out))
	case n.NativeConv:
		y = Convolve(x, w).PadSame().Done()
	default:
		time, mel := x.Shape().Dimensions[1], x.Shape().Dimensions[2]
		padded := ZeroPad(ZeroPad(x, 1, kt/2, kt/2), 2, km/2, km/2)
		columns := make([]*Node, 0, kt*km)
		for i := range kt {
			rows := SliceAxis(padded, 1, AxisRange(i, i+time))
			for j := range km {
				columns = append(columns, SliceAxis(rows, 2, AxisRange(j, j+mel)))
			}
		}
		y = n.MatMul(Concatenate(columns, -1), Reshape(w, kt*km*in, out))
	}
	if withBias {
		y = bias(y, n.Param(name+".b"))
	}
	return y
}

// AvgPool2D halves time and mel of x [batch, time, mel, channels]; an odd last row or column is dropped.
func AvgPool2D(x *Node) *Node {
	d := x.Shape().Dimensions
	time, mel := d[1]/2, d[2]/2
	if 2*time != d[1] {
		x = SliceAxis(x, 1, AxisRange(0, 2*time))
	}
	if 2*mel != d[2] {
		x = SliceAxis(x, 2, AxisRange(0, 2*mel))
	}
	return ReduceMean(Reshape(x, d[0], time, 2, mel, 2, d[3]), 2, 4)
}

// SelectHead computes v . w[y] + b[y] for each item: v [batch, in], w name.w [speakers, in, out], b name.b [speakers, out],
// oneHot [batch, speakers] of the speakers y. All heads are computed and one is kept: speakers are few, and a gather's
// gradient is slower than the product.
func (n Net) SelectHead(v, oneHot *Node, name string) *Node {
	w := n.Weights(name + ".w")
	d := w.Shape().Dimensions
	speakers, in, out := d[0], d[1], d[2]
	batch := v.Shape().Dimensions[0]
	flat := Reshape(TransposeAllAxes(w, 1, 0, 2), in, speakers*out)
	all := Float(n.MatMul(v, flat))
	all = Add(all, ExpandLeftToRank(Reshape(n.Weights(name+".b"), speakers*out), 2))
	mask := BroadcastToDims(Reshape(oneHot, batch, speakers, 1), batch, speakers, out)
	return ReduceSum(Mul(Reshape(all, batch, speakers, out), mask), 1)
}
