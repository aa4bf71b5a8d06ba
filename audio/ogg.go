package audio

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
)

// maxOggPacket bounds a packet; those of Vorbis have a few kilobytes.
const maxOggPacket = 1 << 24

// oggPage is one page of an Ogg stream (RFC 3533, section 6).
type oggPage struct {
	flags    byte
	granule  int64 // the position after its last whole packet, -1 for none
	serial   uint32
	sequence uint32
	segments []byte
	body     []byte
}

const (
	oggContinued = 1
	oggFirst     = 2
	oggLast      = 4

	oggHeader = 27
)

// readOggPage finds the next page whose checksum is right, and counts the bytes it passes over. A page at the end that is
// cut short comes with io.ErrUnexpectedEOF, with the packets that are whole.
func readOggPage(br *bufio.Reader) (p oggPage, skipped int64, err error) {
	for {
		if n := tagBytes(br); n > 0 {
			br.Discard(n)
			continue
		}
		head, err := br.Peek(oggHeader)
		if len(head) == 0 {
			return p, skipped, err
		}
		if !bytes.HasPrefix(head, []byte("OggS")) {
			br.Discard(1)
			skipped++
			continue
		}
		if len(head) < oggHeader {
			return p, skipped, unexpected(err)
		}
		n := oggHeader + int(head[26])
		head, err = br.Peek(n)
		if err != nil {
			return p, skipped, unexpected(err)
		}
		for _, s := range head[oggHeader:] {
			n += int(s)
		}
		whole, err := br.Peek(n)
		if err == nil && oggChecksum(whole) == binary.LittleEndian.Uint32(whole[22:]) {
			whole = bytes.Clone(whole)
			br.Discard(n)
			segments := oggHeader + int(whole[26])
			return oggPage{whole[5], int64(binary.LittleEndian.Uint64(whole[6:])), binary.LittleEndian.Uint32(whole[14:]),
				binary.LittleEndian.Uint32(whole[18:]), whole[oggHeader:segments], whole[segments:]}, skipped, nil
		}
		if err != nil && err != io.EOF {
			return p, skipped, err
		}
		if err == io.EOF && !bytes.Contains(whole[4:], []byte("OggS")) {
			return cutPage(whole), skipped, io.ErrUnexpectedEOF
		}
		br.Discard(4)
		skipped += 4
	}
}

// cutPage gives the whole packets of a page that the end of the file cuts short.
func cutPage(b []byte) oggPage {
	segments := oggHeader + int(b[26])
	body, n, whole := b[segments:], 0, 0
	for i, s := range b[oggHeader:segments] {
		if n += int(s); n > len(body) {
			break
		}
		whole = i + 1
	}
	return oggPage{b[5] &^ oggLast, -1, binary.LittleEndian.Uint32(b[14:]), binary.LittleEndian.Uint32(b[18:]),
		bytes.Clone(b[oggHeader : oggHeader+whole]), bytes.Clone(body)}
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// oggChecksum is the checksum of a page with its own field taken for 0: x^32 + x^26 + x^23 + ... as in RFC 3533, not
// reflected.
func oggChecksum(page []byte) (crc uint32) {
	for i, b := range page {
		if i >= 22 && i < 26 {
			b = 0
		}
		crc = crc<<8 ^ oggTable[byte(crc>>24)^b]
	}
	return crc
}

var oggTable = func() (table [256]uint32) {
	for i := range table {
		crc := uint32(i) << 24
		for range 8 {
			if crc&(1<<31) != 0 {
				crc = crc<<1 ^ 0x04c11db7
			} else {
				crc <<= 1
			}
		}
		table[i] = crc
	}
	return table
}()

// packets cuts the page into packets. rest is the beginning of one that an earlier page left, and becomes that of this page.
// broken says that the beginning of the first packet is lost.
func (p *oggPage) packets(rest []byte, broken bool) (whole [][]byte, left []byte) {
	body := p.body
	packet := rest
	drop := p.flags&oggContinued != 0 && (broken || rest == nil)
	if p.flags&oggContinued == 0 {
		packet = nil
	}
	for _, s := range p.segments {
		if len(packet) < maxOggPacket {
			packet = append(packet, body[:s]...)
		}
		body = body[s:]
		if s < 255 {
			if !drop {
				whole = append(whole, packet)
			}
			packet, drop = nil, false
		}
	}
	if drop {
		packet = nil
	}
	return whole, packet
}
