package simd

// kernel says which instructions are used.
type kernel uint8

const (
	generic kernel = iota // plain Go
	avx2                  // AVX2 and FMA, 256 bits
	avx512                // AVX-512 F, 512 bits
	neon                  // of arm64, 128 bits
)

// active is the best kernel that the processor has. Only tests change it.
var active = detect()

// Name says which kernel was chosen at start: "generic", "avx2", "avx512" or "neon".
func Name() string { return active.String() }

func (k kernel) String() string { return [...]string{"generic", "avx2", "avx512", "neon"}[k] }

// quantum is the width to which the last panel of a Matrix is padded.
func (k kernel) quantum() int { return [...]int{4, 8, 16, 4}[k] }

// panel is the width of the next panel of a Matrix when n columns are left.
func (k kernel) panel(n int) int {
	width := [...]int{4, 16, 64, 16}[k]
	for width > k.quantum() && width > n {
		width /= 2
	}
	return width
}
