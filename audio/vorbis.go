package audio

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/jfreymuth/vorbis"
)

// jfreymuth/vorbis decodes the packets. The Ogg around them is read here: jfreymuth/oggvorbis 1.0.5 stops at the end of the
// first of several streams, fails on other streams beside the sound, and panics on a page without segments.

// vorbisReader puts the recordings of an Ogg file together.
type vorbisReader struct {
	sink *channelSink
	rate int

	dec      *vorbis.Decoder
	headers  int    // of the stream that were read
	serial   uint32 // of the stream that is read
	sequence uint32
	rest     []byte // the beginning of a packet that goes on in the next page
	ended    bool   // the stream has said that it ends
	linked   bool   // the stream is one whose sound is taken

	began    int64 // frames in the sink when the stream began
	offset   int64 // of its granules from that
	anchored bool
	lost     int64 // frames that are missing in between
	damaged  int   // packets
	skipped  int64 // bytes
	joined   int
	notes    []string
}

func decodeOgg(br *bufio.Reader, to *receiver) (Clip, error) {
	clip, err := walkOgg(br, to)
	if err != nil {
		return Clip{}, fmt.Errorf("ogg: %w", err)
	}
	return clip, nil
}

func walkOgg(br *bufio.Reader, to *receiver) (Clip, error) {
	v := &vorbisReader{}
	other := ""
	for {
		page, skipped, err := readOggPage(br)
		v.skipped += skipped
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			if err == io.ErrUnexpectedEOF {
				if v.linked && page.serial == v.serial && v.headers == 3 {
					if err := v.take(page); err != nil {
						return Clip{}, err
					}
				}
				v.ended = false
			}
			break
		}
		if err != nil {
			return Clip{}, err
		}
		if page.flags&oggFirst != 0 {
			switch {
			case bytes.HasPrefix(page.body, []byte("\x01vorbis")):
				if v.linked && !v.ended && v.serial != page.serial && v.headers < 3 {
					continue // a second stream beside the first
				}
				if err := v.begin(page, to); err != nil {
					return Clip{}, err
				}
			case other == "":
				other = oggContent(page.body)
			}
		}
		if v.linked && page.serial == v.serial {
			if err := v.take(page); err != nil {
				return Clip{}, err
			}
		}
	}
	switch {
	case v.sink == nil && other != "":
		return Clip{}, &formatError{kind: "Ogg with " + other + " inside"}
	case v.sink == nil:
		return Clip{}, errors.New("it ends before the sound begins: the file is cut short; copy or export it again")
	case v.sink.frames == 0 && !v.ended:
		return Clip{}, errors.New("it ends before the sound begins: the file is cut short; copy or export it again")
	case v.sink.frames == 0:
		return Clip{}, errNoSamples
	}
	return v.clip()
}

// vorbisHold is more than a page holds: what a page's position cuts lies within it, or no page has come that has one.
const vorbisHold = 1 << 21

// oggContent names what the first packet of a stream begins.
func oggContent(head []byte) string {
	for magic, name := range map[string]string{"OpusHead": "Opus", "\x7fFLAC": "FLAC", "Speex ": "Speex", "\x80theora": "Theora", "fishead": ""} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return name
		}
	}
	return "an unknown coding"
}

// begin starts a stream from the page that holds its first header.
func (v *vorbisReader) begin(p oggPage, to *receiver) error {
	v.dec, v.headers, v.serial, v.sequence, v.rest = &vorbis.Decoder{}, 0, p.serial, p.sequence, nil
	v.ended, v.anchored = false, false
	b := p.body
	if len(b) < 30 {
		return errVorbisHeader
	}
	channels, rate := int(b[11]), int64(binary.LittleEndian.Uint32(b[12:]))
	if err := checkRate(rate); err != nil {
		return fmt.Errorf("%w: the header is damaged", err)
	}
	if err := checkChannels(channels); err != nil {
		return fmt.Errorf("%w: the header is damaged", err)
	}
	if short, long := b[28]&15, b[28]>>4; short < 6 || long > 13 || short > long {
		return errVorbisHeader
	}
	switch {
	case v.sink == nil:
		v.rate = int(rate)
		v.sink = newChannelSink(v.rate, channels, vorbisPlaces(channels), to)
		v.sink.hold = vorbisHold
		if places := vorbisOrder(channels); places != nil && v.sink.weights[0] != nil {
			for side := range v.sink.weights {
				w := make([]float32, channels)
				for i, from := range places {
					w[i] = v.sink.weights[side][from]
				}
				v.sink.weights[side] = w
			}
		}
	case rate != int64(v.rate) || channels != v.sink.channels:
		v.linked = false
		v.notes = append(v.notes, fmt.Sprintf("behind %s stands a recording of %d Hz and %d channels, which was left out: take the two apart",
			secondsOf(v.sink.frames, v.rate), rate, channels))
		return nil
	}
	v.linked = true
	v.joined++
	v.began, v.offset = v.sink.frames, 0
	return nil
}

var errVorbisHeader = errors.New("the Vorbis header is damaged: copy or export the file again")

// vorbisPlaces are the places of the channels (Vorbis I, section 4.3.9), a set; vorbisOrder gives for each channel its number
// in the order of the set.
func vorbisPlaces(channels int) Layout {
	if channels > 8 {
		return 0
	}
	return flacPlaces(channels)
}

func vorbisOrder(channels int) []int {
	return map[int][]int{3: {0, 2, 1}, 5: {0, 2, 1, 3, 4}, 6: {0, 2, 1, 4, 5, 3}, 7: {0, 2, 1, 5, 6, 4, 3}, 8: {0, 2, 1, 6, 7, 4, 5, 3}}[channels]
}

// take decodes the packets of a page and holds their number against its position.
func (v *vorbisReader) take(p oggPage) error {
	gap := v.headers > 0 && p.sequence != v.sequence
	v.sequence = p.sequence + 1
	if gap && v.headers == 3 {
		v.dec.Clear()
		v.rest = nil
	}
	packets, rest := p.packets(v.rest, gap)
	v.rest = rest
	for _, packet := range packets {
		if v.headers < 3 {
			if err := v.readHeader(packet); err != nil {
				return err
			}
			continue
		}
		x, err := decodeVorbis(v.dec, packet)
		if err != nil {
			v.damaged++
			v.dec.Clear()
			continue
		}
		if err := v.sink.add(x); err != nil {
			return err
		}
	}
	if v.headers == 3 && p.granule >= 0 && len(packets) > 0 {
		v.place(p)
		if v.anchored {
			if err := v.sink.release(0); err != nil {
				return err
			}
		}
	}
	v.ended = p.flags&oggLast != 0
	return nil
}

// place compares what was decoded of a stream with the position that a page gives: the first page may ask for less than its
// packets hold, and so may the last; more means that sound is missing.
func (v *vorbisReader) place(p oggPage) {
	have := v.sink.frames - v.began
	switch at := p.granule - v.offset; {
	case !v.anchored && have == 0:
		return
	case !v.anchored && at >= have:
		v.offset = p.granule - have // cut out of a longer recording
	case !v.anchored && p.flags&oggLast == 0:
		v.sink.cutFront(v.began, have-at)
	case at < have && p.flags&oggLast != 0:
		v.sink.cut(v.began + max(0, at))
	case at > have:
		v.lost += at - have
		v.offset += at - have
	}
	v.anchored = true
}

// readHeader takes the three headers of a stream. The comments are not read.
func (v *vorbisReader) readHeader(packet []byte) error {
	if !vorbis.IsHeader(packet) {
		return errVorbisHeader
	}
	v.headers++
	switch packet[0] {
	case 3:
		return nil
	case 5:
		r := vorbisBits{b: packet[7:]}
		if !sensibleCodebooks(&r) || !sensibleResidues(&r) {
			return errVorbisHeader
		}
	}
	if err := guarded(func() error { return v.dec.ReadHeader(packet) }); err != nil {
		return fmt.Errorf("%w (%v)", errVorbisHeader, err)
	}
	if v.headers == 3 && !v.dec.HeadersRead() {
		return errVorbisHeader
	}
	return nil
}

// decodeVorbis decodes one packet. A panic of the decoder is an error, and so is a sample that is no number.
func decodeVorbis(dec *vorbis.Decoder, packet []byte) (x []float32, err error) {
	err = guarded(func() error {
		x, err = dec.Decode(packet)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, s := range x {
		if !(s >= -absurdLevel && s <= absurdLevel) {
			return nil, errors.New("not a number")
		}
	}
	return x, nil
}

func guarded(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the decoder stumbles: %v", r)
		}
	}()
	return f()
}

func (v *vorbisReader) clip() (Clip, error) {
	have := v.sink.frames
	clip, err := v.sink.clip()
	if err != nil {
		return Clip{}, err
	}
	clip.Warnings = append(clip.Warnings, v.notes...)
	if v.joined > 1 {
		clip.Warnings = append(clip.Warnings, fmt.Sprintf("%d recordings joined into one: all were read", v.joined))
	}
	if v.lost > 0 {
		clip.Warnings = append(clip.Warnings, fmt.Sprintf("%s are missing in between (%.1f %%)",
			secondsOf(v.lost, v.rate), 100*float64(v.lost)/float64(v.lost+have)))
	}
	if v.damaged > 0 {
		clip.Warnings = append(clip.Warnings, fmt.Sprintf("%d packets are damaged and were left out", v.damaged))
	}
	if v.skipped > 0 {
		clip.Warnings = append(clip.Warnings, fmt.Sprintf("%d bytes are damaged or no Ogg and were left out", v.skipped))
	}
	if !v.ended {
		clip.Warnings = append(clip.Warnings, fmt.Sprintf("cut short after %s; how much is missing is not known", secondsOf(have, v.rate)))
	}
	return clip, nil
}

// sensibleCodebooks walks the codebooks of a setup header (Vorbis I, section 3.2.1) and refuses what jfreymuth/vorbis 1.0.2 would
// take gigabytes of memory or for ever to read: books without entries or dimensions, of absurd size, or cut short.
func sensibleCodebooks(r *vorbisBits) bool {
	total := 0
	for range r.take(8) + 1 {
		if r.take(24) != 0x564342 {
			return false
		}
		dimensions, entries := r.take(16), r.take(24)
		if total += entries * dimensions; entries < 1 || dimensions < 1 || dimensions > 1024 || total > 1<<22 {
			return false
		}
		used := 0
		if ordered := r.take(1) == 1; ordered {
			length := r.take(5) + 1
			for ; used < entries; length++ {
				n := r.take(bits.Len(uint(entries - used)))
				if used += n; r.over || length > 32 || used > entries {
					return false
				}
			}
		} else {
			sparse := r.take(1) == 1
			for range entries {
				if !sparse || r.take(1) == 1 {
					r.take(5)
					used++
				}
				if r.over {
					return false
				}
			}
		}
		lookup := r.take(4)
		if used == 0 || lookup > 2 {
			return false
		}
		if lookup > 0 {
			r.take(32)
			r.take(32)
			width := r.take(4) + 1
			r.take(1)
			values := entries * dimensions
			if lookup == 1 {
				values = quantValues(entries, dimensions)
			}
			r.skip(values * width)
		}
		if r.over {
			return false
		}
	}
	return true
}

// sensibleResidues walks on through the setup header, over the time domain transforms and the floors (sections 4.2.4, 6.2.1 and 7.2.2), and refuses
// residues (8.6.1) that end before they begin: jfreymuth/vorbis 1.0.2 takes what lies between for four billion values.
func sensibleResidues(r *vorbisBits) bool {
	for range r.take(6) + 1 {
		r.take(16)
	}
	for range r.take(6) + 1 {
		switch r.take(16) {
		case 0:
			r.skip(8 + 16 + 16 + 6 + 8)
			r.skip(8 * (r.take(4) + 1))
		case 1:
			skipFloor1(r)
		default:
			return false
		}
		if r.over {
			return false
		}
	}
	for range r.take(6) + 1 {
		r.take(16)
		begin, end := r.take(24), r.take(24)
		r.take(24)
		classes := r.take(6) + 1
		r.take(8)
		books := 0
		for range classes {
			cascade := r.take(3)
			if r.take(1) == 1 {
				cascade |= r.take(5) << 3
			}
			books += bits.OnesCount(uint(cascade))
		}
		r.skip(8 * books)
		if r.over || end < begin {
			return false
		}
	}
	return true
}

// skipFloor1 skips a floor of type 1.
func skipFloor1(r *vorbisBits) {
	partitions := make([]int, r.take(5))
	most := 0 // as jfreymuth/vorbis reads it: a floor without partitions has a class
	for i := range partitions {
		partitions[i] = r.take(4)
		most = max(most, partitions[i])
	}
	dimensions := make([]int, most+1)
	for i := range dimensions {
		dimensions[i] = r.take(3) + 1
		subclasses := r.take(2)
		if subclasses > 0 {
			r.take(8)
		}
		r.skip(8 << subclasses)
	}
	r.take(2)
	width := r.take(4)
	for _, class := range partitions {
		r.skip(dimensions[class] * width)
	}
}

// quantValues is the largest number whose power of dimensions is not above entries.
func quantValues(entries, dimensions int) int {
	for n := 1; ; n++ {
		power := 1
		for range dimensions {
			if power *= n + 1; power > entries {
				return n
			}
		}
	}
}

// vorbisBits reads numbers from the lowest bit of each byte on.
type vorbisBits struct {
	b    []byte
	at   int
	over bool
}

func (r *vorbisBits) take(n int) (v int) {
	for i := range n {
		if r.at>>3 >= len(r.b) {
			r.over = true
			return 0
		}
		v |= int(r.b[r.at>>3]>>(r.at&7)&1) << i
		r.at++
	}
	return v
}

func (r *vorbisBits) skip(n int) {
	r.at += n
	r.over = r.over || r.at > 8*len(r.b)
}
