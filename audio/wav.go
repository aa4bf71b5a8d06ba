package audio

import (
	"encoding/binary"
	"errors"
	"fmt"
)

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

type wavFormat struct {
	coding     coding
	channels   int
	rate       int // Hz
	mask       Layout
	bits       int  // of a sample, as the header says
	blockBytes int  // of a moment of all channels, as the header says
	alone      bool // nothing is looked for behind the samples
}

func (f *wavFormat) frameBytes() int { return f.channels * f.coding.bytes() }

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
	var mask Layout
	if tag == tagExtensible {
		if len(b) < 40 {
			return nil, fmt.Errorf("the EXTENSIBLE fmt chunk has %d bytes, needs 40: the header is damaged", len(b))
		}
		if string(b[26:40]) != extensibleTail {
			return nil, &formatError{kind: fmt.Sprintf("WAV with a private coding (GUID %x)", b[24:40])}
		}
		mask = Layout(binary.LittleEndian.Uint32(b[20:]))
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
	format := &wavFormat{coding: c, channels: channels, rate: int(rate), mask: mask, bits: bits, blockBytes: blockBytes}
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

var errNoSamples = errors.New("no samples inside: record or export it again")

// wavLayout is one way to read what a contradictory header describes: samples of a coding, one every stride bytes.
type wavLayout struct {
	coding coding
	stride int
	name   string
}

// settleLayout decides between bits and block length where they contradict each other, such as 24 bits in 4 bytes or 16
// in 3: by the sound, which a wrong layout turns into noise. head is the first of the samples. The word is for the
// user, empty where nothing is contradicted.
func (f *wavFormat) settleLayout(head []byte) (wavLayout, string) {
	packed := wavLayout{f.coding, f.coding.bytes(), fmt.Sprint(f.frameBytes())}
	stride := f.blockBytes / f.channels
	if f.blockBytes == f.frameBytes() {
		return packed, ""
	}
	say := func(l wavLayout) string {
		return fmt.Sprintf("the header says %d bytes for a moment of %d channels of %d bits; %s were taken",
			f.blockBytes, f.channels, f.bits, l.name)
	}
	integers := map[int]coding{2: codingS16, 3: codingS24, 4: codingS32}
	wide, ok := integers[stride]
	if f.blockBytes%f.channels != 0 || f.coding < codingS16 || f.coding > codingS32 || !ok {
		return packed, say(packed)
	}
	whole := wavLayout{wide, stride, fmt.Sprintf("samples of %d bytes", stride)}
	best, least := whole, whole.roughness(head, f.channels)
	others := []wavLayout{packed}
	if stride > f.coding.bytes() {
		// Values in the lower bytes sound the same when all bytes are read, only lower.
		others = append(others, wavLayout{f.coding, stride, fmt.Sprintf("the lower %d of %d bytes", f.coding.bytes(), stride)})
	}
	for _, l := range others {
		if r := l.roughness(head, f.channels); r < least || r < silentRoughness && r <= 1.001*least {
			best, least = l, r
		}
	}
	return best, say(best) + ", which sounds most like a recording"
}

// silentRoughness is what silence is given: that of noise, since it tells nothing.
const silentRoughness = 2

// roughness is the energy of the differences between neighbouring samples over that of the samples: about 2 for noise, far
// less for sound. Silence is given [silentRoughness].
func (l wavLayout) roughness(b []byte, channels int) float64 {
	var energy, differences float64
	last := make([]float64, channels)
	x := make([]float32, 1)
	for i := 0; (i+1)*l.stride <= len(b); i++ {
		l.decode(x, b[i*l.stride:])
		v := float64(x[0])
		d := v - last[i%channels]
		energy += v * v
		differences += d * d
		last[i%channels] = v
	}
	if energy == 0 {
		return silentRoughness
	}
	return differences / energy
}

// decode is coding.decode for samples that lie stride bytes apart.
func (l wavLayout) decode(dst []float32, src []byte) int {
	n := l.coding.bytes()
	if n == l.stride {
		return l.coding.decode(dst, src)
	}
	for i := range dst {
		l.coding.decode(dst[i:i+1], src[i*l.stride:i*l.stride+n])
	}
	return -1
}
