package audio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	goaudio "github.com/go-audio/audio"
	"github.com/go-audio/wav"
)

const (
	wavHeaderBytes = 44
	maxWAVSamples  = (1<<32 - 1 - wavHeaderBytes) / 2
)

// EncodeWAV writes c as mono 16-bit PCM WAV. Samples are rounded to the nearest step, without dither, and clipped to
// [-1, 1]. The header is right from the first byte on, so that w may be a pipe. A rate out of range, a sample that is
// no number and more samples than a WAV can hold (4 GiB) are errors; the samples are checked before anything is
// written.
func EncodeWAV(w io.Writer, c Clip) error {
	if err := checkRate(int64(c.Rate)); err != nil {
		return fmt.Errorf("wav: %w", err)
	}
	if len(c.Samples) > maxWAVSamples {
		return fmt.Errorf("wav: %d samples do not fit into a WAV file, at most %d do: write several files", len(c.Samples), maxWAVSamples)
	}
	for i, v := range c.Samples {
		if v != v {
			return fmt.Errorf("wav: sample %d is not a number", i)
		}
	}
	// The encoder sets a minute of memory aside for the rate given here; the rate that counts is set below.
	enc := wav.NewEncoder(&sizedHeader{w: w, dataBytes: uint32(2 * len(c.Samples))}, 1, 16, 1, tagPCM)
	enc.SampleRate = c.Rate
	buf := &goaudio.IntBuffer{
		Format:         &goaudio.Format{NumChannels: 1, SampleRate: c.Rate},
		Data:           make([]int, 0, 1<<13),
		SourceBitDepth: 16,
	}
	for x := c.Samples; ; {
		n := min(len(x), cap(buf.Data))
		buf.Data = buf.Data[:n]
		for i, v := range x[:n] {
			buf.Data[i] = int(quantize(v, 1<<15))
		}
		if err := enc.Write(buf); err != nil {
			return fmt.Errorf("wav: %w", err)
		}
		if x = x[n:]; len(x) == 0 {
			break
		}
	}
	if err := enc.Close(); err != nil {
		return fmt.Errorf("wav: %w", err)
	}
	return nil
}

// sizedHeader lets go-audio/wav, which writes sizes of 42 and seeks back at the end to correct them, write to a pipe:
// the sizes are known beforehand and are put in as the header passes. What comes after the encoder's first seek are
// its corrections, and they are dropped.
type sizedHeader struct {
	w         io.Writer
	dataBytes uint32
	pos       int64
	sealed    bool
}

func (s *sizedHeader) Write(p []byte) (int, error) {
	if s.sealed {
		return len(p), nil
	}
	out := p
	switch {
	case s.pos == 4 && len(p) == 4:
		out = binary.LittleEndian.AppendUint32(nil, wavHeaderBytes-8+s.dataBytes)
	case s.pos == 40 && len(p) == 4:
		out = binary.LittleEndian.AppendUint32(nil, s.dataBytes)
	}
	n, err := s.w.Write(out)
	s.pos += int64(n)
	if err == nil && n < len(out) {
		err = io.ErrShortWrite
	}
	return n, err
}

func (s *sizedHeader) Seek(offset int64, whence int) (int64, error) {
	if want := wavHeaderBytes + int64(s.dataBytes); s.pos != want {
		return 0, fmt.Errorf("internal: the encoder wrote %d bytes, the header says %d", s.pos, want)
	}
	s.sealed = true
	switch whence {
	case io.SeekStart:
		return offset, nil
	case io.SeekEnd:
		return s.pos + offset, nil
	}
	return 0, errors.New("internal: unexpected seek")
}

// WriteFile writes c as [EncodeWAV] does to the file at path, with the guarantees of [WriteAtomic].
func WriteFile(path string, c Clip) error {
	return WriteAtomic(path, func(w io.Writer) error { return EncodeWAV(w, c) })
}
