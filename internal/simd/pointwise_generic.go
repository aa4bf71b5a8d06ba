//go:build !amd64 || purego

package simd

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

func (f *FFT) split(z complexes, x []float32)    { splitGeneric(z, x) }
func (f *FFT) join(x []float32, z complexes)     { joinGeneric(x, z) }
func (f *FFT) stage(y, x complexes, s *fftStage) { stageGeneric(y, x, s, f.half) }
func (f *FFT) pairs(y, x complexes)              { pairsGeneric(y, x, f.half) }
func (f *FFT) mirror(y, x complexes, t []float32, scale float32) {
	mirrorGeneric(y, x, t, f.half, scale)
}
