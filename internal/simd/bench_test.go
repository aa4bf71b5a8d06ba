package simd

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkMul reports GFLOPS: a multiplication and an addition for each weight and row.
func BenchmarkMul(b *testing.B) {
	for _, s := range []struct{ rows, k, n int }{
		{1, 256, 768}, {2, 256, 768}, {4, 256, 768}, {6, 256, 768}, {8, 256, 768}, {16, 256, 768}, {120, 256, 768},
		{2, 768, 256}, {4, 768, 256}, {120, 768, 256}, {120, 256, 80}, {2, 720, 256},
	} {
		for _, bits := range []int{32, 16} {
			b.Run(fmt.Sprintf("%dx%dx%d/%d", s.rows, s.k, s.n, bits), func(b *testing.B) {
				rng := rand.New(rand.NewPCG(1, 1))
				w := randoms(rng, s.k*s.n, 1)
				if bits == 16 {
					toHalves(w)
				}
				// As in a network, whose layers drive each other out of the nearest cache: 16 MB at 32 bits.
				layers := make([]*Matrix, 1<<22/(s.k*s.n))
				for i := range layers {
					layers[i] = Pack(w, s.k, s.n)
				}
				x, bias, dst := randoms(rng, s.rows*s.k, 1), make([]float32, s.n), make([]float32, s.rows*s.n)
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					layers[i%len(layers)].Mul(dst, x, s.rows, bias)
				}
				b.ReportMetric(2*float64(s.rows*s.k*s.n)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOPS")
			})
		}
	}
}

// BenchmarkPointwise reports nanoseconds per element over a chunk of 2 frames of 768.
func BenchmarkPointwise(b *testing.B) {
	const rows, width = 2, 768
	rng := rand.New(rand.NewPCG(1, 1))
	x, y, w := randoms(rng, rows*width, 1), randoms(rng, rows*width, 1), randoms(rng, 7*width, 1)
	past := randoms(rng, (rows+6)*width, 1)
	z := make([]complex64, rows*width)
	fresh := clone(x)
	for _, f := range []struct {
		name string
		f    func()
	}{
		{"gelu", func() { GELU(x) }},
		{"tanh", func() { Tanh(x) }},
		{"exp", func() { Exp(x) }},
		{"sincos", func() { SinCos(x, y, x) }},
		{"add", func() { AddTo(x, y) }},
		{"muladd", func() { MulAdd(x, y, y) }},
		{"complexmuladd", func() { ComplexMulAdd(z, z, z) }},
		{"norm", func() { LayerNorm(x, x, w[:width], y[:width], rows, width, 1e-5) }},
		{"depthwise7", func() { Depthwise(x, past, w, y[:width], rows, width, 7) }},
	} {
		b.Run(f.name, func(b *testing.B) {
			for b.Loop() {
				copy(x, fresh) // or the values would drift away into subnormals
				f.f()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(rows*width), "ns/element")
		})
	}
}
