//go:build !purego

package simd

// mulPanel multiplies rows rows by the panel of that width at column col.
func (m *Matrix) mulPanel(dst *float32, dstStride int, x *float32, xStride, col, width int, start *float32, rows int) {
	if m.half != nil {
		w := &m.half[col*m.k]
		switch width {
		case 16:
			product16HalfNEON(dst, dstStride, x, xStride, w, m.k, start, rows)
		case 8:
			product8HalfNEON(dst, dstStride, x, xStride, w, m.k, start, rows)
		default:
			product4HalfNEON(dst, dstStride, x, xStride, w, m.k, start, rows)
		}
		return
	}
	w := &m.data[col*m.k]
	switch width {
	case 16:
		product16NEON(dst, dstStride, x, xStride, w, m.k, start, rows)
	case 8:
		product8NEON(dst, dstStride, x, xStride, w, m.k, start, rows)
	default:
		product4NEON(dst, dstStride, x, xStride, w, m.k, start, rows)
	}
}

// across multiplies 64 columns of one row, or 32 of two.
func (m *Matrix) across(dst *float32, dstStride int, x *float32, xStride, col int, start *float32, rows int) {
	switch {
	case m.half != nil && rows == 1:
		across1x64HalfNEON(dst, dstStride, x, xStride, &m.half[col*m.k], m.k, start)
	case m.half != nil:
		across2x32HalfNEON(dst, dstStride, x, xStride, &m.half[col*m.k], m.k, start)
	case rows == 1:
		across1x64NEON(dst, dstStride, x, xStride, &m.data[col*m.k], m.k, start)
	default:
		across2x32NEON(dst, dstStride, x, xStride, &m.data[col*m.k], m.k, start)
	}
}
