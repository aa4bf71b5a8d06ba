package simd

import (
	"fmt"
	"math"
)

// LayerNorm normalises each of rows rows of x, [rows, width], to mean 0 and variance 1 (the biased variance, plus
// eps), then multiplies by gain and adds bias, both [width]: Ba, Kiros and Hinton 2016, equation 4. dst is [rows,
// width] and may be x. Kernels differ by at most 1e-5 times max(1, |gain|) for inputs whose mean is not above some
// thousand standard deviations.
func LayerNorm(dst, x, gain, bias []float32, rows, width int, eps float32) {
	if rows < 0 || width < 1 || len(dst) != rows*width || len(x) != rows*width || len(gain) != width || len(bias) != width {
		panic(fmt.Sprintf("simd: layer norm of [%d %d]: dst %d, x %d, gain %d, bias %d",
			rows, width, len(dst), len(x), len(gain), len(bias)))
	}
	layerNorm(dst, x, gain, bias, rows, width, eps)
}

// Depthwise is a causal convolution of each channel with its own taps. x is [taps-1+frames, width], frame-major: the
// taps-1 past frames and then the new ones; w is [taps, width], its last tap the one for the present frame; b is
// [width]; dst is [frames, width]:
//
//	dst[t, c] = b[c] + sum over j of w[j, c] x[t+j, c]
//
// The sum runs in ascending j. dst must not overlap x. Kernels that fuse differ from the others by the roundings of
// the products.
func Depthwise(dst, x, w, b []float32, frames, width, taps int) {
	if frames < 0 || width < 1 || taps < 1 || len(dst) != frames*width || len(x) != (taps-1+frames)*width ||
		len(w) != taps*width || len(b) != width {
		panic(fmt.Sprintf("simd: depthwise of %d frames, width %d, %d taps: dst %d, x %d, w %d, b %d",
			frames, width, taps, len(dst), len(x), len(w), len(b)))
	}
	depthwise(dst, x, w, b, frames, width, taps)
}

func layerNormGeneric(dst, x, gain, bias []float32, rows, width int, eps float32) {
	for r := range rows {
		in, out := x[r*width:][:width], dst[r*width:][:width]
		var sum float64
		for _, v := range in {
			sum += float64(v)
		}
		mean := sum / float64(width)
		var squares float64
		for _, v := range in {
			d := float64(v) - mean
			squares += float64(d * d)
		}
		scale := float32(1 / math.Sqrt(squares/float64(width)+float64(eps)))
		for i, v := range in {
			out[i] = float32(float32(float32(float64(v)-mean)*scale)*gain[i]) + bias[i]
		}
	}
}

func depthwiseGeneric(dst, x, w, b []float32, frames, width, taps int) {
	for t := range frames {
		out := dst[t*width:][:width]
		copy(out, b)
		for j := range taps {
			mulAddGeneric(out, w[j*width:][:width], x[(t+j)*width:][:width])
		}
	}
}
