package audio

import (
	"crypto/md5"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/mewkiz/flac"
	"github.com/mewkiz/flac/frame"
	"github.com/mewkiz/flac/meta"
)

// flacBlock is the block size: that of libFLAC. It lies within the streamable subset for all rates (RFC 9639, section 7).
const flacBlock = 4096

// FLACEncoder writes a FLAC of 16 or 24 bits. The number of samples stands in the header from the first byte on, so that the file
// beneath may be a pipe; the checksum of the sound is put there at the end if the file is an io.Seeker, and stays empty otherwise,
// which the format allows.
//
// mewkiz/flac 1.0.13 writes the frames. Its own Close is not used: it gives the length of the last block for that of the
// shortest, which ffmpeg refuses when it is below 16.
type FLACEncoder struct {
	counter
	w     io.Writer
	enc   *flac.Encoder
	sum   hash.Hash
	block [][]int32 // [channels] of [flacBlock], filled of them are there
	fill  int
	bits  int
	bytes []byte // scratch
}

// flacSumAt is where the checksum of the sound stands in a file: behind "fLaC", a block header and 18 bytes.
const flacSumAt = 4 + 4 + 18

// flacLayoutTag says where the channels belong, if not at the places that FLAC gives them.
const flacLayoutTag = "WAVEFORMATEXTENSIBLE_CHANNEL_MASK"

// NewFLACEncoder writes the header. It is an error if s is out of range, or of a depth that FLAC has not.
func NewFLACEncoder(w io.Writer, s Sound) (*FLACEncoder, error) {
	err := s.check()
	switch {
	case err != nil:
	case s.Depth == DepthFloat:
		err = errors.New("FLAC holds integers of 16 or 24 bits and no floats: write a WAV")
	case s.Channels > 8:
		err = fmt.Errorf("%d channels, FLAC holds 8 at most", s.Channels)
	case s.Rate >= 1<<20:
		err = fmt.Errorf("%d Hz, FLAC holds %d at most", s.Rate, 1<<20-1)
	case s.Frames >= 1<<36:
		err = fmt.Errorf("%d samples, FLAC holds %d at most", s.Frames, 1<<36-1)
	}
	if err != nil {
		return nil, fmt.Errorf("flac: %w", err)
	}
	e := &FLACEncoder{counter: counter{sound: s}, w: w, sum: md5.New(), bits: 16}
	if s.Depth == Depth24 {
		e.bits = 24
	}
	for range s.Channels {
		e.block = append(e.block, make([]int32, flacBlock))
	}
	info := &meta.StreamInfo{
		BlockSizeMin: flacBlock, BlockSizeMax: flacBlock, SampleRate: uint32(s.Rate), NChannels: uint8(s.Channels),
		BitsPerSample: uint8(e.bits), NSamples: uint64(s.Frames),
	}
	comment := &meta.VorbisComment{Vendor: "vc"}
	for _, t := range s.Tags {
		comment.Tags = append(comment.Tags, [2]string{t.Name, t.Value})
	}
	if s.Layout != 0 && s.Channels > 2 && s.Layout != flacPlaces(s.Channels) {
		comment.Tags = append(comment.Tags, [2]string{flacLayoutTag, fmt.Sprintf("0x%x", uint32(s.Layout))})
	}
	head := &meta.Block{Header: meta.Header{Type: meta.TypeVorbisComment, Length: 1}, Body: comment}
	if e.enc, err = flac.NewEncoder(struct{ io.Writer }{w}, info, head); err != nil {
		return nil, fmt.Errorf("flac: %w", err)
	}
	return e, nil
}

// Write is that of [Encoder].
func (e *FLACEncoder) Write(x []float32) error {
	if err := e.take(x); err != nil {
		return fmt.Errorf("flac: %w", err)
	}
	scale := float64(int(1) << (e.bits - 1))
	for channels := len(e.block); len(x) > 0; x = x[channels:] {
		for c, v := range x[:channels] {
			e.block[c][e.fill] = quantize(v, scale)
		}
		if e.fill++; e.fill == flacBlock {
			if err := e.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush writes the block as far as it is filled.
func (e *FLACEncoder) flush() error {
	n := e.fill
	e.fill = 0
	e.bytes = e.bytes[:0]
	for t := range n {
		for _, b := range e.block {
			if e.bytes = append(e.bytes, byte(b[t]), byte(b[t]>>8)); e.bits > 16 {
				e.bytes = append(e.bytes, byte(b[t]>>16))
			}
		}
	}
	e.sum.Write(e.bytes)
	f := &frame.Frame{Header: frame.Header{
		HasFixedBlockSize: true, BlockSize: uint16(n), SampleRate: uint32(e.sound.Rate), Channels: frame.Channels(len(e.block) - 1),
		BitsPerSample: uint8(e.bits),
	}}
	for _, b := range e.block {
		f.Subframes = append(f.Subframes, &frame.Subframe{
			SubHeader: frame.SubHeader{Pred: frame.PredVerbatim}, Samples: b[:n], NSamples: n,
		})
	}
	if err := e.enc.WriteFrame(f); err != nil {
		return fmt.Errorf("flac: %w", err)
	}
	return nil
}

// Close is that of [Encoder].
func (e *FLACEncoder) Close() error {
	if err := e.end(); err != nil {
		return fmt.Errorf("flac: %w", err)
	}
	if e.fill > 0 {
		if err := e.flush(); err != nil {
			return err
		}
	}
	file, ok := e.w.(io.WriteSeeker)
	if !ok {
		return nil
	}
	if _, err := file.Seek(flacSumAt, io.SeekStart); err != nil {
		return fmt.Errorf("flac: %w", err)
	}
	if _, err := file.Write(e.sum.Sum(nil)); err != nil {
		return fmt.Errorf("flac: %w", err)
	}
	_, err := file.Seek(0, io.SeekEnd)
	return err
}
