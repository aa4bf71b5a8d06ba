package audio

import (
	"encoding/binary"
	"fmt"
	"io"
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

// mixer decodes interleaved frames and averages their channels.
type mixer struct {
	coding   coding
	channels int
	rate     int
	frames   int64 // decoded so far
	clipped  int64
	peak     float32
	scratch  []float32
}

func (m *mixer) frameBytes() int { return m.channels * m.coding.bytes() }

// decode fills dst with one mono sample per frame of src.
func (m *mixer) decode(dst []float32, src []byte) error {
	flat := dst
	if m.channels > 1 {
		if need := len(dst) * m.channels; cap(m.scratch) < need {
			m.scratch = make([]float32, need)
		}
		flat = m.scratch[:len(dst)*m.channels]
	}
	if bad := m.coding.decode(flat, src); bad >= 0 {
		frame := m.frames + int64(bad/m.channels)
		return badSample(frame, m.rate, flat[bad])
	}
	if m.channels > 1 {
		scale := 1 / float32(m.channels)
		for i := range dst {
			var sum float32
			for _, v := range flat[i*m.channels : (i+1)*m.channels] {
				sum += v
			}
			dst[i] = sum * scale
		}
	}
	if m.coding == codingF32 || m.coding == codingF64 {
		for i, v := range dst {
			if v > 1 || v < -1 {
				m.clipped++
				m.peak = max(m.peak, v, -v)
				dst[i] = clip(v)
			}
		}
	}
	m.frames += int64(len(dst))
	return nil
}

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

// warnings tells what the mixer had to change.
func (m *mixer) warnings() []string {
	if m.clipped == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d samples (%.2f %%) were beyond full scale (up to %.3g) and were clipped",
		m.clipped, 100*float64(m.clipped)/float64(m.frames), m.peak)}
}

// readAll decodes frames from r until its end or until limit bytes, where limit < 0 means no limit. It reports the
// bytes read. Memory grows with what arrives: a limit is only a claim.
func (m *mixer) readAll(r io.Reader, limit int64, maxSamples int) (samples []float32, got int64, err error) {
	frame := m.frameBytes()
	buf := make([]byte, max(1, 1<<15/frame)*frame)
	if limit >= 0 {
		samples = make([]float32, 0, min(limit/int64(frame), 1<<20, int64(maxSamples)))
	}
	for {
		want := int64(len(buf))
		if limit >= 0 {
			want = min(want, limit-got)
		}
		n, err := io.ReadFull(r, buf[:want])
		got += int64(n)
		frames := n / frame
		if len(samples)+frames > maxSamples {
			return nil, got, tooLong(m.rate, maxSamples)
		}
		start := len(samples)
		samples = grow(samples, frames)
		if err := m.decode(samples[start:], buf[:frames*frame]); err != nil {
			return nil, got, err
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF || (err == nil && got == limit) {
			return samples, got, nil
		}
		if err != nil {
			return nil, got, err
		}
	}
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
