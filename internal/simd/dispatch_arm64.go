//go:build !purego

package simd

// detect asks nobody: every arm64 has NEON with fused products and conversions from binary16. The product alone has kernels for it, since
// nearly all of the work is in it.
func detect() kernel { return neon }
