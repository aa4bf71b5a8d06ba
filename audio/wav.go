package audio

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/go-audio/riff"
)

// The chunks are walked here, with go-audio/riff reading only the chunk headers, and not by go-audio/wav's Decoder.
// Version 1.1.0 of that one needs a seekable input, returns float samples as integer bit patterns and A-law and
// mu-law bytes as they are, takes a data length of 0 or 0xFFFFFFFF for no samples, decodes the pad byte of an odd
// data length, says nothing of a truncated file and allocates whatever size a fmt chunk claims. None of this can be
// seen from its results, so that even plain PCM cannot be left to it.

// Format tags of a fmt chunk.
const (
	tagPCM        = 0x0001
	tagFloat      = 0x0003
	tagALaw       = 0x0006
	tagMuLaw      = 0x0007
	tagExtensible = 0xfffe
)

// extensibleTail ends every subformat GUID that stands for a plain format tag (its first two bytes).
const extensibleTail = "\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"

// maxChunks bounds the chunks before the samples, so that a pipe of empty chunks ends.
const maxChunks = 4096

type wavFormat struct {
	coding   coding
	channels int
	rate     int
	warnings []string
}

func decodeWAV(br *bufio.Reader, maxSamples int) (Clip, error) {
	clip, err := walkWAV(br, maxSamples)
	if err != nil {
		return Clip{}, fmt.Errorf("wav: %w", err)
	}
	return clip, nil
}

func walkWAV(br *bufio.Reader, maxSamples int) (Clip, error) {
	var head [12]byte
	if _, err := io.ReadFull(br, head[:]); err != nil {
		return Clip{}, cutHeader(err)
	}
	var format *wavFormat
	var dataLength64 int64 // from the ds64 chunk of RF64, where the 32-bit length says 0xFFFFFFFF
	parser := riff.New(br)
	for range maxChunks {
		id, length, err := parser.IDnSize()
		if err != nil {
			return Clip{}, cutHeader(err)
		}
		switch {
		case id == riff.DataFormatID:
			if format == nil {
				return Clip{}, errors.New("the samples come before their description (no fmt chunk): the header is damaged")
			}
			return readData(br, format, dataLength(length, dataLength64), maxSamples)
		case id == riff.FmtID && format == nil:
			body, err := readChunk(br, length, 40)
			if err != nil {
				return Clip{}, err
			}
			if format, err = parseFormat(body); err != nil {
				return Clip{}, err
			}
		case id == [4]byte{'d', 's', '6', '4'}:
			body, err := readChunk(br, length, 28)
			if err != nil {
				return Clip{}, err
			}
			if len(body) >= 16 {
				dataLength64 = int64(binary.LittleEndian.Uint64(body[8:]) & (1<<63 - 1))
			}
		default:
			if _, err := readChunk(br, length, 0); err != nil {
				return Clip{}, err
			}
		}
	}
	return Clip{}, fmt.Errorf("no samples within the first %d chunks: the header is damaged", maxChunks)
}

func cutHeader(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errors.New("it ends before the samples begin: the file is cut short; copy or export it again")
	}
	return err
}

// readChunk returns up to keep bytes of a chunk's body and passes over the rest and the pad byte.
func readChunk(br *bufio.Reader, length uint32, keep int) ([]byte, error) {
	body := make([]byte, min(int64(length), int64(keep)))
	if _, err := io.ReadFull(br, body); err != nil {
		return nil, cutHeader(err)
	}
	rest := int64(length) + int64(length&1) - int64(len(body))
	if _, err := io.CopyN(io.Discard, br, rest); err != nil {
		return nil, cutHeader(err)
	}
	return body, nil
}

// parseFormat reads the body of a fmt chunk.
func parseFormat(b []byte) (*wavFormat, error) {
	if len(b) < 16 {
		return nil, fmt.Errorf("the fmt chunk has %d bytes, needs 16: the header is damaged", len(b))
	}
	tag := binary.LittleEndian.Uint16(b)
	channels := int(binary.LittleEndian.Uint16(b[2:]))
	rate := binary.LittleEndian.Uint32(b[4:])
	blockBytes := int(binary.LittleEndian.Uint16(b[12:]))
	bits := int(binary.LittleEndian.Uint16(b[14:]))
	if tag == tagExtensible {
		if len(b) < 40 {
			return nil, fmt.Errorf("the EXTENSIBLE fmt chunk has %d bytes, needs 40: the header is damaged", len(b))
		}
		if string(b[26:40]) != extensibleTail {
			return nil, &formatError{kind: fmt.Sprintf("WAV with a private coding (GUID %x)", b[24:40])}
		}
		tag = binary.LittleEndian.Uint16(b[24:])
	}
	if err := checkChannels(channels); err != nil {
		return nil, fmt.Errorf("%w: the header is damaged", err)
	}
	if err := checkRate(int64(rate)); err != nil {
		return nil, fmt.Errorf("%w: the header is damaged", err)
	}
	c, err := wavCoding(tag, bits)
	if err != nil {
		return nil, err
	}
	format := &wavFormat{coding: c, channels: channels, rate: int(rate)}
	if want := channels * c.bytes(); blockBytes != want {
		format.warnings = append(format.warnings, fmt.Sprintf(
			"the header says %d bytes for a moment of %d channels of %d bits; %d were taken", blockBytes, channels, bits, want))
	}
	return format, nil
}

// wavCoding finds the coding of a format tag. PCM depths that fill no whole byte are stored in the upper bits of the
// next whole one.
func wavCoding(tag uint16, bits int) (coding, error) {
	if bits == 0 && tag <= tagMuLaw {
		return 0, errors.New("0 bits per sample: the header is damaged")
	}
	switch {
	case tag == tagPCM && bits <= 8:
		return codingU8, nil
	case tag == tagPCM && bits <= 16:
		return codingS16, nil
	case tag == tagPCM && bits <= 24:
		return codingS24, nil
	case tag == tagPCM && bits <= 32:
		return codingS32, nil
	case tag == tagFloat && bits == 32:
		return codingF32, nil
	case tag == tagFloat && bits == 64:
		return codingF64, nil
	case tag == tagALaw && bits == 8:
		return codingALaw, nil
	case tag == tagMuLaw && bits == 8:
		return codingMuLaw, nil
	}
	names := map[uint16]string{tagPCM: "PCM", 0x0002: "ADPCM", tagFloat: "float", tagALaw: "A-law", tagMuLaw: "mu-law",
		0x0011: "IMA ADPCM", 0x0031: "GSM", 0x0050: "MPEG", 0x0055: "MP3", 0x00ff: "AAC", 0x0160: "Windows Media",
		0x0161: "Windows Media"}
	name, ok := names[tag]
	if !ok {
		name = fmt.Sprintf("unknown coding 0x%04x", tag)
	}
	return 0, &formatError{kind: fmt.Sprintf("WAV with %s of %d bits inside", name, bits)}
}

// unknownLength stands for a data length that the writer did not know.
const unknownLength = -1

// dataLength judges the length that a data chunk claims. Programs that write into a pipe cannot go back to fill it
// in: they leave 0 (GStreamer, older ffmpeg), 0xFFFFFFFF (ffmpeg), or a number just below or at 2^31 or 2^32 (sox,
// arecord).
func dataLength(length uint32, length64 int64) int64 {
	const slack = 1 << 16
	switch {
	case length == 1<<32-1 && length64 > 0:
		return length64
	case length == 0, length >= 1<<32-slack, length >= 1<<31-slack && length <= 1<<31:
		return unknownLength
	}
	return int64(length)
}

func readData(br *bufio.Reader, format *wavFormat, length int64, maxSamples int) (Clip, error) {
	mix := &mixer{coding: format.coding, channels: format.channels, rate: format.rate}
	if length == unknownLength && startsChunk(br) {
		return Clip{}, errNoSamples
	}
	samples, got, err := mix.readAll(br, length, maxSamples)
	if err != nil {
		return Clip{}, err
	}
	if len(samples) == 0 {
		return Clip{}, errNoSamples
	}
	clip := Clip{Samples: samples, Rate: format.rate, Warnings: append(format.warnings, mix.warnings()...)}
	if length != unknownLength && got < length {
		if want := length / int64(mix.frameBytes()); want > int64(len(samples)) {
			clip.Warnings = append(clip.Warnings, missing(int64(len(samples)), want, format.rate))
		}
	}
	return clip, nil
}

var errNoSamples = errors.New("no samples inside: record or export it again")

// startsChunk tells a recording that is truly empty and is followed by tags from one of unknown length.
func startsChunk(br *bufio.Reader) bool {
	next, _ := br.Peek(4)
	for _, id := range []string{"LIST", "id3 ", "ID3 ", "bext", "cue ", "smpl", "fact", "PEAK", "iXML"} {
		if bytes.Equal(next, []byte(id)) {
			return true
		}
	}
	return false
}
