package nn

import (
	"fmt"

	"github.com/starvc/vc/internal/simd"
)

// Linear is x . w + bias for every frame.
type Linear struct {
	w    *simd.Matrix
	bias []float32
}

// NewLinear packs w, [in, out] row-major. The bias is [out], or nil for none, and stays the caller's: it must not
// change.
func NewLinear(w, bias []float32, in, out int) *Linear {
	if bias != nil && len(bias) != out {
		panic(fmt.Sprintf("nn: linear [%d %d]: bias of %d", in, out, len(bias)))
	}
	return &Linear{w: simd.Pack(w, in, out), bias: bias}
}

// In and Out are the lengths of a row before and after.
func (l *Linear) In() int  { return l.w.Rows() }
func (l *Linear) Out() int { return l.w.Cols() }

// Forward computes dst [frames, out] from x [frames, in]. They must not overlap.
func (l *Linear) Forward(dst, x []float32, frames int) { l.w.Mul(dst, x, frames, l.bias) }

// ForwardStrided is Forward for rows that lie xStride apart in x and dstStride apart in dst. With xStride below in it
// is a convolution over frames: x is a Window's view and in covers taps frames.
func (l *Linear) ForwardStrided(dst []float32, dstStride int, x []float32, xStride, frames int) {
	l.w.MulStrided(dst, dstStride, x, xStride, frames, l.bias)
}

// Depthwise is a causal convolution of each channel with its own taps; the last tap is the present frame's, and each other
// one dilation frames before the next.
type Depthwise struct {
	w, bias               []float32
	taps, width, dilation int
}

// NewDepthwise keeps w, [taps, width], and bias, [width]; they must not change.
func NewDepthwise(w, bias []float32, taps, width int) *Depthwise {
	return NewDilatedDepthwise(w, bias, taps, width, 1)
}

// NewDilatedDepthwise is NewDepthwise with taps that lie dilation frames apart.
func NewDilatedDepthwise(w, bias []float32, taps, width, dilation int) *Depthwise {
	if len(w) != taps*width || len(bias) != width || dilation < 1 {
		panic(fmt.Sprintf("nn: depthwise of %d taps %d apart, width %d: w %d, bias %d", taps, dilation, width, len(w), len(bias)))
	}
	return &Depthwise{w: w, bias: bias, taps: taps, width: width, dilation: dilation}
}

// Window makes the memory that a stream through this layer needs, for at most room frames a call.
func (d *Depthwise) Window(a *Arena, room int) Window {
	w := NewWindow(a, (d.taps-1)*d.dilation, room, d.width)
	if d.dilation > 1 {
		rows := (room + d.dilation - 1) / d.dilation
		w.gathered, w.made = a.Take((d.taps-1+rows)*d.width), a.Take(rows*d.width)
	}
	return w
}

// Forward computes dst [frames, width] from x [frames, width] and the frames before it, which win remembers. dst may
// be x.
func (d *Depthwise) Forward(dst, x []float32, frames int, win *Window) {
	view := win.Push(x, frames)
	if d.dilation == 1 {
		simd.Depthwise(dst[:frames*d.width], view, d.w, d.bias, frames, d.width, d.taps)
	} else {
		d.forwardApart(dst, view, frames, win)
	}
	win.Drop(frames)
}

// forwardApart convolves with taps that lie apart. The frames whose numbers leave the same remainder by the dilation see only
// each other, so they are brought together and convolved as neighbours.
func (d *Depthwise) forwardApart(dst, view []float32, frames int, win *Window) {
	w := d.width
	for first := range min(d.dilation, frames) {
		rows := (frames - first + d.dilation - 1) / d.dilation
		in, out := win.gathered[:(d.taps-1+rows)*w], win.made[:rows*w]
		for r := range d.taps - 1 + rows {
			copy(in[r*w:(r+1)*w], view[(first+r*d.dilation)*w:])
		}
		simd.Depthwise(out, in, d.w, d.bias, rows, w, d.taps)
		for r := range rows {
			copy(dst[(first+r*d.dilation)*w:], out[r*w:(r+1)*w])
		}
	}
}

// NormEpsilon is added to the variance in every normalisation of the networks.
const NormEpsilon = 1e-5

// LayerNorm normalises each frame of x [frames, width] over its channels, multiplies by gain and adds bias, both
// [width]. With gain 1+gamma and bias beta taken from a style it is AdaLN. dst may be x.
func LayerNorm(dst, x, gain, bias []float32, frames int) {
	simd.LayerNorm(dst, x, gain, bias, frames, len(gain), NormEpsilon)
}

// GELU replaces each v by its tanh-form GELU.
func GELU(x []float32) { simd.GELU(x) }

// Add adds src to dst.
func Add(dst, src []float32) { simd.AddTo(dst, src) }

// ReLU replaces each v by max(v, 0).
func ReLU(x []float32) {
	for i, v := range x {
		x[i] = max(v, 0)
	}
}

// LeakyReLU sets dst to x where x is positive and to slope*x elsewhere. dst may be x.
func LeakyReLU(dst, x []float32, slope float32) {
	for i, v := range x {
		if v < 0 {
			v *= slope
		}
		dst[i] = v
	}
}
