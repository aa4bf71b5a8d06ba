//go:build !purego

package simd

import "golang.org/x/sys/cpu"

// detect trusts golang.org/x/sys/cpu to ask the operating system, too, whether it saves the wide registers. F16C, which that package does not
// know, comes with AVX2 in every processor that was built, but a virtual machine may hide it.
func detect() kernel {
	x := cpu.X86
	const f16c = 1 << 29
	switch {
	case x.HasAVX512F && x.HasAVX512DQ && x.HasBMI2 && x.HasFMA:
		return avx512
	case x.HasAVX2 && x.HasFMA && featuresAVX2()&f16c != 0:
		return avx2
	}
	return generic
}

func gelu(x []float32) {
	switch {
	case len(x) == 0:
	case active == avx512:
		geluAVX512(&x[0], len(x))
	case active == avx2:
		geluAVX2(&x[0], len(x))
	default:
		geluGeneric(x)
	}
}

func tanh(x []float32) {
	switch {
	case len(x) == 0:
	case active == avx512:
		tanhAVX512(&x[0], len(x))
	case active == avx2:
		tanhAVX2(&x[0], len(x))
	default:
		tanhGeneric(x)
	}
}

func exp(x []float32) {
	switch {
	case len(x) == 0:
	case active == avx512:
		expAVX512(&x[0], len(x))
	case active == avx2:
		expAVX2(&x[0], len(x))
	default:
		expGeneric(x)
	}
}

func sinCos(sin, cos, x []float32) {
	switch {
	case len(x) == 0:
	case active == avx512:
		sinCosAVX512(&sin[0], &cos[0], &x[0], len(x))
	case active == avx2:
		sinCosAVX2(&sin[0], &cos[0], &x[0], len(x))
	default:
		sinCosGeneric(sin, cos, x)
	}
}

func addTo(dst, src []float32) {
	switch {
	case len(dst) == 0:
	case active == avx512:
		addToAVX512(&dst[0], &src[0], len(dst))
	case active == avx2:
		addToAVX2(&dst[0], &src[0], len(dst))
	default:
		addToGeneric(dst, src)
	}
}

func mulAdd(dst, a, b []float32) {
	switch {
	case len(dst) == 0:
	case active == avx512:
		mulAddAVX512(&dst[0], &a[0], &b[0], len(dst))
	case active == avx2:
		mulAddAVX2(&dst[0], &a[0], &b[0], len(dst))
	default:
		mulAddGeneric(dst, a, b)
	}
}

func complexMulAdd(dst, a, b []complex64) {
	switch {
	case len(dst) == 0:
	case active == avx512:
		complexMulAddAVX512(&dst[0], &a[0], &b[0], 2*len(dst))
	case active == avx2:
		complexMulAddAVX2(&dst[0], &a[0], &b[0], 2*len(dst))
	default:
		complexMulAddGeneric(dst, a, b)
	}
}

func layerNorm(dst, x, gain, bias []float32, rows, width int, eps float32) {
	switch {
	case rows == 0:
	case active == avx512:
		layerNormAVX512(&dst[0], &x[0], &gain[0], &bias[0], rows, width, 1/float32(width), eps)
	case active == avx2:
		layerNormAVX2(&dst[0], &x[0], &gain[0], &bias[0], rows, width, 1/float32(width), eps)
	default:
		layerNormGeneric(dst, x, gain, bias, rows, width, eps)
	}
}

func depthwise(dst, x, w, b []float32, frames, width, taps int) {
	switch {
	case frames == 0:
	case active == avx512:
		depthwiseAVX512(&dst[0], &x[0], &w[0], &b[0], frames, width, taps)
	case active == avx2:
		depthwiseAVX2(&dst[0], &x[0], &w[0], &b[0], frames, width, taps)
	default:
		depthwiseGeneric(dst, x, w, b, frames, width, taps)
	}
}
