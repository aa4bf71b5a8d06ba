//go:build !purego

package simd

// mulPanel multiplies rows rows by the panel of that width at column col.
func (m *Matrix) mulPanel(dst *float32, dstStride int, x *float32, xStride, col, width int, start *float32, rows int) {
	if m.half != nil {
		w := &m.half[col*m.k]
		switch {
		case m.kernel == avx512 && width == 64:
			product64HalfAVX512(dst, dstStride, x, xStride, w, m.k, start, rows)
		case m.kernel == avx512 && width == 32:
			product32HalfAVX512(dst, dstStride, x, xStride, w, m.k, start, rows)
		case m.kernel == avx512:
			product16HalfAVX512(dst, dstStride, x, xStride, w, m.k, start, rows)
		case width == 16:
			product16HalfAVX2(dst, dstStride, x, xStride, w, m.k, start, rows)
		default:
			product8HalfAVX2(dst, dstStride, x, xStride, w, m.k, start, rows)
		}
		return
	}
	w := &m.data[col*m.k]
	switch {
	case m.kernel == avx512 && width == 64:
		product64AVX512(dst, dstStride, x, xStride, w, m.k, start, rows)
	case m.kernel == avx512 && width == 32:
		product32AVX512(dst, dstStride, x, xStride, w, m.k, start, rows)
	case m.kernel == avx512:
		product16AVX512(dst, dstStride, x, xStride, w, m.k, start, rows)
	case width == 16:
		product16AVX2(dst, dstStride, x, xStride, w, m.k, start, rows)
	default:
		product8AVX2(dst, dstStride, x, xStride, w, m.k, start, rows)
	}
}

// across multiplies 64 columns of one row, or 32 of two.
func (m *Matrix) across(dst *float32, dstStride int, x *float32, xStride, col int, start *float32, rows int) {
	switch {
	case m.half != nil && rows == 1:
		across1x64HalfAVX2(dst, dstStride, x, xStride, &m.half[col*m.k], m.k, start)
	case m.half != nil:
		across2x32HalfAVX2(dst, dstStride, x, xStride, &m.half[col*m.k], m.k, start)
	case rows == 1:
		across1x64AVX2(dst, dstStride, x, xStride, &m.data[col*m.k], m.k, start)
	default:
		across2x32AVX2(dst, dstStride, x, xStride, &m.data[col*m.k], m.k, start)
	}
}
