package audio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// Format is a raw PCM sample format: signed integers or floats, little-endian, without any header.
type Format uint8

// The raw formats, named as ffmpeg and sox name them. The zero value is S16LE.
const (
	S16LE Format = iota
	S24LE        // three bytes a sample
	S32LE
	F32LE
)

var formatNames = [...]string{S16LE: "s16le", S24LE: "s24le", S32LE: "s32le", F32LE: "f32le"}

// ParseFormat finds a format by its name: s16le, s24le, s32le or f32le, in capitals or not, with the underscore of
// ALSA (S16_LE) or without.
func ParseFormat(name string) (Format, error) {
	plain := strings.ReplaceAll(strings.ToLower(name), "_", "")
	switch plain {
	case "s243le":
		plain = "s24le"
	case "floatle":
		plain = "f32le"
	}
	for f, n := range formatNames {
		if plain == n {
			return Format(f), nil
		}
	}
	return 0, fmt.Errorf("raw format %q: must be one of %s", name, strings.Join(formatNames[:], ", "))
}

func (f Format) String() string {
	if int(f) < len(formatNames) {
		return formatNames[f]
	}
	return fmt.Sprintf("Format(%d)", uint8(f))
}

// BytesPerSample returns 2, 3 or 4.
func (f Format) BytesPerSample() int { return f.coding().bytes() }

func (f Format) coding() coding {
	switch f {
	case S16LE:
		return codingS16
	case S24LE:
		return codingS24
	case S32LE:
		return codingS32
	case F32LE:
		return codingF32
	}
	panic(fmt.Sprintf("audio: no such raw format: %d", uint8(f)))
}

// DecodeRaw reads r to its end as interleaved raw PCM of the given rate (Hz) and channels and mixes the channels to
// mono as [Decode] does. Bytes left at the end that make no whole frame are dropped with a warning. No samples, more than
// [MaxSamples], float samples that are no numbers or far beyond full scale, which is what another format looks like,
// are errors.
func DecodeRaw(r io.Reader, f Format, rate, channels int) (Clip, error) {
	return decodeRaw(r, f, rate, channels, MaxSamples)
}

func decodeRaw(r io.Reader, f Format, rate, channels, maxSamples int) (Clip, error) {
	return decodeWhole(maxSamples, func(to *receiver) (Clip, error) { return decodeRawTo(r, f, rate, channels, to) })
}

func decodeRawTo(r io.Reader, f Format, rate, channels int, to *receiver) (Clip, error) {
	if err := errors.Join(checkRate(int64(rate)), checkChannels(channels)); err != nil {
		return Clip{}, fmt.Errorf("raw %s: %w", f, err)
	}
	sink := newChannelSink(rate, channels, 0, to)
	got, err := readFrames(r, f.coding(), channels, sink)
	if err != nil {
		return Clip{}, fmt.Errorf("raw %s: %w", f, err)
	}
	clip, err := sink.clip()
	if err != nil {
		return Clip{}, err
	}
	if sink.frames == 0 {
		return Clip{}, fmt.Errorf("raw %s: no samples: the input ended after %d bytes; does the recording program work?", f, got)
	}
	if left := got % int64(channels*f.BytesPerSample()); left != 0 {
		clip.Warnings = append(clip.Warnings, fmt.Sprintf(
			"the last %d bytes make no whole frame of %d channels of %s and were dropped", left, channels, f))
	}
	return clip, nil
}

// readFrames decodes whole frames from r to its end into sink and reports the bytes read.
func readFrames(r io.Reader, c coding, channels int, sink *channelSink) (got int64, err error) {
	frame := channels * c.bytes()
	buf := make([]byte, max(1, 1<<15/frame)*frame)
	samples := make([]float32, len(buf)/c.bytes())
	for {
		n, err := io.ReadFull(r, buf)
		got += int64(n)
		frames := n / frame
		x := samples[:frames*channels]
		if bad := c.decode(x, buf); bad >= 0 {
			return got, badSample(sink.frames+int64(bad/channels), sink.rate, x[bad])
		}
		if err := sink.add(x); err != nil {
			return got, err
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return got, nil
		}
		if err != nil {
			return got, err
		}
	}
}

// PCMReader reads mono raw PCM as it arrives. Create one with [NewPCMReader].
type PCMReader struct {
	r    io.Reader
	code coding
	rate int   // samples of all channels per second, for errors
	done int64 // samples decoded
	buf  []byte
	held int // bytes at the start of buf that are not decoded yet: a part of a sample
	err  error
}

const pcmBufferBytes = 12 << 10 // a multiple of every sample size

// NewPCMReader reads samples of format f from r. An error names the time of a sample by rate, in samples of all channels per second.
func NewPCMReader(r io.Reader, f Format, rate int) *PCMReader {
	return &PCMReader{r: r, code: f.coding(), rate: rate, buf: make([]byte, pcmBufferBytes)}
}

// Read fills dst with up to len(dst) samples and returns how many. Like an [io.Reader] it hands out what one read of
// the source brings and does not wait for more, but it waits for one whole sample, and a sample split over two reads
// is put together. Float samples beyond full scale are clipped to [-1, 1]. At the end of the source it returns 0 and
// io.EOF; bytes left that make no whole sample are dropped. Samples that are no numbers or absurdly large are an
// error. Read does not allocate.
func (p *PCMReader) Read(dst []float32) (int, error) {
	if len(dst) == 0 {
		return 0, nil
	}
	size := p.code.bytes()
	for empty := 0; p.held < size; {
		if p.err != nil {
			return 0, p.err
		}
		want := min(len(p.buf), len(dst)*size)
		n, err := p.r.Read(p.buf[p.held:want])
		p.held += n
		if err != nil {
			p.err = err
		}
		if n > 0 {
			empty = 0
		} else if empty++; empty == 100 {
			p.err = io.ErrNoProgress
		}
	}
	n := min(p.held/size, len(dst))
	if bad := p.code.decode(dst[:n], p.buf); bad >= 0 {
		p.held, p.err = 0, fmt.Errorf("raw input: %w", badSample(p.done+int64(bad), p.rate, dst[bad]))
		return 0, p.err
	}
	if p.code.fractional() {
		for i, v := range dst[:n] {
			dst[i] = clip(v)
		}
	}
	p.done += int64(n)
	p.held = copy(p.buf, p.buf[n*size:p.held])
	return n, nil
}

// PCMWriter writes mono raw PCM. Create one with [NewPCMWriter].
type PCMWriter struct {
	w   io.Writer
	f   Format
	buf []byte
}

// NewPCMWriter writes samples of format f to w.
func NewPCMWriter(w io.Writer, f Format) *PCMWriter {
	f.coding() // an unknown format is our own bug and shows at once
	return &PCMWriter{w: w, f: f, buf: make([]byte, 0, pcmBufferBytes)}
}

// Write writes all samples of x, clipped to [-1, 1] and rounded to the nearest step, and returns how many were
// written. A sample that is no number is written as 0, so that a live output goes on. Nothing is held back: when
// Write returns, w has the bytes. Write does not allocate.
func (p *PCMWriter) Write(x []float32) (int, error) {
	size := p.f.BytesPerSample()
	for done := 0; done < len(x); {
		n := min(len(x)-done, cap(p.buf)/size)
		b := appendSamples(p.buf[:0], p.f, x[done:done+n])
		wrote, err := p.w.Write(b)
		if err == nil && wrote < len(b) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return done + wrote/size, err
		}
		done += n
	}
	return len(x), nil
}

// appendSamples appends the raw bytes of x to b.
func appendSamples(b []byte, f Format, x []float32) []byte {
	switch f {
	case S16LE:
		for _, v := range x {
			b = binary.LittleEndian.AppendUint16(b, uint16(quantize(v, 1<<15)))
		}
	case S24LE:
		for _, v := range x {
			q := uint32(quantize(v, 1<<23))
			b = append(b, byte(q), byte(q>>8), byte(q>>16))
		}
	case S32LE:
		for _, v := range x {
			b = binary.LittleEndian.AppendUint32(b, uint32(quantize(v, 1<<31)))
		}
	case F32LE:
		for _, v := range x {
			if v != v {
				v = 0
			}
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(clip(v)))
		}
	}
	return b
}

// quantize rounds v*fullScale to the nearest integer within [-fullScale, fullScale-1]; what is no number becomes 0.
func quantize(v float32, fullScale float64) int32 {
	if v != v {
		return 0
	}
	return int32(math.Floor(max(-fullScale, min(fullScale-1, float64(v)*fullScale)) + 0.5))
}
