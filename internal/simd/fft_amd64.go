//go:build !purego

package simd

func (f *FFT) split(z complexes, x []float32) {
	switch f.kernel {
	case avx512:
		splitAVX512(&z.re[0], &z.im[0], &x[0], f.half)
	case avx2:
		splitAVX2(&z.re[0], &z.im[0], &x[0], f.half)
	default:
		splitGeneric(z, x)
	}
}

func (f *FFT) join(x []float32, z complexes) {
	switch f.kernel {
	case avx512:
		joinAVX512(&x[0], &z.re[0], &z.im[0], f.half)
	case avx2:
		joinAVX2(&x[0], &z.re[0], &z.im[0], f.half)
	default:
		joinGeneric(x, z)
	}
}

func (f *FFT) stage(y, x complexes, s *fftStage) {
	if f.kernel == generic {
		stageGeneric(y, x, s, f.half)
		return
	}
	wide := f.kernel == avx512
	yr, yi, xr, xi, w, quarter := &y.re[0], &y.im[0], &x.re[0], &x.im[0], &s.twiddles[0], f.half/4
	switch {
	case wide && s.stride == 1:
		stage1AVX512(yr, yi, xr, xi, w, quarter, 1)
	case wide && s.stride == 4:
		stage4AVX512(yr, yi, xr, xi, w, quarter, 4)
	case wide:
		stageNAVX512(yr, yi, xr, xi, w, quarter, s.stride)
	case s.stride == 1:
		stage1AVX2(yr, yi, xr, xi, w, quarter, 1)
	case s.stride == 4:
		stage4AVX2(yr, yi, xr, xi, w, quarter, 4)
	default:
		stageNAVX2(yr, yi, xr, xi, w, quarter, s.stride)
	}
}

func (f *FFT) pairs(y, x complexes) {
	switch f.kernel {
	case avx512:
		pairsAVX512(&y.re[0], &x.re[0], f.half/2)
		pairsAVX512(&y.im[0], &x.im[0], f.half/2)
	case avx2:
		pairsAVX2(&y.re[0], &x.re[0], f.half/2)
		pairsAVX2(&y.im[0], &x.im[0], f.half/2)
	default:
		pairsGeneric(y, x, f.half)
	}
}

func (f *FFT) mirror(y, x complexes, t []float32, scale float32) {
	switch f.kernel {
	case avx512:
		mirrorAVX512(&y.re[0], &y.im[0], &x.re[0], &x.im[0], &t[0], f.half, scale)
	case avx2:
		mirrorAVX2(&y.re[0], &y.im[0], &x.re[0], &x.im[0], &t[0], f.half, scale)
	default:
		mirrorGeneric(y, x, t, f.half, scale)
	}
}
