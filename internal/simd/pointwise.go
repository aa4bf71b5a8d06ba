package simd

import (
	"fmt"
	"math"
)

// GELU replaces each v by 0.5 v (1 + tanh(sqrt(2/pi) (v + 0.044715 v^3))) (Hendrycks and Gimpel 2016, the tanh form).
// The error is below 4e-7 times max(1, |v|).
func GELU(x []float32) { gelu(x) }

// Tanh replaces each v by its hyperbolic tangent. The error is below 3e-7.
func Tanh(x []float32) { tanh(x) }

// Exp replaces each v by e^v with a relative error below 4e-7. v is limited to [-87, 88] first, so that the result is
// never zero, subnormal or infinite; a NaN stays one.
func Exp(x []float32) { exp(x) }

// SinCos sets sin[i] and cos[i] to the sine and cosine of x[i] radians. The error is below 4e-7 for |x| <= 10000;
// beyond, the results stay in [-1.0001, 1.0001] but lose their phase. sin or cos may be x.
func SinCos(sin, cos, x []float32) {
	sameLength(len(sin), len(x))
	sameLength(len(cos), len(x))
	sinCos(sin, cos, x)
}

// AddTo adds src to dst, element by element. All kernels give the same bits.
func AddTo(dst, src []float32) {
	sameLength(len(dst), len(src))
	addTo(dst, src)
}

// MulAdd adds a[i] b[i] to dst[i]. Kernels that fuse differ from the others by one rounding of the product.
func MulAdd(dst, a, b []float32) {
	sameLength(len(dst), len(a))
	sameLength(len(dst), len(b))
	mulAdd(dst, a, b)
}

// ComplexMulAdd adds a[i] b[i] to dst[i]. Kernels that fuse differ from the others by one rounding of each product.
func ComplexMulAdd(dst, a, b []complex64) {
	sameLength(len(dst), len(a))
	sameLength(len(dst), len(b))
	complexMulAdd(dst, a, b)
}

func sameLength(a, b int) {
	if a != b {
		panic(fmt.Sprintf("simd: lengths %d and %d", a, b))
	}
}

// Limits and constants that the Go code and the generated assembly share.
const (
	expMin, expMax = -87, 88

	// 0.5 v (1 + tanh u) = v / (1 + e^(-2u)); the exponent is a polynomial in v.
	geluLinear = -2 * 0.797884560802865355879892119868763736951717 // -2 sqrt(2/pi)
	geluCubic  = geluLinear * 0.044715
	geluMax    = 40 // e^40 hides any 1 in float32, and v over it is no subnormal
)

// exp32 is e^v: 2^n e^r with n the nearest integer to v/ln 2 and e^r by its Taylor series, whose eighth term is below
// 1e-8 for |r| <= ln 2 / 2.
func exp32(v float32) float32 {
	v = max(min(v, expMax), expMin)
	if v != v {
		return v
	}
	n := math.RoundToEven(float64(v) * math.Log2E)
	r := float32(float64(v) - float64(n*math.Ln2))
	p := float32(r*(1./5040)) + 1./720
	p = float32(p*r) + 1./120
	p = float32(p*r) + 1./24
	p = float32(p*r) + 1./6
	p = float32(p*r) + 1./2
	p = float32(p*r) + 1
	p = float32(p*r) + 1
	return p * math.Float32frombits(uint32(int32(n)+127)<<23)
}

func geluGeneric(x []float32) {
	for i, v := range x {
		e := v * (geluLinear + float32(geluCubic*float32(v*v)))
		x[i] = v / (1 + exp32(min(e, geluMax)))
	}
}

func tanhGeneric(x []float32) {
	for i, v := range x {
		x[i] = 1 - 2/(1+exp32(min(2*v, geluMax)))
	}
}

func expGeneric(x []float32) {
	for i, v := range x {
		x[i] = exp32(v)
	}
}

// sinCosGeneric takes the angle to the nearest quarter turn first and then uses the Taylor series of both functions
// on [-pi/4, pi/4].
func sinCosGeneric(sin, cos, x []float32) {
	const limit = 0.787 // a little over pi/4, for the products that float32 rounds to the wrong quarter
	for i, v := range x {
		q := math.RoundToEven(float64(v) * (2 / math.Pi))
		r := float32(float64(v) - float64(q*(math.Pi/2)))
		r = max(min(r, limit), -limit)
		r2 := float32(r * r)
		s := float32(r2*(1./362880)) - 1./5040
		s = float32(s*r2) + 1./120
		s = float32(s*r2) - 1./6
		s = float32(s*r2) + 1
		s *= r
		c := float32(r2*(-1./3628800)) + 1./40320
		c = float32(c*r2) - 1./720
		c = float32(c*r2) + 1./24
		c = float32(c*r2) - 1./2
		c = float32(c*r2) + 1
		quarter := int32(q)
		if quarter&1 != 0 {
			s, c = c, -s
		}
		if quarter&2 != 0 {
			s, c = -s, -c
		}
		sin[i], cos[i] = s, c
	}
}

func addToGeneric(dst, src []float32) {
	for i, v := range src {
		dst[i] += v
	}
}

func mulAddGeneric(dst, a, b []float32) {
	for i := range dst {
		dst[i] += float32(a[i] * b[i])
	}
}

func complexMulAddGeneric(dst, a, b []complex64) {
	for i, u := range a {
		v := b[i]
		re := float32(real(u)*real(v)) - float32(imag(u)*imag(v))
		im := float32(real(u)*imag(v)) + float32(imag(u)*real(v))
		dst[i] += complex(re, im)
	}
}
