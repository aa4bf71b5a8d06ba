//go:build !purego

package simd

import "golang.org/x/sys/cpu"

func detect() kernel {
	switch {
	case cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasFMA:
		return avx512
	case cpu.X86.HasAVX2 && cpu.X86.HasFMA:
		return avx2
	}
	return generic
}
func gelu(x []float32)                    { geluGeneric(x) }
func tanh(x []float32)                    { tanhGeneric(x) }
func exp(x []float32)                     { expGeneric(x) }
func sinCos(sin, cos, x []float32)        { sinCosGeneric(sin, cos, x) }
func addTo(dst, src []float32)            { addToGeneric(dst, src) }
func mulAdd(dst, a, b []float32)          { mulAddGeneric(dst, a, b) }
func complexMulAdd(dst, a, b []complex64) { complexMulAddGeneric(dst, a, b) }

func layerNorm(dst, x, gain, bias []float32, rows, width int, eps float32) {
	layerNormGeneric(dst, x, gain, bias, rows, width, eps)
}

func depthwise(dst, x, w, b []float32, frames, width, taps int) {
	depthwiseGeneric(dst, x, w, b, frames, width, taps)
}
