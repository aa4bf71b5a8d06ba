package audio

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/starvc/vc/internal/atomicfile"
)

// WAVEncoder writes a WAV. The header is right from the first byte on, so that the file beneath may be a pipe. What does not fit
// into the 32 bits of a WAV's lengths becomes RF64 (EBU Tech 3306). Tags stand behind the samples, in a LIST chunk. Writing does
// not allocate once under way.
type WAVEncoder struct {
	counter
	w   io.Writer
	buf []byte
}

// NewWAVEncoder writes the header. It is an error if s is out of range.
func NewWAVEncoder(w io.Writer, s Sound) (*WAVEncoder, error) {
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("wav: %w", err)
	}
	e := &WAVEncoder{counter: counter{sound: s}, w: w}
	if _, err := w.Write(e.header()); err != nil {
		return nil, fmt.Errorf("wav: %w", err)
	}
	return e, nil
}

func (e *WAVEncoder) sampleBytes() int {
	return map[Depth]int{Depth16: 2, Depth24: 3, DepthFloat: 4}[e.sound.Depth]
}

func (e *WAVEncoder) header() []byte {
	s, le := e.sound, binary.LittleEndian
	frameBytes := s.Channels * e.sampleBytes()
	data := s.Frames * int64(frameBytes)
	var format []byte
	tag := uint16(tagPCM)
	if s.Depth == DepthFloat {
		tag = tagFloat
	}
	sampleTag := tag
	if s.Channels > 2 {
		tag = tagExtensible
	}
	format = le.AppendUint16(format, tag)
	format = le.AppendUint16(format, uint16(s.Channels))
	format = le.AppendUint32(format, uint32(s.Rate))
	format = le.AppendUint32(format, uint32(s.Rate*frameBytes))
	format = le.AppendUint16(format, uint16(frameBytes))
	format = le.AppendUint16(format, uint16(8*e.sampleBytes()))
	fact := []byte(nil)
	switch {
	case s.Channels > 2:
		format = le.AppendUint16(format, 22)
		format = le.AppendUint16(format, uint16(8*e.sampleBytes()))
		format = le.AppendUint32(format, uint32(s.Layout))
		format = le.AppendUint16(format, sampleTag)
		format = append(format, extensibleTail...)
	case s.Depth == DepthFloat:
		format = le.AppendUint16(format, 0)
	}
	if s.Depth == DepthFloat {
		fact = le.AppendUint32([]byte("fact\x04\x00\x00\x00"), uint32(min(s.Frames, math.MaxUint32)))
	}
	const ds64Bytes = 28
	body := 4 + chunkHeader + int64(len(format)+len(fact)) + chunkHeader + data + data%2 + int64(len(infoChunk(s.Tags)))
	long := body > math.MaxUint32 || dataLength(uint32(data), 0) == unknownLength && data > 0 // a length that stands for none
	var b []byte
	size32 := func(n int64) {
		if long {
			n = math.MaxUint32
		}
		b = le.AppendUint32(b, uint32(n))
	}
	if long {
		body += chunkHeader + ds64Bytes
		b = append(b, "RF64"...)
	} else {
		b = append(b, "RIFF"...)
	}
	size32(body)
	b = append(b, "WAVE"...)
	if long {
		b = append(b, "ds64"...)
		b = le.AppendUint32(b, ds64Bytes)
		b = le.AppendUint64(b, uint64(body))
		b = le.AppendUint64(b, uint64(data))
		b = le.AppendUint64(b, uint64(s.Frames))
		b = le.AppendUint32(b, 0)
	}
	b = append(b, "fmt "...)
	b = le.AppendUint32(b, uint32(len(format)))
	b = append(b, format...)
	b = append(b, fact...)
	b = append(b, "data"...)
	size32(data)
	return b
}

// Write is that of [Encoder].
func (e *WAVEncoder) Write(x []float32) error {
	if err := e.take(x); err != nil {
		return fmt.Errorf("wav: %w", err)
	}
	const most = 1 << 13
	for len(x) > 0 {
		n := min(len(x), most)
		e.buf = appendCoded(e.buf[:0], e.sound.Depth, x[:n])
		if _, err := e.w.Write(e.buf); err != nil {
			return fmt.Errorf("wav: %w", err)
		}
		x = x[n:]
	}
	return nil
}

func appendCoded(b []byte, d Depth, x []float32) []byte {
	for _, v := range x {
		switch d {
		case Depth16:
			b = binary.LittleEndian.AppendUint16(b, uint16(quantize(v, 1<<15)))
		case Depth24:
			s := quantize(v, 1<<23)
			b = append(b, byte(s), byte(s>>8), byte(s>>16))
		default:
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(clip(v)))
		}
	}
	return b
}

// Close is that of [Encoder].
func (e *WAVEncoder) Close() error {
	if err := e.end(); err != nil {
		return fmt.Errorf("wav: %w", err)
	}
	var b []byte
	if e.sound.Frames*int64(e.sound.Channels*e.sampleBytes())%2 == 1 {
		b = append(b, 0)
	}
	if b = append(b, infoChunk(e.sound.Tags)...); len(b) == 0 {
		return nil
	}
	if _, err := e.w.Write(b); err != nil {
		return fmt.Errorf("wav: %w", err)
	}
	return nil
}

// EncodeWAV writes c as mono 16-bit PCM WAV, as [WAVEncoder] does. The samples are checked before anything is written.
func EncodeWAV(w io.Writer, c Clip) error {
	for i, v := range c.Samples {
		if v != v {
			return fmt.Errorf("wav: sample %d is not a number", i)
		}
	}
	e, err := NewWAVEncoder(w, Sound{Rate: c.Rate, Channels: 1, Frames: int64(len(c.Samples))})
	if err != nil {
		return err
	}
	if err := e.Write(c.Samples); err != nil {
		return err
	}
	return e.Close()
}

// WriteFile writes c as [EncodeWAV] does to the file at path, which holds what it held before or all of c,
// never a part.
func WriteFile(path string, c Clip) error {
	return atomicfile.Write(path, func(w io.Writer) error { return EncodeWAV(w, c) })
}
