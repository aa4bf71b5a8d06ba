package nn

import (
	"fmt"
)

// Image is [frames, bands, channels], row-major: the activation of the 2-D layers. Most of them run on whole recordings
// only and so allocate what they return.
type Image struct {
	Frames, Bands, Channels int
	Data                    []float32
}

// NewImage makes zeros.
func NewImage(frames, bands, channels int) *Image {
	return &Image{frames, bands, channels, make([]float32, frames*bands*channels)}
}

// Conv3x3 is a convolution of 3 frames by 3 bands, stride 1, with zeros around the image: a frame sees its two
// neighbours (Forward) or the two before it (ForwardCausal), a band its two neighbours.
type Conv3x3 struct {
	linear *Linear
	in     int
}

// NewConv3x3 packs w, [3, 3, in, out]: time, band, from, to. The bias is [out].
func NewConv3x3(w, bias []float32, in, out int) *Conv3x3 {
	return &Conv3x3{linear: NewLinear(w, bias, 9*in, out), in: in}
}

// Forward gives [frames, bands, out]; output frame t sees frames t-1 to t+1.
func (c *Conv3x3) Forward(x *Image) *Image {
	if x.Channels != c.in {
		panic(fmt.Sprintf("nn: convolution of %d channels on %d", c.in, x.Channels))
	}
	y := NewImage(x.Frames, x.Bands, c.linear.Out())
	row := x.Bands * x.Channels
	// One frame at a time, every band's 9 neighbours laid out side by side as a row of a matrix product.
	patches := make([]float32, c.Patches(x.Bands))
	zeros := make([]float32, row)
	for t := range x.Frames {
		for dt := range 3 {
			in := zeros
			if from := t + dt - 1; from >= 0 && from < x.Frames {
				in = x.Data[from*row : (from+1)*row]
			}
			c.lay(patches, in, dt)
		}
		c.linear.Forward(y.Data[t*x.Bands*y.Channels:][:x.Bands*y.Channels], patches, x.Bands)
	}
	return y
}

// Window makes the memory that a stream through ForwardCausal needs, for at most room frames a call.
func (c *Conv3x3) Window(a *Arena, bands, room int) Window { return NewWindow(a, 2, room, bands*c.in) }

// Patches is the length of the scratch that one frame of so many bands needs.
func (c *Conv3x3) Patches(bands int) int { return bands * 9 * c.in }

// ForwardCausal computes one frame, dst [bands, out], from x [3, bands, in]: the two frames before it and itself, as a
// Window's view holds them. patches is scratch, see Patches.
func (c *Conv3x3) ForwardCausal(dst, x, patches []float32, bands int) {
	row := bands * c.in
	patches = patches[:c.Patches(bands)]
	for dt := range 3 {
		c.lay(patches, x[dt*row:(dt+1)*row], dt)
	}
	c.linear.Forward(dst, patches, bands)
}

// lay writes what every band sees of one frame, in [bands, in], into patches, [bands, 3, 3, in], as frame dt of the three.
func (c *Conv3x3) lay(patches, in []float32, dt int) {
	span := 3 * c.in
	for b := range len(in) / c.in {
		patch := patches[(3*b+dt)*span:][:span]
		low, high := (b-1)*c.in, (b+2)*c.in
		if low >= 0 && high <= len(in) {
			copy(patch, in[low:high])
			continue
		}
		clear(patch)
		copy(patch[max(0, -low):], in[max(0, low):min(high, len(in))])
	}
}

// Pointwise applies a linear layer to every pixel.
func Pointwise(l *Linear, x *Image) *Image {
	y := NewImage(x.Frames, x.Bands, l.Out())
	l.Forward(y.Data, x.Data, x.Frames*x.Bands)
	return y
}

// HalvePool is average pooling over 2 frames by 2 bands; an odd last frame or band is dropped.
func HalvePool(x *Image) *Image {
	y := NewImage(x.Frames/2, x.Bands/2, x.Channels)
	for t := range y.Frames {
		for b := range y.Bands {
			out := y.Data[(t*y.Bands+b)*y.Channels:][:y.Channels]
			a := x.Data[(2*t*x.Bands+2*b)*x.Channels:][:2*x.Channels]
			c := x.Data[((2*t+1)*x.Bands+2*b)*x.Channels:][:2*x.Channels]
			for i := range out {
				out[i] = 0.25 * ((a[i] + a[i+x.Channels]) + (c[i] + c[i+x.Channels]))
			}
		}
	}
	return y
}
