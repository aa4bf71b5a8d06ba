package simd

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
)

// The fuzz targets hold every kernel that the processor has against the generic one, with the tolerance that stands
// with each operation.

// floats reads finite numbers of magnitude below 2^20 from data, so that sums can be judged.
func floats(data []byte) []float32 {
	x := make([]float32, len(data)/4)
	for i := range x {
		v := math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		if !(math.Abs(float64(v)) < 1<<20) {
			v = float32(int8(data[4*i]))
		}
		x[i] = v
	}
	return x
}

func bytesOf(x ...float32) []byte {
	var b []byte
	for _, v := range x {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

func FuzzMul(f *testing.F) {
	f.Add(uint64(1), uint8(4), uint16(256), uint16(80), true)
	f.Add(uint64(2), uint8(7), uint16(3), uint16(65), false)
	f.Add(uint64(3), uint8(13), uint16(1), uint16(17), true)
	f.Fuzz(func(t *testing.T, seed uint64, rows uint8, depth, cols uint16, withBias bool) {
		m, k, n := int(rows)%20+1, int(depth)%300+1, int(cols)%200+1
		rng := rand.New(rand.NewPCG(seed, 1))
		scale := math.Exp(rng.NormFloat64() * 3)
		w, x := randoms(rng, k*n, scale), randoms(rng, m*k, scale)
		var bias []float32
		if withBias {
			bias = randoms(rng, n, scale)
		}
		var want []float32
		withKernels(t, func(kn kernel) {
			got, alive := guarded(make([]float32, m*n), 1+int(seed%60))
			Pack(w, k, n).Mul(got, x, m, bias)
			if !alive() {
				t.Fatalf("%v: wrote outside dst", kn)
			}
			if kn == generic {
				want = clone(got)
				return
			}
			for i := range got {
				magnitude := 0.
				if withBias {
					magnitude = math.Abs(float64(bias[i%n]))
				}
				for j := range k {
					magnitude += math.Abs(float64(x[i/n*k+j]) * float64(w[j*n+i%n]))
				}
				if d := math.Abs(float64(got[i]) - float64(want[i])); !(d <= magnitude*float64(k+1)*0x1p-23) {
					t.Fatalf("%v: [%d %d]x[%d %d]: element %d: %v, generic %v", kn, m, k, k, n, i, got[i], want[i])
				}
			}
		})
	})
}

func FuzzPointwise(f *testing.F) {
	f.Add(bytesOf(0, 1, -1, 88, -87, 1e-40, 3, 0.5, 100, -100, 9, 10, 11, 12, 13, 14, 15, 16, 17))
	f.Add(bytesOf(float32(math.Copysign(0, -1)), 0.7853982, 1.5707964, 3.1415927, -3.1415927))
	f.Fuzz(func(t *testing.T, data []byte) {
		x := floats(data)
		type result struct{ gelu, tanh, exp, sin, cos, add, mulAdd []float32 }
		var want result
		withKernels(t, func(k kernel) {
			got := result{clone(x), clone(x), clone(x), clone(x), clone(x), clone(x), clone(x)}
			GELU(got.gelu)
			Tanh(got.tanh)
			Exp(got.exp)
			SinCos(got.sin, got.cos, x)
			AddTo(got.add, got.tanh)
			MulAdd(got.mulAdd, x, got.tanh)
			if k == generic {
				want = got
				return
			}
			for i, v := range x {
				size := math.Abs(float64(v))
				angle := 8e-7
				if size > 10000 {
					angle = 2.0003 // phase is lost, bounds are not
				}
				for _, c := range []struct {
					name      string
					got, want []float32
					allowed   float64
				}{
					{"gelu", got.gelu, want.gelu, 8e-7 * max(1, size)},
					{"tanh", got.tanh, want.tanh, 6e-7},
					{"exp", got.exp, want.exp, 8e-7 * float64(want.exp[i])},
					{"sin", got.sin, want.sin, angle},
					{"cos", got.cos, want.cos, angle},
					{"add", got.add, want.add, 8e-7 * max(1, size)},
					{"muladd", got.mulAdd, want.mulAdd, 8e-7 * max(1, size)},
				} {
					if d := math.Abs(float64(c.got[i]) - float64(c.want[i])); !(d <= c.allowed) {
						t.Fatalf("%v: %s at %v: %v, generic %v", k, c.name, v, c.got[i], c.want[i])
					}
				}
			}
		})
	})
}

func FuzzRows(f *testing.F) {
	f.Add(uint64(1), uint8(3), uint16(256), uint8(7))
	f.Add(uint64(2), uint8(1), uint16(17), uint8(1))
	f.Fuzz(func(t *testing.T, seed uint64, rows uint8, columns uint16, n uint8) {
		frames, width, taps := int(rows)%9+1, int(columns)%300+1, int(n)%12+1
		rng := rand.New(rand.NewPCG(seed, 2))
		x := randoms(rng, (frames+taps-1)*width, 1)
		w, gain, bias := randoms(rng, taps*width, 1), randoms(rng, width, 1), randoms(rng, width, 1)
		var wantNorm, wantConv []float32
		withKernels(t, func(k kernel) {
			norm, normAlive := guarded(x[:frames*width], 1+int(seed%60))
			conv, convAlive := guarded(make([]float32, frames*width), 1+int(seed%50))
			LayerNorm(norm, norm, gain, bias, frames, width, 1e-5)
			Depthwise(conv, x, w, bias, frames, width, taps)
			if !normAlive() || !convAlive() {
				t.Fatalf("%v: wrote outside", k)
			}
			if k == generic {
				wantNorm, wantConv = clone(norm), clone(conv)
				return
			}
			for i := range norm {
				if d := math.Abs(float64(norm[i] - wantNorm[i])); !(d <= 2e-5*max(1, math.Abs(float64(gain[i%width])))) {
					t.Fatalf("%v: norm, width %d: element %d: %v, generic %v", k, width, i, norm[i], wantNorm[i])
				}
				if d := math.Abs(float64(conv[i] - wantConv[i])); !(d <= 1e-5) {
					t.Fatalf("%v: depthwise, width %d, %d taps: element %d: %v, generic %v", k, width, taps, i, conv[i], wantConv[i])
				}
			}
		})
	})
}
