package simd

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/starvc/vc/internal/float16"
)

// Matrix is a weight matrix [k, n] laid out for the kernel of this processor. It is immutable and may be shared.
//
// The columns are cut into panels as wide as the kernel's block (64 for AVX-512, 16 for AVX2, 4 in plain Go, and
// narrower ones at the right edge, the last padded with zeros), and each panel stores its k rows one after another,
// so that the kernel reads the weights from front to back. The panel that starts at column c starts at data[c*k].
//
// Weights that are all exactly numbers of 16 bits, as those of models that were saved so, are kept as such: a live stream reads
// every weight for one or two rows, and waits for memory. They become float32 in the registers, so that the result is the same to
// the bit.
type Matrix struct {
	k, n   int
	kernel kernel
	data   []float32 // nil if half is not
	half   []uint16  // binary16, laid out as data
}

// Pack lays out w, [k, n] row-major, for multiplication. It copies; w is the caller's again afterwards.
func Pack(w []float32, k, n int) *Matrix {
	m := pack(w, k, n)
	if m.kernel != generic {
		if m.half = halves(m.data); m.half != nil {
			m.data = nil
		}
	}
	return m
}

// pack keeps the weights at 32 bits.
func pack(w []float32, k, n int) *Matrix {
	if k < 1 || n < 1 || len(w) != k*n {
		panic(fmt.Sprintf("simd: pack %d weights as [%d %d]", len(w), k, n))
	}
	m := &Matrix{k: k, n: n, kernel: active}
	quantum := active.quantum()
	m.data = aligned[float32]((n + quantum - 1) / quantum * quantum * k)
	for col := 0; col < n; {
		width := active.panel(n - col)
		panel := m.data[col*k : (col+width)*k]
		have := min(width, n-col)
		for i := range k {
			copy(panel[i*width:], w[i*n+col:i*n+col+have])
		}
		col += width
	}
	return m
}

// halves is x in binary16, or nil where that would round a number.
func halves(x []float32) []uint16 {
	half := aligned[uint16](len(x))
	for i, v := range x {
		h, _ := float16.FromFloat32(v)
		if math.Float32bits(float16.ToFloat32(h)) != math.Float32bits(v) {
			return nil
		}
		half[i] = h
	}
	return half
}

// Rows is k, the length of an input row.
func (m *Matrix) Rows() int { return m.k }

// Cols is n, the length of an output row.
func (m *Matrix) Cols() int { return m.n }

// Mul computes dst = x . w + bias: x is [rows, k], dst is [rows, n], both row-major, bias is [n] or nil for none. dst
// must not overlap x or bias.
//
// Each output starts from its bias and adds its k products in ascending order, whatever rows is. The AVX2 and AVX-512
// kernels fuse each multiplication with its addition and agree bit for bit; the plain Go one rounds twice. The two
// differ by at most 2^-23 k times the sum of the magnitudes that are added.
func (m *Matrix) Mul(dst, x []float32, rows int, bias []float32) {
	m.MulStrided(dst, m.n, x, m.k, rows, bias)
}

// MulStrided is Mul for rows that lie apart or overlap: row r of x is x[r*xStride:][:k] and row r of dst is
// dst[r*dstStride:][:n]. With an xStride below k it is a convolution over frames without a copy: x [frames, c], w
// [taps*c, n], xStride c and rows = frames-taps+1. dstStride must be at least n. Elements of dst between rows keep
// their values.
func (m *Matrix) MulStrided(dst []float32, dstStride int, x []float32, xStride, rows int, bias []float32) {
	if rows == 0 {
		return
	}
	if rows < 0 || dstStride < m.n || xStride < 0 ||
		len(dst) < (rows-1)*dstStride+m.n || len(x) < (rows-1)*xStride+m.k || bias != nil && len(bias) != m.n {
		panic(fmt.Sprintf("simd: [%d %d] matrix: %d rows, dst %d with stride %d, x %d with stride %d, bias %d",
			m.k, m.n, rows, len(dst), dstStride, len(x), xStride, len(bias)))
	}
	m.mul(dst, dstStride, x, xStride, rows, bias)
}

// aligned returns n zeros that start on a 64-byte boundary, so that no vector load crosses a cache line.
func aligned[T float32 | uint16](n int) []T {
	var zero T
	size := int(unsafe.Sizeof(zero))
	line := 64 / size
	buf := make([]T, n+line-1)
	skip := 0
	if r := int(uintptr(unsafe.Pointer(&buf[0]))) / size % line; r != 0 {
		skip = line - r
	}
	return buf[skip : skip+n : skip+n]
}

// mulGeneric is the specification of the product, over panels of 4 columns. The conversions to float32 forbid fusing,
// which the compiler may otherwise do in one loop and not in the other.
func (m *Matrix) mulGeneric(dst []float32, dstStride int, x []float32, xStride, rows int, bias []float32) {
	for col := 0; col < m.n; col += 4 {
		var start [4]float32
		if bias != nil {
			copy(start[:], bias[col:])
		}
		panel := m.data[col*m.k : (col+4)*m.k]
		have := min(4, m.n-col)
		r := 0
		for ; r+2 <= rows; r += 2 {
			x0, x1 := x[r*xStride:][:m.k], x[(r+1)*xStride:][:m.k]
			a0, a1, a2, a3 := start[0], start[1], start[2], start[3]
			b0, b1, b2, b3 := a0, a1, a2, a3
			w := panel
			for i, v := range x0 {
				u := x1[i]
				w0, w1, w2, w3 := w[0], w[1], w[2], w[3]
				w = w[4:]
				a0 += float32(v * w0)
				a1 += float32(v * w1)
				a2 += float32(v * w2)
				a3 += float32(v * w3)
				b0 += float32(u * w0)
				b1 += float32(u * w1)
				b2 += float32(u * w2)
				b3 += float32(u * w3)
			}
			copy(dst[r*dstStride+col:][:have], []float32{a0, a1, a2, a3})
			copy(dst[(r+1)*dstStride+col:][:have], []float32{b0, b1, b2, b3})
		}
		if r < rows {
			a0, a1, a2, a3 := start[0], start[1], start[2], start[3]
			w := panel
			for _, v := range x[r*xStride:][:m.k] {
				a0 += float32(v * w[0])
				a1 += float32(v * w[1])
				a2 += float32(v * w[2])
				a3 += float32(v * w[3])
				w = w[4:]
			}
			copy(dst[r*dstStride+col:][:have], []float32{a0, a1, a2, a3})
		}
	}
}
