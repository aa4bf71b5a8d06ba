// Package float16 converts numbers of 32 bits to those of 16 that weights are stored in, and back.
package float16

import "math"

// FromFloat32 rounds to IEEE 754 binary16, nearest even. ok is false for a finite number that would become infinite.
func FromFloat32(f float32) (h uint16, ok bool) {
	b := math.Float32bits(f)
	sign := uint16(b >> 16 & 0x8000)
	exp := int(b>>23&0xff) - 127
	mant := b & 0x7fffff
	switch {
	case exp == 128 && mant != 0:
		return sign | 0x7e00, true // NaN, quiet
	case exp == 128:
		return sign | 0x7c00, true
	case exp < -25:
		return sign, true
	case exp < -14: // subnormal in binary16: the hidden bit becomes visible
		return sign | uint16(roundShift(mant|0x800000, uint(-exp-1))), true
	}
	// A carry out of the mantissa raises the exponent, as it should.
	v := uint32(exp+15)<<10 + roundShift(mant, 13)
	if v >= 0x7c00 {
		return sign | 0x7c00, false
	}
	return sign | uint16(v), true
}

// roundShift is v / 2^n rounded to nearest, ties to even.
func roundShift(v uint32, n uint) uint32 {
	q, rest, half := v>>n, v&(1<<n-1), uint32(1)<<(n-1)
	if rest > half || rest == half && q&1 == 1 {
		q++
	}
	return q
}

// ToFloat32 is the number that h, IEEE 754 binary16, stands for.
func ToFloat32(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exp := uint32(h >> 10 & 0x1f)
	mant := uint32(h & 0x3ff)
	switch exp {
	case 0:
		f := float32(mant) / (1 << 24)
		return math.Float32frombits(math.Float32bits(f) | sign)
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | mant<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | mant<<13)
}

// BrainFromFloat32 rounds to bfloat16, nearest even. ok is false for a finite number that would become infinite.
func BrainFromFloat32(f float32) (h uint16, ok bool) {
	b := math.Float32bits(f)
	if f != f {
		return uint16(b>>16) | 0x40, true
	}
	v := roundShift(b&0x7fffffff, 16)
	return uint16(b>>16&0x8000 | v), v < 0x7f80 || b&0x7fffffff == 0x7f800000
}

// BrainToFloat32 is the number that h, bfloat16, stands for.
func BrainToFloat32(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }
