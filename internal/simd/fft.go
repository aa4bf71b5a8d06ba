package simd

import (
	"fmt"
	"math"
)

// FFT is a plan for the discrete Fourier transform of n real samples in float32. It holds scratch memory, so that
// each goroutine needs its own; its methods do not allocate.
//
// The n samples are taken as n/2 complex numbers, transformed by Stockham's radix-4 algorithm, which sorts as it goes, with
// a last pass for a factor of 2, 3 or 6 that is left, and then taken apart. Real and imaginary parts lie in arrays of their own. The error is below 1e-6 times the root of
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

// CanFFT tells whether NewFFT takes n: a power of two, or three times one, from 8 on.
func CanFFT(n int) bool {
	if n%3 == 0 {
		n /= 3
	}
	return n >= 8 && n&(n-1) == 0
}

// NewFFT plans for n samples. It panics on an n that CanFFT refuses.
func NewFFT(n int) *FFT {
	if !CanFFT(n) {
		panic(fmt.Sprintf("simd: transform of %d samples, want a power of two or three times one, from 8 on", n))
	}
	f := &FFT{n: n, half: n / 2}
	lanes := 1
	if l := active.quantum(); (active == avx2 || active == avx512) && f.half/4%l == 0 && f.half/4 >= 16 {
		f.kernel, lanes = active, l
	}
	for length := f.half; length%4 == 0; length /= 4 {
		s := fftStage{stride: f.half / length, twiddles: aligned[float32](6 * f.half / 4)}
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
	f.apart, f.joined = aligned[float32](2*f.half), aligned[float32](2*f.half)
	for k := range f.half {
		sin, cos := math.Sincos(2 * math.Pi * float64(k) / float64(n))
		at := k/lanes*2*lanes + k%lanes
		f.apart[at], f.apart[at+lanes] = float32(-sin/2), float32(-cos/2)
		f.joined[at], f.joined[at+lanes] = float32(-sin/2/float64(f.half)), float32(cos/2/float64(f.half))
	}
	for i := range f.work {
		f.work[i] = complexes{aligned[float32](f.half + 1), aligned[float32](f.half + 1)}
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
	switch left {
	case 2:
		f.pairs(b, a)
	case 3:
		triples(b, a, f.half)
	case 6:
		sextuples(b, a, f.half)
	default:
		return a
	}
	return b
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

// The sine and the cosine of a third of a turn.
const (
	sin3 = 0.86602540378443864676
	cos3 = -0.5
)

// triples is the last pass when a factor of three is left. It is the same on every processor.
func triples(y, x complexes, n int) {
	s := n / 3
	for i := range s {
		j, k := i+s, i+2*s
		ar, ai := x.re[i], x.im[i]
		sumR, sumI := x.re[j]+x.re[k], x.im[j]+x.im[k]
		turnR, turnI := float32(sin3*(x.im[j]-x.im[k])), float32(sin3*(x.re[k]-x.re[j])) // -i sin (b-c)
		midR, midI := ar+float32(cos3*sumR), ai+float32(cos3*sumI)
		y.re[i], y.im[i] = ar+sumR, ai+sumI
		y.re[j], y.im[j] = midR+turnR, midI+turnI
		y.re[k], y.im[k] = midR-turnR, midI-turnI
	}
}

// sextuples is the last pass when a factor of six is left: with a to f a sixth of the points apart, the even ones of the six that
// come out are the transform of a+d, b+e, c+f, the odd ones that of a-d, w(b-e), w^2(c-f), where w is a sixth of a turn back.
func sextuples(y, x complexes, n int) {
	s := n / 6
	for i := range s {
		var evenR, evenI, oddR, oddI [3]float32
		for j := range 3 {
			at, over := i+j*s, i+(j+3)*s
			evenR[j], evenI[j] = x.re[at]+x.re[over], x.im[at]+x.im[over]
			r, m := x.re[at]-x.re[over], x.im[at]-x.im[over]
			switch j { // w = 1/2 - i sin3
			case 1:
				r, m = float32(0.5*r)+float32(sin3*m), float32(0.5*m)-float32(sin3*r)
			case 2:
				r, m = float32(sin3*m)-float32(0.5*r), -float32(0.5*m)-float32(sin3*r)
			}
			oddR[j], oddI[j] = r, m
		}
		for odd, from := range [2]complexes{{evenR[:], evenI[:]}, {oddR[:], oddI[:]}} {
			sumR, sumI := from.re[1]+from.re[2], from.im[1]+from.im[2]
			turnR, turnI := float32(sin3*(from.im[1]-from.im[2])), float32(sin3*(from.re[2]-from.re[1]))
			midR, midI := from.re[0]+float32(cos3*sumR), from.im[0]+float32(cos3*sumI)
			to := i + odd*s
			y.re[to], y.im[to] = from.re[0]+sumR, from.im[0]+sumI
			y.re[to+2*s], y.im[to+2*s] = midR+turnR, midI+turnI
			y.re[to+4*s], y.im[to+4*s] = midR-turnR, midI-turnI
		}
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
