// Package simd holds the kernels that the networks spend their time in: a packed matrix product, a causal depthwise
// convolution, layer normalisation, the pointwise functions between them, and a Fourier transform.
//
// Each kernel exists as a plain Go function, which is its specification and runs everywhere, and on amd64 as
// assembly for AVX2 with FMA and for AVX-512. The fastest one that the processor has is chosen once at start; the
// build tag purego leaves only the Go functions. Fuzz tests hold the versions against each other; the tolerance
// stands with each operation.
//
// One promise matters to whoever streams: the bits of a row, or of an element, never depend on how many rows or
// elements were handed over with it. The products of a row are always added up in the same order, and the last few
// elements of a slice go through the same arithmetic as all others. So a stream cut into any chunks gives the same
// output as the whole signal at once. (Different kernels, that is different processors, may differ in the last bits.)
//
// Nothing here allocates after Pack and NewFFT or starts a goroutine. All but an FFT, which holds scratch memory, may be
// used concurrently. A wrong slice length is a bug of the caller and panics.
package simd
