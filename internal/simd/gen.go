package simd

//go:generate go run -tags generate ./asm -isa avx2 -out kernels_avx2_amd64.s -stubs kernels_avx2_amd64.go -pkg simd
//go:generate go run -tags generate ./asm -isa avx512 -out kernels_avx512_amd64.s -stubs kernels_avx512_amd64.go -pkg simd
//go:generate go run -tags generate ./asm -isa neon
