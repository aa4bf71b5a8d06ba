package audio

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The frames of an MP3 are found here, and hajimehoshi/go-mp3 decodes them one by one, as mp3Decoder hands them over. Left to
// itself, version 0.3.4 of that one keeps the delay and the padding of the encoder, so that every recording comes out
// longer, plays the information frame as silence, stops at the first damaged frame, and takes tags for frames.

// mp3Header is the header of a frame (ISO 11172-3, section 2.4.1.3, ISO 13818-3, and the rates of "MPEG 2.5").
type mp3Header struct {
	bits    uint32
	version int // 1, 2, or 25 for 2.5
	rate    int // Hz
	size    int // bytes of the frame
	mono    bool
}

func parseMP3Header(b []byte) (h mp3Header, ok bool) {
	if len(b) < 4 {
		return h, false
	}
	h.bits = binary.BigEndian.Uint32(b)
	version, layer, rate, bitrate := h.bits>>19&3, h.bits>>17&3, h.bits>>10&3, h.bits>>12&15
	if h.bits>>21 != 1<<11-1 || version == 1 || layer == 0 || rate == 3 || bitrate == 15 || h.bits&3 == 2 {
		return h, false
	}
	h.version = map[uint32]int{0: 25, 2: 2, 3: 1}[version]
	h.rate = [3]int{44100, 48000, 32000}[rate] / map[int]int{1: 1, 2: 2, 25: 4}[h.version]
	h.mono = h.bits>>6&3 == 3
	kilobits := [2][15]int{{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320}, {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160}}
	if h.version == 1 {
		h.size = 144 * 1000 * kilobits[0][bitrate] / h.rate
	} else {
		h.size = 72 * 1000 * kilobits[1][bitrate] / h.rate
	}
	h.size += int(h.bits >> 9 & 1)
	return h, true
}

// unread says why a frame is one that go-mp3 cannot decode, or returns nil.
func (h mp3Header) unread() error {
	switch {
	case h.bits>>17&3 != 1:
		return &formatError{kind: fmt.Sprintf("MPEG audio of layer %d", 4-h.bits>>17&3)}
	case h.bits>>12&15 == 0:
		return &formatError{kind: "MP3 of free bit rate"}
	case h.rate == 8000:
		return &formatError{kind: "MP3 at 8 kHz"} // with tables of its own
	}
	return nil
}

// intensity reports whether a frame may have bands that are one channel with a direction.
func (h mp3Header) intensity() bool { return h.bits>>6&3 == 1 && h.bits>>4&1 == 1 }

// like reports whether two frames can follow each other.
func (h mp3Header) like(o mp3Header) bool {
	return h.version == o.version && h.rate == o.rate && h.bits>>17&3 == o.bits>>17&3 && h.size > 0
}

// samples is the number of moments in a frame.
func (h mp3Header) samples() int {
	if h.version == 1 {
		return 1152
	}
	return 576
}

// sideBytes is the length of the side information, which stands behind the header.
func (h mp3Header) sideBytes() int {
	switch {
	case h.version == 1 && h.mono, h.version != 1 && !h.mono:
		return 17
	case h.version == 1:
		return 32
	}
	return 9
}

// checked reports whether two bytes of checksum stand behind the header.
func (h mp3Header) checked() bool { return h.bits>>16&1 == 0 }

// mp3Info is what the first frame of a recording says of the others, where it is one that holds no sound: Xing's table with
// the encoder's delay and padding as LAME adds them.
type mp3Info struct {
	frames         int64 // 0 for unknown
	trimmed        bool  // delay and padding are known
	delay, padding int   // samples that the encoder put before and behind
}

// mp3Hold is more than a recording's end can lose: two fields of 12 bits, and a frame.
const mp3Hold = 1 << 14

// decoderDelay is how much later than its input a decoder's output is, in samples, beside the encoder's delay.
const decoderDelay = 529

func parseMP3Info(h mp3Header, frame []byte) (info mp3Info, ok bool) {
	if len(frame) > 36+18 && string(frame[36:40]) == "VBRI" {
		return mp3Info{frames: int64(binary.BigEndian.Uint32(frame[36+14:]))}, true
	}
	at := 4 + h.sideBytes()
	if len(frame) < at+8 || string(frame[at:at+4]) != "Xing" && string(frame[at:at+4]) != "Info" {
		return info, false
	}
	flags := frame[at+7]
	b := frame[at+8:]
	for _, field := range []struct{ flag, bytes int }{{1, 4}, {2, 4}, {4, 100}, {8, 4}} {
		if int(flags)&field.flag == 0 {
			continue
		}
		if len(b) < field.bytes {
			return info, true
		}
		if field.flag == 1 {
			info.frames = int64(binary.BigEndian.Uint32(b))
		}
		b = b[field.bytes:]
	}
	if len(b) >= 24 && b[0] >= 'A' && b[0] <= 'z' {
		info.delay = int(b[21])<<4 | int(b[22])>>4
		info.padding = int(b[22]&15)<<8 | int(b[23])
		info.trimmed = info.delay > 0 || info.padding > 0
	}
	return info, true
}

// mp3Reader puts a recording together.
type mp3Reader struct {
	br    *bufio.Reader
	first mp3Header
	sink  *channelSink
	dec   mp3Decoder

	info    mp3Info
	started int64 // samples in the sink when this recording began
	frames  int64 // of this recording
	skip    int   // samples still to be dropped at its beginning
	missed  int64 // samples that headers promise and the file has not
	beyond  int64 // samples behind the end that headers give
	joined  int
	junk    int64 // bytes between frames
	notes   []string
}

func decodeMP3(br *bufio.Reader, to *receiver) (Clip, error) {
	clip, err := walkMP3(br, to)
	if err != nil {
		return Clip{}, fmt.Errorf("mp3: %w", err)
	}
	return clip, nil
}

func walkMP3(br *bufio.Reader, to *receiver) (Clip, error) {
	r := &mp3Reader{br: br}
	for {
		h, frame, err := r.nextFrame()
		if err == io.EOF {
			break
		}
		if err != nil {
			return Clip{}, err
		}
		if r.sink == nil {
			if err := h.unread(); err != nil {
				return Clip{}, err
			}
			channels := 2
			if h.mono {
				channels = 1
			}
			r.first, r.sink = h, newChannelSink(h.rate, channels, 0, to)
			r.sink.hold = mp3Hold
		}
		if info, ok := parseMP3Info(h, frame); ok {
			if err := r.finish(); err != nil {
				return Clip{}, err
			}
			r.begin(info)
		} else {
			r.frames++
			if err := r.decode(h, frame); err != nil {
				return Clip{}, err
			}
		}
		br.Discard(len(frame))
	}
	if r.sink == nil {
		return Clip{}, errors.New("no frame of sound was found: the file is damaged, or no MP3; copy or export it again")
	}
	if err := r.finish(); err != nil {
		return Clip{}, err
	}
	return r.clip()
}

// nextFrame finds the next frame and leaves it unread. Tags are passed over; so is what is no frame, which is counted.
func (r *mp3Reader) nextFrame() (mp3Header, []byte, error) {
	sure := r.sink != nil && r.junk == 0
	for searched := 0; ; searched++ {
		if searched > 1<<20 && r.sink == nil {
			return mp3Header{}, nil, io.EOF
		}
		head, err := r.br.Peek(4)
		if len(head) < 4 {
			r.junk += int64(len(head))
			return mp3Header{}, nil, err
		}
		if n := tagBytes(r.br); n > 0 {
			if _, err := r.br.Discard(n); err != nil {
				return mp3Header{}, nil, io.EOF
			}
			continue
		}
		h, ok := parseMP3Header(head)
		if ok && r.sink == nil && h.size == 0 && searched == 0 {
			return h, nil, h.unread()
		}
		if ok && h.size > 4+h.sideBytes()+2 && (r.sink == nil || h.like(r.first)) {
			b, err := r.br.Peek(h.size + 4)
			next, following := parseMP3Header(b[min(len(b), h.size):])
			switch {
			case len(b) < h.size:
				if err != io.EOF {
					return h, nil, err
				}
				r.br.Discard(len(b))
				r.notes = append(r.notes, "cut short in the middle of a frame")
				return h, nil, io.EOF
			case following && next.like(h), err == io.EOF, sure:
				return h, b[:h.size], nil
			}
		} else if ok && r.sink != nil && h.rate != r.first.rate {
			if b, _ := r.br.Peek(h.size + 4); len(b) == h.size+4 && h.size > 0 {
				if next, following := parseMP3Header(b[h.size:]); following && next.like(h) {
					r.notes = append(r.notes, fmt.Sprintf("behind %s stands an MP3 at %d Hz, which was left out: take the two apart",
						secondsOf(r.sink.frames, r.first.rate), h.rate))
					return h, nil, io.EOF
				}
			}
		}
		sure = false
		r.junk++
		r.br.Discard(1)
	}
}

// begin starts a recording after its information frame.
func (r *mp3Reader) begin(info mp3Info) {
	r.info, r.started, r.frames, r.skip = info, r.sink.frames, 0, 0
	if info.trimmed {
		r.skip = info.delay + decoderDelay
	}
}

// foreignFrames is how many frames that go-mp3 cannot decode are taken for damaged ones.
const foreignFrames = 3

// decode takes a frame, whose sound comes with the next one.
func (r *mp3Reader) decode(h mp3Header, frame []byte) error {
	err := r.take(r.dec.push(h, frame))
	if err == nil && r.dec.foreign > foreignFrames {
		return &formatError{kind: "MP3 with intensity stereo or mixed blocks"}
	}
	return err
}

// take puts decoded stereo into the sink.
func (r *mp3Reader) take(pcm []byte) error {
	x := make([]float32, 0, len(pcm)/2)
	for ; len(pcm) >= 4; pcm = pcm[4:] {
		if r.skip > 0 {
			r.skip--
			continue
		}
		left := float32(int16(binary.LittleEndian.Uint16(pcm))) / (1 << 15)
		right := float32(int16(binary.LittleEndian.Uint16(pcm[2:]))) / (1 << 15)
		if r.sink.channels == 1 {
			x = append(x, (left+right)/2)
		} else {
			x = append(x, left, right)
		}
	}
	return r.sink.add(x)
}

// finish ends a recording: the padding of the encoder is cut where its end is there.
func (r *mp3Reader) finish() error {
	if r.frames == 0 {
		return nil
	}
	r.joined++
	if err := r.take(r.dec.flush()); err != nil {
		return err
	}
	perFrame := int64(r.first.samples())
	have := r.frames
	if r.info.trimmed && (r.info.frames == 0 || r.info.frames == have) {
		// The last samples lie decoderDelay behind; an empty frame brings them out where the padding is shorter.
		if r.info.padding < decoderDelay {
			if err := r.take(r.dec.pushSilence(r.first)); err != nil {
				return err
			}
		}
		want := max(0, have*perFrame-int64(r.info.delay)-int64(r.info.padding))
		r.sink.cut(min(r.sink.frames, r.started+want))
	}
	switch want := r.info.frames; {
	case want > have:
		r.missed += (want - have) * perFrame
	case want > 0 && have > want:
		r.beyond += (have - want) * perFrame
	}
	r.dec.reset()
	r.frames, r.info, r.started, r.skip = 0, mp3Info{}, r.sink.frames, 0
	return nil
}

func (r *mp3Reader) clip() (Clip, error) {
	have, rate := r.sink.frames, r.first.rate
	switch {
	case have == 0:
		return Clip{}, errNoSamples
	case r.dec.good == 0:
		return Clip{}, fmt.Errorf("none of its %d frames can be decoded: the file is damaged; copy or export it again", r.dec.damaged)
	}
	clip, err := r.sink.clip()
	if err != nil {
		return Clip{}, err
	}
	clip.Warnings = append(clip.Warnings, r.notes...)
	if r.joined > 1 {
		clip.Warnings = append(clip.Warnings, fmt.Sprintf("%d recordings joined into one: all were read", r.joined))
	}
	if r.missed > 0 {
		clip.Warnings = append(clip.Warnings, missing(have, have+r.missed, rate))
	}
	if r.beyond > 0 {
		clip.Warnings = append(clip.Warnings, beyondClaim(have-r.beyond, have, rate))
	}
	if r.dec.damaged > 0 {
		lost := r.dec.damaged * int64(r.first.samples())
		clip.Warnings = append(clip.Warnings, fmt.Sprintf("%s (%.1f %%) are damaged or incomplete and silent", secondsOf(lost, rate), 100*float64(lost)/float64(have)))
	}
	if r.junk > 0 {
		clip.Warnings = append(clip.Warnings, fmt.Sprintf("%d bytes between or behind the frames are no sound and were left out", r.junk))
	}
	return clip, nil
}

// isMP3 reports whether two frames follow each other at the beginning.
func isMP3(br *bufio.Reader) bool {
	b, _ := br.Peek(4)
	h, ok := parseMP3Header(b)
	if !ok {
		return false
	}
	if h.size == 0 || bytes.HasPrefix(b, []byte{0xff, 0xff}) {
		return ok
	}
	if b, _ = br.Peek(h.size + 4); len(b) < h.size+4 {
		return true
	}
	next, ok := parseMP3Header(b[h.size:])
	return ok && next.like(h)
}
