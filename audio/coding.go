package audio

import (
	"encoding/binary"
	"fmt"
	"math"
)

// coding is the way one sample is stored, little-endian throughout.
type coding uint8

const (
	codingU8 coding = iota // unsigned, 128 is zero
	codingS16
	codingS24
	codingS32
	codingF32
	codingF64
	codingALaw  // ITU-T G.711
	codingMuLaw // ITU-T G.711
)

func (c coding) bytes() int {
	return [...]int{codingU8: 1, codingS16: 2, codingS24: 3, codingS32: 4, codingF32: 4, codingF64: 8,
		codingALaw: 1, codingMuLaw: 1}[c]
}

// absurdLevel is the magnitude above which a float sample is taken for something else: integers stored as floats, or
// bytes of another format. It also keeps sums of channels finite.
const absurdLevel = 1000

// decode turns len(dst) samples of src into floats, integers scaled so that full scale is 1. It returns the index of
// the first sample that is no number or absurdly large, or -1.
func (c coding) decode(dst []float32, src []byte) int {
	src = src[:len(dst)*c.bytes()]
	switch c {
	case codingU8:
		for i, b := range src {
			dst[i] = float32(int(b)-128) / 128
		}
	case codingS16:
		for i := range dst {
			dst[i] = float32(int16(binary.LittleEndian.Uint16(src[2*i:]))) / (1 << 15)
		}
	case codingS24:
		for i := range dst {
			b := src[3*i : 3*i+3]
			v := int32(uint32(b[0])<<8|uint32(b[1])<<16|uint32(b[2])<<24) >> 8
			dst[i] = float32(v) / (1 << 23)
		}
	case codingS32:
		for i := range dst {
			dst[i] = float32(int32(binary.LittleEndian.Uint32(src[4*i:]))) / (1 << 31)
		}
	case codingF32:
		for i := range dst {
			v := math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
			dst[i] = v
			if !(v >= -absurdLevel && v <= absurdLevel) {
				return i
			}
		}
	case codingF64:
		for i := range dst {
			v := math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:]))
			dst[i] = float32(v)
			if !(v >= -absurdLevel && v <= absurdLevel) {
				return i
			}
		}
	case codingALaw:
		for i, b := range src {
			dst[i] = float32(expandALaw(b)) / (1 << 15)
		}
	case codingMuLaw:
		for i, b := range src {
			dst[i] = float32(expandMuLaw(b)) / (1 << 15)
		}
	}
	return -1
}

// expandALaw decodes one A-law byte to 16 bits (ITU-T G.711, table 1a): sign, 3 bits of exponent, 4 of mantissa,
// every other bit inverted on the line.
func expandALaw(b byte) int16 {
	b ^= 0x55
	v := int16(b&0x0f)<<4 | 8
	if exponent := b >> 4 & 7; exponent > 0 {
		v = (v | 0x100) << (exponent - 1)
	}
	if b&0x80 == 0 {
		return -v
	}
	return v
}

// expandMuLaw decodes one mu-law byte to 16 bits (ITU-T G.711, table 2a): all bits inverted, biased by 33 steps.
func expandMuLaw(b byte) int16 {
	b = ^b
	const bias = 33 << 2
	v := (int16(b&0x0f)<<3|bias)<<(b>>4&7) - bias
	if b&0x80 != 0 {
		return -v
	}
	return v
}

// fractional reports whether samples may lie beyond full scale or be no numbers.
func (c coding) fractional() bool { return c == codingF32 || c == codingF64 }

func clip(v float32) float32 { return max(-1, min(1, v)) }

func badSample(frame int64, rate int, v float32) error {
	what := fmt.Sprintf("the value %g, absurdly far beyond full scale (1)", v)
	if v != v {
		what = "not a number"
	} else if math.IsInf(float64(v), 0) {
		what = "infinite"
	}
	return fmt.Errorf("sample %d (at %s s) is %s: the recording is damaged, or its samples are not the floats it claims; "+
		"export it again, as 16-bit PCM", frame, seconds(frame, rate), what)
}

// grow extends x by n samples whose values are not set.
func grow(x []float32, n int) []float32 {
	if need := len(x) + n; need > cap(x) {
		bigger := make([]float32, len(x), max(need, cap(x)+cap(x)/2))
		copy(bigger, x)
		x = bigger
	}
	return x[:len(x)+n]
}
