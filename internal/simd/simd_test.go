package simd

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/starvc/vc/internal/float16"
)

// withKernels runs f once for each kernel that this processor has, the generic one first. The switch is global, so
// these tests do not run in parallel.
func withKernels(t testing.TB, f func(k kernel)) {
	best := active
	defer func() { active = best }()
	for k := generic; k <= best; k++ {
		if best == neon && k != generic && k != neon {
			continue
		}
		active = k
		f(k)
	}
}

func randoms(rng *rand.Rand, n int, scale float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64() * scale)
	}
	return x
}

// toHalves rounds x to numbers of 16 bits.
func toHalves(x []float32) {
	for i := range x {
		h, _ := float16.FromFloat32(x[i])
		x[i] = float16.ToFloat32(h)
	}
}

func clone[T any](x []T) []T { return append([]T(nil), x...) }

func equalBits(a, b []float32) int {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return i
		}
	}
	return -1
}

// guarded returns a slice of n that lies at an odd offset inside canaries, and a function that reports whether they
// still live.
func guarded(x []float32, offset int) ([]float32, func() bool) {
	const canary = 123456.75
	buf := make([]float32, len(x)+2*64)
	for i := range buf {
		buf[i] = canary
	}
	inner := buf[offset : offset+len(x) : offset+len(x)]
	copy(inner, x)
	return inner, func() bool {
		for i, v := range buf {
			if (i < offset || i >= offset+len(x)) && v != canary {
				return false
			}
		}
		return true
	}
}

// checkMul compares one product with float64 sums, bounded by 2^-23 (k+1) times the sum of magnitudes.
func checkMul(t *testing.T, k kernel, rng *rand.Rand, rows, depth, n int, withBias bool) {
	t.Helper()
	w := randoms(rng, depth*n, 1)
	x := randoms(rng, rows*depth, 1)
	var bias []float32
	if withBias {
		bias = randoms(rng, n, 1)
	}
	dst, alive := guarded(make([]float32, rows*n), 3)
	Pack(w, depth, n).Mul(dst, x, rows, bias)
	if !alive() {
		t.Fatalf("%v: [%d %d]x[%d %d] wrote outside dst", k, rows, depth, depth, n)
	}
	for r := range rows {
		for c := range n {
			var sum, magnitude float64
			if withBias {
				sum = float64(bias[c])
				magnitude = math.Abs(sum)
			}
			for i := range depth {
				p := float64(x[r*depth+i]) * float64(w[i*n+c])
				sum += p
				magnitude += math.Abs(p)
			}
			if d := math.Abs(float64(dst[r*n+c]) - sum); !(d <= magnitude*float64(depth+1)*0x1p-23) {
				t.Fatalf("%v: [%d %d]x[%d %d] bias %v: at %d,%d got %v want %v",
					k, rows, depth, depth, n, withBias, r, c, dst[r*n+c], sum)
			}
		}
	}
}

func TestMul(t *testing.T) {
	withKernels(t, func(k kernel) {
		rng := rand.New(rand.NewPCG(1, 2))
		for _, n := range []int{1, 3, 4, 7, 8, 15, 16, 17, 31, 33, 48, 63, 64, 65, 80, 96, 127, 128, 130, 257} {
			for _, rows := range []int{1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 16, 17, 24, 25, 37} {
				checkMul(t, k, rng, rows, 1+rng.IntN(40), n, rows%2 == 0)
			}
		}
		checkMul(t, k, rng, 4, 256, 768, true)
		checkMul(t, k, rng, 26, 768, 256, true)
		checkMul(t, k, rng, 13, 1300, 70, true)
	})
}

// TestMulRowsIndependent is the promise that streaming rests on: the bits of a row do not depend on its company.
func TestMulRowsIndependent(t *testing.T) {
	withKernels(t, func(k kernel) {
		rng := rand.New(rand.NewPCG(3, 4))
		for _, shape := range [][2]int{{256, 768}, {768, 256}, {720, 80}, {67, 97}, {1500, 130}} {
			depth, n := shape[0], shape[1]
			const rows = 67
			m := Pack(randoms(rng, depth*n, 1), depth, n)
			x, bias := randoms(rng, rows*depth, 1), randoms(rng, n, 1)
			whole := make([]float32, rows*n)
			m.Mul(whole, x, rows, bias)
			for _, chunk := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 16, 24, 31, 50} {
				got := make([]float32, rows*n)
				for r := 0; r < rows; r += chunk {
					c := min(chunk, rows-r)
					m.Mul(got[r*n:(r+c)*n], x[r*depth:(r+c)*depth], c, bias)
				}
				if i := equalBits(whole, got); i >= 0 {
					t.Fatalf("%v: %v: chunks of %d: element %d differs: %v and %v", k, shape, chunk, i, whole[i], got[i])
				}
			}
		}
	})
}

// TestMulKernelsAgree holds the fused kernels to the same bits.
func TestMulKernelsAgree(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	const rows, depth, n = 29, 300, 150
	w, x, bias := randoms(rng, depth*n, 1), randoms(rng, rows*depth, 1), randoms(rng, n, 1)
	got := map[kernel][]float32{}
	withKernels(t, func(k kernel) {
		got[k] = make([]float32, rows*n)
		Pack(w, depth, n).Mul(got[k], x, rows, bias)
	})
	if got[avx2] == nil || got[avx512] == nil {
		t.Skip("needs AVX-512")
	}
	if i := equalBits(got[avx2], got[avx512]); i >= 0 {
		t.Fatalf("element %d: %v and %v", i, got[avx2][i], got[avx512][i])
	}
}

// TestMulHalf has weights of 16 bits give the same bits as the same weights at 32, in any number of rows, and weights that 16 bits would round
// keep 32.
func TestMulHalf(t *testing.T) {
	withKernels(t, func(k kernel) {
		rng := rand.New(rand.NewPCG(9, 10))
		for _, shape := range [][2]int{{1, 8}, {2, 64}, {67, 97}, {256, 768}, {301, 130}} {
			depth, n := shape[0], shape[1]
			w := randoms(rng, depth*n, 1)
			if m := Pack(w, depth, n); m.half != nil {
				t.Fatalf("%v: %v: rounded", k, shape)
			}
			toHalves(w)
			w[len(w)/2] = 0x1p-24 // the smallest there is
			m, full := Pack(w, depth, n), pack(w, depth, n)
			if k != generic && m.half == nil {
				t.Fatalf("%v: %v: not halved", k, shape)
			}
			for _, rows := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 13} {
				x, bias := randoms(rng, rows*depth, 1), randoms(rng, n, 1)
				got, want := make([]float32, rows*n), make([]float32, rows*n)
				m.Mul(got, x, rows, bias)
				full.Mul(want, x, rows, bias)
				if i := equalBits(got, want); i >= 0 {
					t.Fatalf("%v: %v, %d rows: element %d: %v and %v", k, shape, rows, i, got[i], want[i])
				}
			}
		}
	})
}

func TestMulStrided(t *testing.T) {
	withKernels(t, func(k kernel) {
		rng := rand.New(rand.NewPCG(7, 8))
		const frames, channels, taps, n, stride = 40, 10, 9, 70, 75
		rows := frames - taps + 1
		x := randoms(rng, frames*channels, 1)
		m := Pack(randoms(rng, taps*channels*n, 1), taps*channels, n)
		bias := randoms(rng, n, 1)
		windows := make([]float32, 0, rows*taps*channels)
		for r := range rows {
			windows = append(windows, x[r*channels:][:taps*channels]...)
		}
		want := make([]float32, rows*n)
		m.Mul(want, windows, rows, bias)
		got, alive := guarded(make([]float32, (rows-1)*stride+n), 5)
		for i := range got {
			got[i] = -1
		}
		m.MulStrided(got, stride, x, channels, rows, bias)
		for r := range rows {
			if i := equalBits(want[r*n:][:n], got[r*stride:][:n]); i >= 0 {
				t.Fatalf("%v: row %d column %d: got %v, want %v", k, r, i, got[r*stride+i], want[r*n+i])
			}
			if r < rows-1 && got[r*stride+n] != -1 {
				t.Fatalf("%v: wrote between rows", k)
			}
		}
		if !alive() {
			t.Fatalf("%v: wrote outside dst", k)
		}
	})
}

func TestMulPanics(t *testing.T) {
	m := Pack(make([]float32, 12), 3, 4)
	for name, f := range map[string]func(){
		"short dst":    func() { m.Mul(make([]float32, 7), make([]float32, 6), 2, nil) },
		"short x":      func() { m.Mul(make([]float32, 8), make([]float32, 5), 2, nil) },
		"wrong bias":   func() { m.Mul(make([]float32, 8), make([]float32, 6), 2, make([]float32, 3)) },
		"narrow dst":   func() { m.MulStrided(make([]float32, 8), 3, make([]float32, 6), 3, 2, nil) },
		"wrong matrix": func() { Pack(make([]float32, 11), 3, 4) },
		"norm":         func() { LayerNorm(make([]float32, 4), make([]float32, 4), nil, nil, 2, 2, 0) },
		"depthwise": func() {
			Depthwise(make([]float32, 4), make([]float32, 4), make([]float32, 4), make([]float32, 2), 2, 2, 2)
		},
		"add": func() { AddTo(make([]float32, 4), make([]float32, 5)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
	m.Mul(nil, nil, 0, nil)
}

func geluSlow(v float64) float64 {
	return 0.5 * v * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(v+0.044715*v*v*v)))
}

func TestPointwise(t *testing.T) {
	var grid []float32
	for v := -30.; v < 30; v += 0.00371 {
		grid = append(grid, float32(v))
	}
	for _, v := range []float64{0, 1e-30, -1e-30, 1e-6, 1, -1, 86.9, -86.9, 87.9, 100, -100, 1e4, -1e4, 1e10, -1e10, 3e38} {
		grid = append(grid, float32(v))
	}
	for _, f := range []struct {
		name    string
		f       func(x []float32)
		slow    func(v float64) float64
		allowed func(v, want float64) float64
	}{
		{"gelu", GELU, geluSlow, func(v, _ float64) float64 { return 4e-7 * max(1, math.Abs(v)) }},
		{"tanh", Tanh, math.Tanh, func(_, _ float64) float64 { return 3e-7 }},
		{"exp", Exp, func(v float64) float64 { return math.Exp(min(max(v, expMin), expMax)) },
			func(_, want float64) float64 { return 4e-7 * want }},
	} {
		withKernels(t, func(k kernel) {
			got := clone(grid)
			f.f(got)
			for i, v := range grid {
				want := f.slow(float64(v))
				if d := math.Abs(float64(got[i]) - want); !(d <= f.allowed(float64(v), want)) {
					t.Fatalf("%v: %s(%v) = %v, want %v", k, f.name, v, got[i], want)
				}
			}
			nan := []float32{float32(math.NaN())}
			if f.f(nan); nan[0] == nan[0] {
				t.Fatalf("%v: %s(NaN) = %v", k, f.name, nan[0])
			}
		})
	}
}

func TestSinCos(t *testing.T) {
	var grid []float32
	for v := -40.; v < 40; v += 0.00471 {
		grid = append(grid, float32(v))
	}
	for v := -10000.; v < 10000; v += 1.371 {
		grid = append(grid, float32(v))
	}
	withKernels(t, func(k kernel) {
		s, c := make([]float32, len(grid)), make([]float32, len(grid))
		SinCos(s, c, grid)
		for i, v := range grid {
			ws, wc := math.Sincos(float64(v))
			if ds, dc := math.Abs(float64(s[i])-ws), math.Abs(float64(c[i])-wc); !(ds < 4e-7 && dc < 4e-7) {
				t.Fatalf("%v: at %v: got %v %v, want %v %v", k, v, s[i], c[i], ws, wc)
			}
		}
		for _, v := range []float32{1e6, -1e9, 3e38} {
			x := []float32{v}
			SinCos(s[:1], x, x)
			if !(math.Abs(float64(s[0])) <= 1.0001 && math.Abs(float64(x[0])) <= 1.0001) {
				t.Fatalf("%v: at %v: %v %v", k, v, s[0], x[0])
			}
		}
	})
}

// TestTails holds every pointwise kernel to the same bits for an element wherever in a slice it stands, and to
// writing nothing else.
func TestTails(t *testing.T) {
	const n = 100
	withKernels(t, func(k kernel) {
		rng := rand.New(rand.NewPCG(9, 10))
		a, b, c := randoms(rng, n, 3), randoms(rng, n, 3), randoms(rng, n, 3)
		for _, f := range []struct {
			name string
			f    func(dst, a, b []float32)
		}{
			{"gelu", func(dst, _, _ []float32) { GELU(dst) }},
			{"tanh", func(dst, _, _ []float32) { Tanh(dst) }},
			{"exp", func(dst, _, _ []float32) { Exp(dst) }},
			{"sin", func(dst, a, _ []float32) { SinCos(dst, make([]float32, len(a)), a) }},
			{"cos", func(dst, a, _ []float32) { SinCos(make([]float32, len(a)), dst, a) }},
			{"add", func(dst, a, _ []float32) { AddTo(dst, a) }},
			{"muladd", func(dst, a, b []float32) { MulAdd(dst, a, b) }},
		} {
			want := clone(c)
			f.f(want, a, b)
			for from := range 20 {
				for to := from; to <= n; to += 1 + to%3 {
					got, alive := guarded(c[from:to], 1+from)
					f.f(got, a[from:to], b[from:to])
					if i := equalBits(want[from:to], got); i >= 0 || !alive() {
						t.Fatalf("%v: %s over [%d:%d]: element %d differs, or wrote outside", k, f.name, from, to, i)
					}
				}
			}
		}
	})
}

func TestComplexMulAdd(t *testing.T) {
	withKernels(t, func(k kernel) {
		rng := rand.New(rand.NewPCG(11, 12))
		for n := range 40 {
			a, b, dst := make([]complex64, n), make([]complex64, n), make([]complex64, n+1)
			for i := range a {
				a[i] = complex(float32(rng.NormFloat64()), float32(rng.NormFloat64()))
				b[i] = complex(float32(rng.NormFloat64()), float32(rng.NormFloat64()))
				dst[i] = complex(float32(rng.NormFloat64()), float32(rng.NormFloat64()))
			}
			dst[n] = 7
			before := clone(dst)
			ComplexMulAdd(dst[:n], a, b)
			for i := range a {
				want := complex128(before[i]) + complex128(a[i])*complex128(b[i])
				d := complex128(dst[i]) - want
				if math.Hypot(real(d), imag(d)) > 3e-6 {
					t.Fatalf("%v: %d of %d: got %v, want %v", k, i, n, dst[i], want)
				}
			}
			if dst[n] != 7 {
				t.Fatalf("%v: wrote behind %d", k, n)
			}
		}
	})
}

func TestLayerNorm(t *testing.T) {
	withKernels(t, func(k kernel) {
		rng := rand.New(rand.NewPCG(13, 14))
		for _, width := range []int{1, 2, 5, 8, 15, 16, 17, 33, 80, 96, 100, 256, 384, 515} {
			const rows = 3
			x := randoms(rng, rows*width, 2)
			for i := range x {
				x[i] += 5
			}
			gain, bias := randoms(rng, width, 1), randoms(rng, width, 1)
			dst, alive := guarded(make([]float32, rows*width), 7)
			LayerNorm(dst, x, gain, bias, rows, width, 1e-5)
			if !alive() {
				t.Fatalf("%v: width %d: wrote outside", k, width)
			}
			for r := range rows {
				var mean, variance float64
				for _, v := range x[r*width:][:width] {
					mean += float64(v) / float64(width)
				}
				for _, v := range x[r*width:][:width] {
					variance += (float64(v) - mean) * (float64(v) - mean) / float64(width)
				}
				for i, v := range x[r*width:][:width] {
					want := (float64(v)-mean)/math.Sqrt(variance+1e-5)*float64(gain[i]) + float64(bias[i])
					if width == 1 {
						want = float64(bias[i])
					}
					if d := math.Abs(float64(dst[r*width+i]) - want); !(d <= 1e-5*max(1, math.Abs(float64(gain[i])))) {
						t.Fatalf("%v: width %d row %d column %d: got %v, want %v", k, width, r, i, dst[r*width+i], want)
					}
				}
				one := clone(x[r*width:][:width])
				LayerNorm(one, one, gain, bias, 1, width, 1e-5)
				if i := equalBits(one, dst[r*width:][:width]); i >= 0 {
					t.Fatalf("%v: width %d row %d alone and in place: column %d differs", k, width, r, i)
				}
			}
		}
	})
}

func TestDepthwise(t *testing.T) {
	withKernels(t, func(k kernel) {
		rng := rand.New(rand.NewPCG(15, 16))
		for _, width := range []int{1, 7, 16, 17, 64, 80, 96, 130, 256} {
			for _, taps := range []int{1, 3, 7} {
				const frames = 5
				x := randoms(rng, (frames+taps-1)*width, 1)
				w, b := randoms(rng, taps*width, 1), randoms(rng, width, 1)
				dst, alive := guarded(make([]float32, frames*width), 9)
				Depthwise(dst, x, w, b, frames, width, taps)
				if !alive() {
					t.Fatalf("%v: width %d: wrote outside", k, width)
				}
				for tt := range frames {
					for c := range width {
						want := float64(b[c])
						for j := range taps {
							want += float64(w[j*width+c]) * float64(x[(tt+j)*width+c])
						}
						if d := math.Abs(float64(dst[tt*width+c]) - want); !(d <= 1e-5) {
							t.Fatalf("%v: width %d taps %d: frame %d channel %d: got %v, want %v", k, width, taps, tt, c, dst[tt*width+c], want)
						}
					}
				}
				one := make([]float32, width)
				for tt := range frames {
					Depthwise(one, x[tt*width:(tt+taps)*width], w, b, 1, width, taps)
					if i := equalBits(one, dst[tt*width:][:width]); i >= 0 {
						t.Fatalf("%v: width %d taps %d: frame %d alone: channel %d differs", k, width, taps, tt, i)
					}
				}
			}
		}
	})
}

func TestAllocations(t *testing.T) {
	withKernels(t, func(k kernel) {
		m := Pack(make([]float32, 50*70), 50, 70)
		dst, x, bias := make([]float32, 5*70), make([]float32, 5*50), make([]float32, 70)
		z := make([]complex64, 50)
		if n := testing.AllocsPerRun(10, func() {
			m.Mul(dst, x, 5, bias)
			m.Mul(dst, x, 5, nil)
			GELU(dst)
			SinCos(dst, dst, dst)
			LayerNorm(dst, dst, bias, bias, 5, 70, 1e-5)
			Depthwise(dst[:140], dst[70:], x[:210], bias, 2, 70, 3)
			ComplexMulAdd(z, z, z)
		}); n != 0 {
			t.Fatalf("%v: %v allocations", k, n)
		}
	})
}
