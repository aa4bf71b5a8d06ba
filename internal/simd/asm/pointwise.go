//go:build generate

package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The constants and series are those of the Go functions, which explain them.
const (
	expMin, expMax = -87, 88
	geluLinear     = -2 * 0.797884560802865355879892119868763736951717
	geluCubic      = geluLinear * 0.044715
	geluMax        = 40
)

func (t target) pointwise() {
	t.inPlace("gelu", "applies GELU.", func(v reg.VecVirtual) reg.VecVirtual {
		e := t.vec()
		VMULPS(v, v, e)
		e = t.polynomial(e, geluCubic, geluLinear)
		VMULPS(v, e, e)
		VMINPS(e, t.splat(geluMax), e)
		e = t.exp(e)
		VADDPS(t.splat(1), e, e)
		VDIVPS(e, v, v)
		return v
	})
	t.inPlace("tanh", "applies the hyperbolic tangent.", func(v reg.VecVirtual) reg.VecVirtual {
		VADDPS(v, v, v)
		VMINPS(v, t.splat(geluMax), v)
		e := t.exp(v)
		one, two := t.splat(1), t.splat(2)
		VADDPS(one, e, e)
		VDIVPS(e, two, e)
		VSUBPS(e, one, e)
		return e
	})
	t.inPlace("exp", "applies the exponential function.", t.exp)

	t.elements("sinCos", "func(sin *float32, cos *float32, x *float32, n int)", "sets sin and cos to those of x.",
		[]string{"sin", "cos", "x"}, func(s span) {
			sin, cos := t.sinCos(s.load(2))
			s.store(0, sin)
			s.store(1, cos)
		})
	t.elements("addTo", "func(dst *float32, src *float32, n int)", "adds src to dst.",
		[]string{"dst", "src"}, func(s span) {
			d := s.load(0)
			VADDPS(s.load(1), d, d)
			s.store(0, d)
		})
	t.elements("mulAdd", "func(dst *float32, a *float32, b *float32, n int)", "adds a times b to dst.",
		[]string{"dst", "a", "b"}, func(s span) {
			d, a := s.load(0), s.load(1)
			VFMADD231PS(s.load(2), a, d)
			s.store(0, d)
		})
	t.elements("complexMulAdd", "func(dst *complex64, a *complex64, b *complex64, n int)",
		"adds a times b to dst; n counts real and imaginary parts.",
		[]string{"dst", "a", "b"}, func(s span) {
			a, b := s.load(1), s.load(2)
			re, im := t.vec(), t.vec()
			VMOVSLDUP(a, re)
			VMOVSHDUP(a, im)
			swapped := t.vec()
			VPERMILPS(U8(0xb1), b, swapped)
			VMULPS(swapped, im, im)
			VFMADDSUB213PS(im, b, re) // less in the real parts, plus in the imaginary ones
			d := s.load(0)
			VADDPS(re, d, d)
			s.store(0, d)
		})
}

// elements writes a function over the elements of slices.
func (t target) elements(name, signature, doc string, slices []string, body func(s span)) {
	t.function(name, signature, doc)
	var r []reg.Register
	for _, s := range slices {
		r = append(r, Load(Param(s), GP64()))
	}
	t.stream("", Load(Param("n"), GP64()), r, body)
	VZEROUPPER()
	RET()
}

func (t target) inPlace(name, doc string, f func(v reg.VecVirtual) reg.VecVirtual) {
	t.elements(name, "func(x *float32, n int)", doc, []string{"x"}, func(s span) { s.store(0, f(s.load(0))) })
}

func (t target) exp(v reg.VecVirtual) reg.VecVirtual {
	t.limit(v, expMin, expMax)
	n := t.vec()
	VMULPS(t.splat(math.Log2E), v, n)
	n = t.round(n)
	high := float64(float32(math.Ln2))
	VFNMADD231PS(t.splat(high), n, v)
	VFNMADD231PS(t.splat(math.Ln2-high), n, v)
	p := t.polynomial(v, 1./5040, 1./720, 1./120, 1./24, 1./6, 1./2, 1, 1)
	if t.wide {
		VSCALEFPS(n, p, p)
		return p
	}
	VCVTPS2DQ(n, n)
	VPSLLD(U8(23), n, n)
	VPADDD(n, p, p)
	return p
}

func (t target) sinCos(x reg.VecVirtual) (sin, cos reg.VecVirtual) {
	q := t.vec()
	VMULPS(t.splat(2/math.Pi), x, q)
	q = t.round(q)
	rest := math.Pi / 2
	for range 3 {
		part := float64(float32(rest))
		VFNMADD231PS(t.splat(part), q, x)
		rest -= part
	}
	t.limit(x, -0.787, 0.787)
	x2 := t.vec()
	VMULPS(x, x, x2)
	sin = t.polynomial(x2, 1./362880, -1./5040, 1./120, -1./6, 1)
	VMULPS(x, sin, sin)
	cos = t.polynomial(x2, -1./3628800, 1./40320, -1./720, 1./24, -1./2, 1)

	// Odd quarter turns exchange the two; the sine is negative in turns 2 and 3, the cosine in 1 and 2.
	quarter, odd, swap := t.vec(), t.vec(), t.vec()
	VCVTPS2DQ(q, quarter)
	VPSLLD(U8(31), quarter, odd)
	VPSRAD(U8(31), odd, swap)
	difference := t.vec()
	VXORPS(sin, cos, difference)
	VANDPS(swap, difference, difference)
	VXORPS(difference, sin, sin)
	VXORPS(difference, cos, cos)
	VPSRLD(U8(1), quarter, quarter)
	VPSLLD(U8(31), quarter, quarter)
	VXORPS(quarter, sin, sin)
	VXORPS(quarter, cos, cos)
	VXORPS(odd, cos, cos)
	return sin, cos
}
