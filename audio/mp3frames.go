package audio

import (
	"fmt"
	"io"
	"iter"

	"github.com/hajimehoshi/go-mp3"
)

// mp3Decoder decodes frame by frame with go-mp3. A frame's data may begin in the frames before it (the bit reservoir), which
// version 0.3.4 gets wrong in two ways: at the beginning of a piece cut out of a longer recording it decodes bytes that are
// not the frame's, and at 22.05 kHz it miscounts padded frames, after which the reservoir is off by a byte. So the reservoir
// is kept here, and each frame is laid out anew in the largest frame of its kind: data as early as its format allows,
// which always fits where it did before. A frame that cannot be decoded gives silence of its length.
//
// Two kinds of frames it decodes wrongly without a word. Of intensity stereo it takes the wrong channel's scale factors and leaves
// one side silent above some frequency; of mixed blocks in MPEG 2 it takes the tables of another kind.
type mp3Decoder struct {
	dec  *mp3.Decoder
	feed byteFeed

	reservoir []byte // the last data of the frames so far
	held      *mp3Slot
	good      int64 // frames that were decoded
	damaged   int64 // frames that were not
	foreign   int64 // of those, frames of a kind that go-mp3 decodes wrongly
}

// mp3Slot is a frame as go-mp3 gets it. Its data stands at the beginning, unless it began in the slot before; what is left
// is for the next frame.
type mp3Slot struct {
	head    mp3Header
	side    []byte
	data    []byte
	used    int // bytes of data
	borrows int // bytes of the slot before that hold the beginning
	damaged bool
}

// byteFeed is a reader of whatever bytes are put into it.
type byteFeed struct{ b []byte }

func (f *byteFeed) Read(p []byte) (int, error) {
	if len(f.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, f.b)
	f.b = f.b[n:]
	return n, nil
}

func (d *mp3Decoder) reset() {
	d.dec, d.feed.b, d.reservoir, d.held = nil, nil, d.reservoir[:0], nil
}

// push takes a frame and returns the sound of the one before it, 16-bit stereo.
func (d *mp3Decoder) push(h mp3Header, frame []byte) []byte {
	b := frame[4:]
	if h.checked() {
		b = b[2:]
	}
	side, own := append([]byte(nil), b[:h.sideBytes()]...), b[h.sideBytes():]
	begin, need := sideLengths(h, side)
	var data []byte
	foreign := h.intensity() || h.version != 1 && hasMixedBlocks(h, side)
	if foreign {
		d.foreign++
	}
	damaged := foreign || begin > len(d.reservoir)
	if !damaged {
		data = append(data, d.reservoir[len(d.reservoir)-begin:]...)
		data = append(data, own...)
		if damaged = need > len(data); !damaged {
			data = data[:need]
		}
	}
	if damaged {
		data = nil
		clear(side)
	}
	d.reservoir = append(d.reservoir, own...)
	d.reservoir = append(d.reservoir[:0], d.reservoir[max(0, len(d.reservoir)-511):]...)
	return d.lay(h, side, data, damaged)
}

// pushSilence is push for a frame that was not there, to bring out the end of the one before.
func (d *mp3Decoder) pushSilence(h mp3Header) []byte {
	d.lay(h, make([]byte, h.sideBytes()), nil, false)
	d.good--
	return d.flush()
}

// lay finds the room for a frame's data and decodes the slot before, which is complete now.
func (d *mp3Decoder) lay(h mp3Header, side, data []byte, damaged bool) []byte {
	slot := &mp3Slot{head: h, side: side, damaged: damaged, data: make([]byte, slotBytes(h)-4-len(side))}
	if before := d.held; before != nil && len(data) > 0 {
		furthest := 511
		if h.version != 1 {
			furthest = 255
		}
		room := before.data[max(before.used, len(before.data)-furthest):]
		slot.borrows = min(len(room), len(data))
		if slot.borrows == len(data) {
			before.used = len(before.data) - len(room) + len(data)
		}
		// Data that fits wholly still ends where it is looked for: it begins borrows bytes before the end.
		copy(room, data[:slot.borrows])
		if slot.borrows < len(room) {
			slot.borrows = len(room)
		}
		data = data[min(len(data), slot.borrows):]
	}
	if len(data) > len(slot.data) { // only where the frames before it were damaged
		slot.damaged, data = true, nil
		clear(slot.side)
		slot.borrows = 0
	}
	slot.used = copy(slot.data, data)
	pcm := d.flush()
	d.held = slot
	return pcm
}

// flush decodes the frame that is held.
func (d *mp3Decoder) flush() []byte {
	slot := d.held
	if slot == nil {
		return nil
	}
	d.held = nil
	if !slot.damaged {
		if pcm, err := d.decode(slot); err == nil {
			d.good++
			return pcm
		}
		d.dec = nil
	}
	// Silence; the decoder still has to see the slot for what the next frame borrows of it.
	d.damaged++
	clear(slot.side)
	slot.borrows = 0
	pcm, err := d.decode(slot)
	if err != nil {
		d.dec = nil
		return make([]byte, 4*slot.head.samples())
	}
	return pcm
}

// decode gives a slot to go-mp3. A panic there is an error here.
func (d *mp3Decoder) decode(s *mp3Slot) (pcm []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("a frame that the decoder stumbles over (%v)", r)
		}
	}()
	if s.borrows > 0 && d.dec == nil {
		return nil, fmt.Errorf("a frame whose beginning is lost")
	}
	if s.head.version == 1 {
		s.side[0], s.side[1] = byte(s.borrows>>1), s.side[1]&0x7f|byte(s.borrows<<7)
	} else {
		s.side[0] = byte(s.borrows)
	}
	head := slotHeader(s.head)
	d.feed.b = append(append(append([]byte(nil), byte(head>>24), byte(head>>16), byte(head>>8), byte(head)), s.side...), s.data...)
	if d.dec == nil {
		if d.dec, err = mp3.NewDecoder(&d.feed); err != nil {
			return nil, err
		}
	}
	pcm = make([]byte, 4*s.head.samples())
	if _, err := io.ReadFull(d.dec, pcm); err != nil {
		return nil, err
	}
	return pcm, nil
}

// slotHeader is the header of the largest frame of the kind: the highest bit rate, no checksum, no padding. The frames of
// "MPEG 2.5" at 11.025 and 12 kHz are those of MPEG 2 at 16 kHz in all but name.
func slotHeader(h mp3Header) uint32 {
	head := h.bits&^(0xf<<12|1<<9) | 14<<12 | 1<<16
	if h.version == 25 {
		head = head&^(3<<19|3<<10) | 2<<19 | 2<<10
	}
	return head
}

// slotBytes is the length of that frame.
func slotBytes(h mp3Header) int {
	switch h.version {
	case 1:
		return 144 * 320000 / h.rate
	case 2:
		return 72 * 160000 / h.rate
	}
	return 72 * 160000 / 16000
}

// sideLengths reads from the side information how many bytes before the frame its data begins, and how long it is.
func sideLengths(h mp3Header, side []byte) (begin, need int) {
	begin = sideBits(side, 0, 9)
	if h.version != 1 {
		begin = sideBits(side, 0, 8)
	}
	total := 0
	for at := range h.granules() {
		total += sideBits(side, at, 12)
	}
	return begin, (total + 7) / 8
}

// granules gives where in the side information the fields of each granule and channel begin, in bits.
func (h mp3Header) granules() iter.Seq[int] {
	channels, granules := 2, 2
	if h.mono {
		channels = 1
	}
	at, each := 9+3+4*channels, 59
	if h.mono {
		at += 2
	}
	if h.version != 1 {
		granules, at, each = 1, 8+channels, 63
	}
	return func(yield func(int) bool) {
		for i := range channels * granules {
			if !yield(at + i*each) {
				return
			}
		}
	}
}

// hasMixedBlocks reports whether a frame of MPEG 2 has short blocks whose lowest bands are long.
func hasMixedBlocks(h mp3Header, side []byte) bool {
	for at := range h.granules() {
		at += 12 + 9 + 8 + 9
		if sideBits(side, at, 1) == 1 && sideBits(side, at+1, 2) == 2 && sideBits(side, at+3, 1) == 1 {
			return true
		}
	}
	return false
}

// sideBits reads n bits from a place.
func sideBits(side []byte, at, n int) (v int) {
	for i := at; i < at+n; i++ {
		v = v<<1 | int(side[i/8]>>(7-i%8)&1)
	}
	return v
}
