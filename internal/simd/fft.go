package simd

import (
	"fmt"
	"math"
)

// FFT is a plan for the discrete Fourier transform of n real samples in float32. It holds scratch memory, so that
// each goroutine needs its own; its methods do not allocate.
//
// The n samples are taken as n/2 complex numbers, transformed by Stockham's radix-4 algorithm, which sorts as it goes,
// and then taken apart. Real and imaginary parts lie in arrays of their own. The error is below 1e-6 times the root of
// the sum of the squares of what goes in; kernels differ by no more.
type FFT struct {
	n      int // samples
	half   int // complex numbers
	kernel kernel
	stages []fftStage
	apart  []float32 // -i/2 w^k, re and im alternating by blocks as in a stage, w = e^(-2 pi i/n)
	joined []float32 // i/2 w^-k / half, likewise
	work   [2]complexes
}

// fftStage is one pass of radix 4 over numbers whose neighbours in one small transform lie stride apart.
type fftStage struct {
	stride   int
	twiddles []float32 // for each block of lanes butterflies: re and im of w, w^2, w^3
}

type complexes struct{ re, im []float32 }

// NewFFT plans for n samples, a power of two from 8 on.
func NewFFT(n int) *FFT {
	if n < 8 || n&(n-1) != 0 {
		panic(fmt.Sprintf("simd: transform of %d samples, want a power of two from 8 on", n))
	}
	f := &FFT{n: n, half: n / 2}
	lanes := 1
	if l := active.quantum(); active != generic && f.half/4%l == 0 && f.half/4 >= 16 {
		f.kernel, lanes = active, l
	}
	length := f.half
	for ; length >= 4; length /= 4 {
		s := fftStage{stride: f.half / length, twiddles: alignedFloats(6 * f.half / 4)}
		for i := range f.half / 4 {
			block := s.twiddles[i/lanes*6*lanes+i%lanes:]
			for power := 1; power <= 3; power++ {
				sin, cos := math.Sincos(-2 * math.Pi * float64(i/s.stride*power) / float64(length))
				block[(2*power-2)*lanes] = float32(cos)
				block[(2*power-1)*lanes] = float32(sin)
			}
		}
		f.stages = append(f.stages, s)
	}
	f.apart, f.joined = alignedFloats(2*f.half), alignedFloats(2*f.half)
	for k := range f.half {
		sin, cos := math.Sincos(2 * math.Pi * float64(k) / float64(n))
		at := k/lanes*2*lanes + k%lanes
		f.apart[at], f.apart[at+lanes] = float32(-sin/2), float32(-cos/2)
		f.joined[at], f.joined[at+lanes] = float32(-sin/2/float64(f.half)), float32(cos/2/float64(f.half))
	}
	for i := range f.work {
		f.work[i] = complexes{alignedFloats(f.half + 1), alignedFloats(f.half + 1)}
	}
	return f
}

// Len is n, the number of samples.
func (f *FFT) Len() int { return f.n }

// Bins is n/2+1, the number of frequencies from zero to half the sample rate.
func (f *FFT) Bins() int { return f.half + 1 }

// Forward sets re[k] + i im[k] to the sum over t of x[t] e^(-2 pi i k t/n), unscaled. re and im are [Bins], x is [Len]
// and overlaps neither.
func (f *FFT) Forward(re, im, x []float32) {
	sameLength(len(re), f.half+1)
	sameLength(len(im), f.half+1)
	sameLength(len(x), f.n)
	f.split(f.work[0], x)
	z := f.transform(f.work[0], f.work[1])
	z.re[f.half], z.im[f.half] = z.re[0], z.im[0]
	f.mirror(complexes{re, im}, z, f.apart, 0.5)
	re[0], im[0] = z.re[0]+z.im[0], 0
	re[f.half], im[f.half] = z.re[0]-z.im[0], 0
}

// Inverse is Forward's inverse, scaled: Inverse after Forward gives x again. im[0] and im[n/2] are taken as zero.
func (f *FFT) Inverse(x, re, im []float32) {
	sameLength(len(re), f.half+1)
	sameLength(len(im), f.half+1)
	sameLength(len(x), f.n)
	z := f.work[0]
	scale := 0.5 / float32(f.half)
	f.mirror(z, complexes{re, im}, f.joined, scale)
	z.re[0], z.im[0] = (re[0]+re[f.half])*scale, (re[0]-re[f.half])*scale
	// Exchanging the parts before and after turns the transform round.
	z = f.transform(complexes{z.im, z.re}, f.work[1])
	f.join(x, complexes{z.im, z.re})
}

// transform is the complex transform of a, with b as scratch; it returns the one of the two that holds the result.
func (f *FFT) transform(a, b complexes) complexes {
	left := f.half
	for i := range f.stages {
		f.stage(b, a, &f.stages[i])
		a, b = b, a
		left /= 4
	}
	if left == 2 {
		f.pairs(b, a)
		a = b
	}
	return a
}

func splitGeneric(z complexes, x []float32) {
	for i := range len(x) / 2 {
		z.re[i], z.im[i] = x[2*i], x[2*i+1]
	}
}

func joinGeneric(x []float32, z complexes) {
	for i := range len(x) / 2 {
		x[2*i], x[2*i+1] = z.re[i], z.im[i]
	}
}

// stageGeneric does one quarter of the points at a time: with a, b, c, d a quarter apart,
//
//	a+c + (b+d), w (a-c - i(b-d)), w^2 (a+c - (b+d)), w^3 (a-c + i(b-d))
//
// go stride apart.
func stageGeneric(y, x complexes, s *fftStage, n int) {
	quarter, stride := n/4, s.stride
	for i := range quarter {
		w := s.twiddles[6*i:][:6]
		ar, ai := x.re[i], x.im[i]
		br, bi := x.re[i+quarter], x.im[i+quarter]
		cr, ci := x.re[i+2*quarter], x.im[i+2*quarter]
		dr, di := x.re[i+3*quarter], x.im[i+3*quarter]
		sumR, sumI, diffR, diffI := ar+cr, ai+ci, ar-cr, ai-ci
		otherR, otherI, turnR, turnI := br+dr, bi+di, di-bi, br-dr // turn = i (b-d)
		to := i%stride + i/stride*stride*4
		y.re[to], y.im[to] = sumR+otherR, sumI+otherI
		r, m := diffR-turnR, diffI-turnI
		y.re[to+stride], y.im[to+stride] = float32(r*w[0])-float32(m*w[1]), float32(r*w[1])+float32(m*w[0])
		r, m = sumR-otherR, sumI-otherI
		y.re[to+2*stride], y.im[to+2*stride] = float32(r*w[2])-float32(m*w[3]), float32(r*w[3])+float32(m*w[2])
		r, m = diffR+turnR, diffI+turnI
		y.re[to+3*stride], y.im[to+3*stride] = float32(r*w[4])-float32(m*w[5]), float32(r*w[5])+float32(m*w[4])
	}
}

// pairsGeneric is the last pass when the number of points is no power of four.
func pairsGeneric(y, x complexes, n int) {
	h := n / 2
	for i := range h {
		y.re[i], y.re[i+h] = x.re[i]+x.re[i+h], x.re[i]-x.re[i+h]
		y.im[i], y.im[i+h] = x.im[i]+x.im[i+h], x.im[i]-x.im[i+h]
	}
}

// mirrorGeneric sets y[k] to scale (x[k] + conj x[n-k]) + t[k] (x[k] - conj x[n-k]) for k below n; x has n+1.
func mirrorGeneric(y, x complexes, t []float32, n int, scale float32) {
	for k := range n {
		ar, ai := x.re[k]+x.re[n-k], x.im[k]-x.im[n-k]
		br, bi := x.re[k]-x.re[n-k], x.im[k]+x.im[n-k]
		tr, ti := t[2*k], t[2*k+1]
		y.re[k] = float32(ar*scale) + (float32(br*tr) - float32(bi*ti))
		y.im[k] = float32(ai*scale) + (float32(br*ti) + float32(bi*tr))
	}
}
