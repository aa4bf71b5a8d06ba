package audio

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/mewkiz/flac"
	"github.com/mewkiz/flac/frame"
	"github.com/mewkiz/flac/meta"
)

func decodeFLAC(br *bufio.Reader, to *receiver) (Clip, error) {
	clip, err := walkFLAC(br, to)
	if err != nil {
		return Clip{}, fmt.Errorf("flac: %w", err)
	}
	return clip, nil
}

func walkFLAC(br *bufio.Reader, to *receiver) (Clip, error) {
	// flac.New buffers its input with bufio.NewReader, which returns br itself since it is larger than its default:
	// afterwards br stands at the first frame. Frames are then taken one by one for what next has to mend.
	//
	// It parses the first metadata block whatever its type, and allocates whatever sizes a picture or a comment there
	// claims; hence the look ahead. The blocks after the first are skipped.
	if head, _ := br.Peek(8); len(head) == 8 && (head[4]&0x7f != 0 || string(head[5:8]) != "\x00\x00\x22") {
		return Clip{}, errors.New("it does not begin with a stream header: the file is damaged; copy or export it again")
	}
	stream, err := flac.New(br)
	if err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return Clip{}, errFLACHeader
		}
		return Clip{}, fmt.Errorf("%w: the header is damaged; copy or export the file again", err)
	}
	info := stream.Info
	if err := checkRate(int64(info.SampleRate)); err != nil {
		return Clip{}, fmt.Errorf("%w: the header is damaged", err)
	}
	rate, want := int(info.SampleRate), int64(info.NSamples)
	if want > to.most {
		return Clip{}, tooLong(rate, to.most)
	}
	sink := newChannelSink(rate, int(info.NChannels), flacPlaces(int(info.NChannels)), to)
	in := &frameReader{br: br}
	end := flacEnd{want: want}
	for end.err == nil {
		if want > 0 && sink.frames >= want && !end.goesOn(br, info) {
			break
		}
		f, err := in.next(info)
		switch {
		case err != nil && want > 0 && sink.frames >= want:
			end.notes = append(end.notes, fmt.Sprintf("what stands behind %s cannot be read and was left out", secondsOf(sink.frames, rate)))
			end.err = io.EOF
			continue
		case err != nil:
			end.err = err
			continue
		case f.SampleRate != 0 && f.SampleRate != info.SampleRate:
			return Clip{}, fmt.Errorf("the rate changes from %d to %d Hz at %s s: the file is damaged, or several joined into one",
				rate, f.SampleRate, seconds(sink.frames, rate))
		case f.Channels.Count() != sink.channels:
			return Clip{}, fmt.Errorf("the channels change from %d to %d at %s s: the file is damaged, or several joined into one",
				sink.channels, f.Channels.Count(), seconds(sink.frames, rate))
		}
		if err := sink.add(interleave(f)); err != nil {
			return Clip{}, err
		}
	}
	return end.judge(sink, in.ended)
}

// flacPlaces are the places of the channels that FLAC prescribes (RFC 9639, section 9.1.3).
func flacPlaces(channels int) Layout {
	return [...]Layout{0, 0, 0,
		frontLeft | frontRight | frontCentre,
		frontLeft | frontRight | backLeft | backRight,
		frontLeft | frontRight | frontCentre | backLeft | backRight,
		frontLeft | frontRight | frontCentre | lowFrequency | backLeft | backRight,
		frontLeft | frontRight | frontCentre | lowFrequency | backCentre | sideLeft | sideRight,
		frontLeft | frontRight | frontCentre | lowFrequency | backLeft | backRight | sideLeft | sideRight,
	}[channels]
}

// flacEnd follows what lies behind the number of samples that the header gives.
type flacEnd struct {
	want   int64 // samples by all headers, 0 for unknown
	joined int   // further streams that were begun
	notes  []string
	err    error
}

// goesOn reports whether more sound follows: frames that the header does not count, or another stream of the same kind, whose
// header it passes over.
func (e *flacEnd) goesOn(br *bufio.Reader, info *meta.StreamInfo) bool {
	for range maxChunks {
		n := tagBytes(br)
		if n == 0 {
			break
		}
		br.Discard(n)
	}
	head, _ := br.Peek(42)
	switch {
	case len(head) == 0 || bytes.HasPrefix(head, []byte("TAG")):
		return false
	case len(head) >= 16 && head[0] == 0xff && head[1]&0xfe == 0xf8:
		return true
	case !bytes.HasPrefix(head, []byte("fLaC")):
		rest, _ := br.Peek(strayBytes)
		some := fmt.Sprint(len(rest))
		if len(rest) == strayBytes {
			some = fmt.Sprintf("%d or more", strayBytes)
		}
		e.notes = append(e.notes, some+" bytes behind the sound are no FLAC and were left out")
		return false
	}
	stream, err := flac.New(br)
	if err != nil || stream.Info.SampleRate != info.SampleRate || stream.Info.NChannels != info.NChannels ||
		stream.Info.BitsPerSample != info.BitsPerSample {
		e.notes = append(e.notes, "behind the sound stands a FLAC of another kind, which was left out: take the two apart")
		return false
	}
	e.joined++
	if e.want += int64(stream.Info.NSamples); stream.Info.NSamples == 0 {
		e.want = 0
	}
	return true
}

// judge gives the recording once no more of it can be read: after some sound the end of the input is a file cut short, or
// the right end where the header does not give the length.
func (e *flacEnd) judge(sink *channelSink, ended bool) (Clip, error) {
	have, rate := sink.frames, sink.rate
	var unread *formatError
	switch {
	case errors.As(e.err, &unread):
		return Clip{}, e.err
	case e.err != nil && !ended && e.err != io.EOF:
		return Clip{}, fmt.Errorf("damaged at %s s: %w; copy or export the file again", seconds(have, rate), e.err)
	case have == 0:
		return Clip{}, errFLACHeader
	}
	clip, err := sink.clip()
	if err != nil {
		return Clip{}, err
	}
	clip.Warnings = append(clip.Warnings, e.notes...)
	if e.joined > 0 {
		clip.Warnings = append(clip.Warnings, fmt.Sprintf("%d recordings joined into one: all were read", e.joined+1))
	}
	switch {
	case e.want > have:
		clip.Warnings = append(clip.Warnings, missing(have, e.want, rate))
	case e.want > 0 && have > e.want:
		clip.Warnings = append(clip.Warnings, beyondClaim(e.want, have, rate))
	case e.err != nil && e.err != io.EOF:
		clip.Warnings = append(clip.Warnings, "cut short in the middle of a frame; how much is missing is not known")
	}
	return clip, nil
}

var errFLACHeader = errors.New("it ends before the sound begins: the file is cut short; copy or export it again")

// interleave scales the samples of a frame to [-1, 1] and lays them out moment by moment.
func interleave(f *frame.Frame) []float32 {
	scale := 1 / float64(uint64(1)<<(f.BitsPerSample-1))
	channels := len(f.Subframes)
	x := make([]float32, channels*int(f.BlockSize))
	for c, sub := range f.Subframes {
		for i, v := range sub.Samples {
			x[i*channels+c] = float32(float64(v) * scale)
		}
	}
	return x
}

// frameReader takes frames from br and notices whether the input ended within one.
type frameReader struct {
	br    *bufio.Reader
	ended bool

	// Of a frame whose header was rewritten:
	rewritten bool
	head      []byte // the header, to be read before br goes on
	rate      uint32 // Hz, where it was coded in the header
	crc       uint16 // of the bytes as they stand in the file
}

func (r *frameReader) Read(p []byte) (int, error) {
	if len(r.head) > 0 {
		n := copy(p, r.head)
		r.head = r.head[n:]
		return n, nil
	}
	n, err := r.br.Read(p)
	if r.rewritten {
		r.crc = crc16(r.crc, p[:n])
	}
	if err == io.EOF {
		r.ended = true
	}
	return n, err
}

// next decodes one frame. Three things in mewkiz/flac 1.0.13 are mended on the way. A frame that leaves its sample
// size to the stream header is decoded as samples of 0 bits, unless the size is filled in. The code for 32 bits is
// refused. And for every frame that says "24 kHz" or "176.4 kHz" by code the package prints a line with log.Printf,
// which has no place on a user's terminal. The latter two headers are rewritten to leave size and rate to the stream
// header. That breaks the frame's checksum, so that it is checked here instead.
func (r *frameReader) next(info *meta.StreamInfo) (*frame.Frame, error) {
	r.rewriteHeader()
	f, err := frame.New(r)
	if err != nil {
		return nil, err
	}
	if f.BitsPerSample == 0 {
		f.BitsPerSample = info.BitsPerSample
	}
	if f.SampleRate == 0 {
		f.SampleRate = r.rate
	}
	if f.BitsPerSample == 32 && f.Channels >= frame.ChannelsLeftSide {
		return nil, &formatError{kind: "FLAC of 32 bits with joint stereo"} // a difference needs 33
	}
	err = f.Parse()
	if r.rewritten && complete(f) && r.crc == 0 { // a message followed by its own checksum has the checksum 0
		err = nil
	}
	if err != nil {
		return nil, err
	}
	if !complete(f) || f.BlockSize == 0 {
		return nil, errors.New("a frame without samples")
	}
	return f, nil
}

func complete(f *frame.Frame) bool {
	if len(f.Subframes) != f.Channels.Count() {
		return false
	}
	for _, sub := range f.Subframes {
		if sub == nil || len(sub.Samples) != int(f.BlockSize) {
			return false
		}
	}
	return true
}

// rewriteHeader looks at the next frame's header and, where it holds one of the codes that mewkiz/flac trips over,
// puts a copy without them before the rest of the input.
func (r *frameReader) rewriteHeader() {
	r.rewritten, r.head, r.rate, r.crc = false, nil, 0, 0
	const longest = 4 + 7 + 2 + 2 + 1 // fixed part, number, block size, rate, checksum
	b, _ := r.br.Peek(longest)
	if len(b) < 6 || b[0] != 0xff || b[1]&0xfe != 0xf8 {
		return
	}
	n := 4 + numberBytes(b[4])
	switch b[2] >> 4 { // the block size may stand in full after the number
	case 0x6:
		n++
	case 0x7:
		n += 2
	}
	masks := [2]byte{0xff, 0xff}
	switch b[2] & 0x0f { // so may the rate
	case 0x2:
		r.rate, masks[0] = 176400, 0xf0
	case 0x7:
		r.rate, masks[0] = 24000, 0xf0
	case 0xc:
		n++
	case 0xd, 0xe:
		n += 2
	}
	if b[3]&0x0e == 0x0e {
		masks[1] = 0xf1
	}
	if masks == [2]byte{0xff, 0xff} || n >= len(b) || crc8(b[:n]) != b[n] {
		return // nothing to do, or damaged, which decoding it as it is will say
	}
	head := append([]byte(nil), b[:n+1]...)
	r.rewritten, r.crc = true, crc16(0, head)
	head[2] &= masks[0]
	head[3] &= masks[1]
	head[n] = crc8(head[:n])
	r.head = head
	r.br.Discard(n + 1)
}

// numberBytes returns the length of a number coded like UTF-8, up to 7 bytes, from its first byte.
func numberBytes(first byte) int {
	n := 0
	for mask := byte(0x80); first&mask != 0 && mask != 0; mask >>= 1 {
		n++
	}
	return max(1, min(n, 7))
}

// crc8 is the checksum of frame headers (RFC 9639, section 9.1.8): x^8 + x^2 + x + 1.
func crc8(b []byte) byte {
	var crc byte
	for _, v := range b {
		crc ^= v
		for range 8 {
			if crc&0x80 != 0 {
				crc = crc<<1 ^ 0x07
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}

// crc16 continues the checksum of frames (RFC 9639, section 9.3): x^16 + x^15 + x^2 + 1.
func crc16(crc uint16, b []byte) uint16 {
	for _, v := range b {
		crc = crc<<8 ^ crc16Table[byte(crc>>8)^v]
	}
	return crc
}

var crc16Table = func() (table [256]uint16) {
	for i := range table {
		crc := uint16(i) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x8005
			} else {
				crc <<= 1
			}
		}
		table[i] = crc
	}
	return table
}()
