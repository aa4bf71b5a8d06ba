package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/starvc/vc/audio"
)

// pipeFormat is how sound on a pipe is written.
type pipeFormat struct {
	format         audio.Format
	rate, channels int
}

// pipeReader reads sound from a pipe as it comes, mixed to mono.
type pipeReader struct {
	format  pipeFormat
	wav     *audio.WAVReader // nil for raw samples
	pcm     *audio.PCMReader
	weights []float32 // of the channels in the mix
	wide    []float32 // interleaved channels
	held    int       // samples in wide that make no whole frame yet
}

// openPipe looks whether the stream begins with a WAV header, which then says what the format is. It returns io.EOF
// for a stream without any sound.
func openPipe(r io.Reader, raw pipeFormat) (*pipeReader, error) {
	br := bufio.NewReaderSize(r, 1<<16) // what a WAVReader takes, so that none is put in between
	head, err := br.Peek(12)
	if len(head) == 0 {
		return nil, err
	}
	p := &pipeReader{format: raw}
	if audio.StartsWAV(head) {
		if p.wav, err = audio.NewWAVReader(br); err != nil {
			return nil, fmt.Errorf("WAV header: %w", err)
		}
		p.format = pipeFormat{p.wav.RawFormat(), p.wav.Rate(), p.wav.Channels()}
		p.weights = p.wav.MonoWeights()
		return p, nil
	}
	if err := audio.CheckRaw(head); err != nil {
		return nil, err
	}
	p.pcm = audio.NewPCMReader(br, raw.format, raw.rate*raw.channels)
	p.weights = make([]float32, raw.channels)
	for i := range p.weights {
		p.weights[i] = 1 / float32(raw.channels)
	}
	return p, nil
}

// warnings says what the header of the stream had wrong; what concerns the length is there after its end.
func (p *pipeReader) warnings() []string {
	if p.wav == nil {
		return nil
	}
	return p.wav.Warnings()
}

// read puts into x, which must have room for one, what samples one read of the stream brings, one at least before its end.
// The error, io.EOF at the end, may come with samples.
func (p *pipeReader) read(x []float32) (int, error) {
	c := p.format.channels
	if len(p.wide) < len(x)*c {
		p.wide = append(p.wide, make([]float32, len(x)*c-len(p.wide))...)
	}
	want := p.wide[:len(x)*c]
	var err error
	for p.held < c && err == nil {
		var n int
		if p.wav != nil {
			n, err = p.wav.Read(want[p.held:])
		} else {
			n, err = p.pcm.Read(want[p.held:])
		}
		p.held += n
	}
	frames := p.held / c
	for i := range frames {
		sum := float32(0)
		for k, v := range want[i*c : (i+1)*c] {
			sum += p.weights[k] * v
		}
		x[i] = max(-1, min(1, sum))
	}
	p.held = copy(want, want[frames*c:p.held])
	return frames, err
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
	if in.wav != nil {
		p.header = wavHeader(in.format)
	}
	return p
}

// wavHeader is for a stream of unknown length.
func wavHeader(f pipeFormat) []byte {
	code := uint16(1) // PCM
	if f.format == audio.F32LE {
		code = 3 // float
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
