package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/starvc/vc/audio"
)

// pipeFormat is how sound on a pipe is written.
type pipeFormat struct {
	format         audio.Format
	rate, channels int
}

// pipeReader reads sound from a pipe as it comes, mixed to mono.
type pipeReader struct {
	format pipeFormat
	wav    bool
	pcm    *audio.PCMReader
	wide   []float32 // interleaved channels
	held   int       // samples in wide that make no whole frame yet
}

// openPipe looks whether the stream begins with a WAV header, which then says what the format is. It returns io.EOF
// for a stream without any sound.
func openPipe(r io.Reader, raw pipeFormat) (*pipeReader, error) {
	br := bufio.NewReaderSize(r, 1<<12)
	head, err := br.Peek(12)
	if len(head) == 0 {
		return nil, err
	}
	p := &pipeReader{format: raw}
	var src io.Reader = br
	if bytes.HasPrefix(head, []byte("RIFF")) {
		length := int64(0)
		if p.format, length, err = readWAVHeader(br); err != nil {
			return nil, fmt.Errorf("WAV header: %w", err)
		}
		p.wav = true
		src = io.LimitReader(br, length)
	} else if err := audio.CheckRaw(head); err != nil {
		return nil, err
	}
	p.pcm = audio.NewPCMReader(src, p.format.format, p.format.rate*p.format.channels)
	return p, nil
}

// readFull fills x, unless the stream ends before. The error is io.EOF at its end, with the samples before it.
func (p *pipeReader) readFull(x []float32) (int, error) {
	c := p.format.channels
	if len(p.wide) < len(x)*c {
		p.wide = append(p.wide, make([]float32, len(x)*c-len(p.wide))...)
	}
	want := p.wide[:len(x)*c]
	var err error
	for p.held < len(want) && err == nil {
		var n int
		n, err = p.pcm.Read(want[p.held:])
		p.held += n
	}
	frames := p.held / c
	for i := range frames {
		sum := float32(0)
		for _, v := range want[i*c : (i+1)*c] {
			sum += v
		}
		x[i] = sum / float32(c)
	}
	p.held = copy(want, want[frames*c:p.held])
	return frames, err
}

// Format codes of WAV headers.
const (
	wavPCM, wavFloat, wavExtensible = 1, 3, 0xfffe
	maxHeaderChunk                  = 1 << 20
)

// readWAVHeader reads up to the first sample. The audio package's own reader wants the whole file, and this is a
// stream without an end: a length of 0 or of all ones means that nobody knows it.
func readWAVHeader(r io.Reader) (f pipeFormat, length int64, err error) {
	var riff [12]byte
	if _, err := io.ReadFull(r, riff[:]); err != nil {
		return f, 0, cutShort(err)
	}
	if string(riff[8:]) != "WAVE" {
		return f, 0, errors.New("not a WAVE file")
	}
	seen := false
	for {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return f, 0, cutShort(err)
		}
		size := binary.LittleEndian.Uint32(head[4:])
		switch name := string(head[:4]); {
		case name == "data":
			if !seen {
				return f, 0, errors.New("samples come before the format")
			}
			if size == 0 || size == math.MaxUint32 {
				return f, math.MaxInt64, nil
			}
			return f, int64(size), nil
		case size > maxHeaderChunk:
			return f, 0, fmt.Errorf("chunk %q of %d bytes before the samples", name, size)
		default:
			body := make([]byte, size+size%2)
			if _, err := io.ReadFull(r, body); err != nil {
				return f, 0, cutShort(err)
			}
			if name == "fmt " {
				if f, err = parseWAVFormat(body); err != nil {
					return f, 0, err
				}
				seen = true
			}
		}
	}
}

func cutShort(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errors.New("cut short")
	}
	return err
}

func parseWAVFormat(b []byte) (pipeFormat, error) {
	if len(b) < 16 {
		return pipeFormat{}, fmt.Errorf("format of %d bytes, want at least 16", len(b))
	}
	code := binary.LittleEndian.Uint16(b)
	if code == wavExtensible && len(b) >= 26 {
		code = binary.LittleEndian.Uint16(b[24:])
	}
	bits := binary.LittleEndian.Uint16(b[14:])
	f := pipeFormat{rate: int(binary.LittleEndian.Uint32(b[4:])), channels: int(binary.LittleEndian.Uint16(b[2:]))}
	switch {
	case code == wavPCM && bits == 16:
		f.format = audio.S16LE
	case code == wavPCM && bits == 24:
		f.format = audio.S24LE
	case code == wavPCM && bits == 32:
		f.format = audio.S32LE
	case code == wavFloat && bits == 32:
		f.format = audio.F32LE
	default:
		return f, fmt.Errorf("coding %d with %d bits is not for streams: use 16, 24 or 32-bit PCM or 32-bit float", code, bits)
	}
	if f.rate < audio.MinRate || f.rate > audio.MaxRate || f.channels < 1 || f.channels > audio.MaxChannels {
		return f, fmt.Errorf("%d Hz and %d channels make no sense", f.rate, f.channels)
	}
	if block := int(binary.LittleEndian.Uint16(b[12:])); block != f.channels*f.format.BytesPerSample() {
		return f, fmt.Errorf("%d bytes a frame do not fit %d channels of %d bits", block, f.channels, bits)
	}
	return f, nil
}

// pipeWriter writes sound the way its input was written.
type pipeWriter struct {
	w      io.Writer
	pcm    *audio.PCMWriter
	format pipeFormat
	header []byte // still to be written
	wide   []float32
}

func newPipeWriter(w io.Writer, in *pipeReader) *pipeWriter {
	p := &pipeWriter{w: w, pcm: audio.NewPCMWriter(w, in.format.format), format: in.format}
	if in.wav {
		p.header = wavHeader(in.format)
	}
	return p
}

// wavHeader is for a stream of unknown length.
func wavHeader(f pipeFormat) []byte {
	code := uint16(wavPCM)
	if f.format == audio.F32LE {
		code = wavFloat
	}
	bytes := f.format.BytesPerSample()
	b := append([]byte("RIFF"), 0xff, 0xff, 0xff, 0xff)
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	b = binary.LittleEndian.AppendUint16(b, code)
	b = binary.LittleEndian.AppendUint16(b, uint16(f.channels))
	b = binary.LittleEndian.AppendUint32(b, uint32(f.rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(f.rate*f.channels*bytes))
	b = binary.LittleEndian.AppendUint16(b, uint16(f.channels*bytes))
	b = binary.LittleEndian.AppendUint16(b, uint16(8*bytes))
	b = append(b, "data"...)
	return append(b, 0xff, 0xff, 0xff, 0xff)
}

func (p *pipeWriter) write(y []float32) error {
	if p.header != nil {
		if _, err := p.w.Write(p.header); err != nil {
			return err
		}
		p.header = nil
	}
	if p.format.channels > 1 {
		p.wide = p.wide[:0]
		for _, v := range y {
			for range p.format.channels {
				p.wide = append(p.wide, v)
			}
		}
		y = p.wide
	}
	_, err := p.pcm.Write(y)
	return err
}
