//go:build purego || (!amd64 && !arm64)

package simd

func detect() kernel { return generic }

func (m *Matrix) mul(dst []float32, dstStride int, x []float32, xStride, rows int, bias []float32) {
	m.mulGeneric(dst, dstStride, x, xStride, rows, bias)
}
