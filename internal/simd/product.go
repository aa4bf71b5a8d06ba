//go:build !purego && (amd64 || arm64)

package simd

// blockInputs is how many numbers of x pass over all panels before the next ones do: few enough to stay in a
// second-level cache beside a panel, and to keep a call into assembly, which cannot be preempted, near 100
// microseconds; as many as that allows, because the weights are read again for each block.
const blockInputs = 1 << 17

// zeros is where a product without bias starts.
var zeros [64]float32

func (m *Matrix) mul(dst []float32, dstStride int, x []float32, xStride, rows int, bias []float32) {
	if m.kernel == generic {
		m.mulGeneric(dst, dstStride, x, xStride, rows, bias)
		return
	}
	blockRows := max(1, blockInputs/m.k/6) * 6 // the kernels take six rows at a time
	for ; rows > 0; rows -= blockRows {
		block := min(rows, blockRows)
		for col := m.mulAcross(dst, dstStride, x, xStride, block, bias); col < m.n; {
			width := m.kernel.panel(m.n - col)
			if width > m.n-col {
				m.mulEdge(dst[col:], dstStride, x, xStride, block, bias, col)
				break
			}
			start := &zeros[0]
			if bias != nil {
				start = &bias[col]
			}
			m.mulPanel(&dst[col], dstStride, &x[0], xStride, col, width, start, block)
			col += width
		}
		if rows > blockRows {
			dst, x = dst[blockRows*dstStride:], x[blockRows*xStride:]
		}
	}
}

// mulAcross multiplies as many columns as the kernels for few rows take, and says how many.
func (m *Matrix) mulAcross(dst []float32, dstStride int, x []float32, xStride, rows int, bias []float32) (columns int) {
	if m.kernel == avx512 || rows > 2 {
		return 0
	}
	width := 64 / rows
	for ; columns+width <= m.n; columns += width {
		start := &zeros[0]
		if bias != nil {
			start = &bias[columns]
		}
		m.across(&dst[columns], dstStride, &x[0], xStride, columns, start, rows)
	}
	return columns
}

// mulEdge multiplies by the last panel, one padded vector, whose results pass through a buffer.
func (m *Matrix) mulEdge(dst []float32, dstStride int, x []float32, xStride, rows int, bias []float32, col int) {
	const vector = 16
	var out [6 * vector]float32
	var start [vector]float32
	if bias != nil {
		copy(start[:], bias[col:])
	}
	for r := 0; r < rows; r += 6 {
		block := min(6, rows-r)
		m.mulPanel(&out[0], vector, &x[r*xStride], xStride, col, m.kernel.quantum(), &start[0], block)
		for i := range block {
			copy(dst[(r+i)*dstStride:][:m.n-col], out[i*vector:])
		}
	}
}
