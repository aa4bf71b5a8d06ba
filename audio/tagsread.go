package audio

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
	"unicode/utf16"
)

// ReadTags returns what the file at path says of its sound: the LIST/INFO of a WAV, Vorbis comments of FLAC, Ogg Vorbis and Opus,
// ID3 before or behind anything, and what an ffmpeg on the PATH finds in other formats. Tags are never an error: what cannot be read
// is left out. Pictures are not kept.
func ReadTags(ctx context.Context, path string) Tags {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	var t Tags
	at := readID3(&t, f, 0)
	head := make([]byte, sniffBytes)
	n, _ := f.ReadAt(head, at)
	switch kind := sniff(head[:n]); kind {
	case kindWAV:
		readInfo(&t, f, at)
	case kindFLAC:
		readFLACComments(&t, f, at)
	case kindOgg:
		readOggComments(&t, io.NewSectionReader(f, at, 1<<62))
	case kindMP3:
		readID3v1(&t, f, info.Size())
	default:
		if at > 0 || kind == "" {
			readID3v1(&t, f, info.Size())
		} else if program, err := exec.LookPath("ffmpeg"); err == nil {
			readForeign(ctx, &t, program, path)
		}
	}
	return t
}

// mostTagRead bounds how much of one block of tags is read.
const mostTagRead = 1 << 22

// readBlock reads up to n bytes at an offset.
func readBlock(f io.ReaderAt, at, n int64) []byte {
	b := make([]byte, min(n, mostTagRead))
	have, _ := f.ReadAt(b, at)
	return b[:have]
}

// readInfo walks the chunks of a WAV.
func readInfo(t *Tags, f io.ReaderAt, at int64) {
	if string(readBlock(f, at, 4)) == "riff" {
		return // Wave64 has other chunks
	}
	at += 12
	data64 := int64(-1)
	for range maxChunks {
		head := readBlock(f, at, chunkHeader)
		if len(head) < chunkHeader {
			return
		}
		size := int64(binary.LittleEndian.Uint32(head[4:]))
		at += chunkHeader
		switch string(head[:4]) {
		case "ds64":
			if b := readBlock(f, at, 16); len(b) == 16 {
				data64 = int64(binary.LittleEndian.Uint64(b[8:]) & (1<<62 - 1))
			}
		case "data":
			if size == 1<<32-1 && data64 >= 0 {
				size = data64
			} else if size >= 1<<32-1 {
				return
			}
		case "id3 ", "ID3 ":
			readID3(t, f, at)
		case "LIST":
			b := readBlock(f, at, size)
			if !bytes.HasPrefix(b, []byte("INFO")) {
				break
			}
			for b = b[4:]; len(b) >= chunkHeader; {
				n := int(min(int64(binary.LittleEndian.Uint32(b[4:])), int64(len(b)-chunkHeader)))
				for _, pair := range infoNames {
					if pair[0] == string(b[:4]) {
						t.add(pair[1], strings.TrimRight(plainText(b[chunkHeader:chunkHeader+n]), "\x00"))
					}
				}
				b = b[min(len(b), chunkHeader+n+n%2):]
			}
		}
		at += size + size%2
	}
}

// plainText reads bytes whose coding is not given: UTF-8 if they can be, else Latin-1.
func plainText(b []byte) string {
	if text := string(b); strings.ToValidUTF8(text, "") == text {
		return text
	}
	return latin1(b)
}

func latin1(b []byte) string {
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
	}
	return string(runes)
}

// readFLACComments walks the blocks before the sound (RFC 9639, section 8).
func readFLACComments(t *Tags, f io.ReaderAt, at int64) {
	at += 4
	for range maxChunks {
		head := readBlock(f, at, 4)
		if len(head) < 4 {
			return
		}
		size := int64(head[1])<<16 | int64(head[2])<<8 | int64(head[3])
		if head[0]&0x7f == 4 {
			readComments(t, readBlock(f, at+4, size))
		}
		if head[0]&0x80 != 0 {
			return
		}
		at += 4 + size
	}
}

// readComments reads Vorbis comments (Vorbis I, section 5).
func readComments(t *Tags, b []byte) {
	next := func() ([]byte, bool) {
		if len(b) < 4 {
			return nil, false
		}
		n := int64(binary.LittleEndian.Uint32(b))
		if n > int64(len(b)-4) {
			return nil, false
		}
		field := b[4 : 4+n]
		b = b[4+n:]
		return field, true
	}
	if _, ok := next(); !ok || len(b) < 4 { // the vendor
		return
	}
	count := binary.LittleEndian.Uint32(b)
	b = b[4:]
	for ; count > 0; count-- {
		field, ok := next()
		if !ok {
			return
		}
		if name, value, ok := strings.Cut(string(field), "="); ok {
			t.add(name, value)
		}
	}
}

// readOggComments reads the second packet of the first stream that has comments there.
func readOggComments(t *Tags, r io.Reader) {
	br := bufio.NewReaderSize(r, readAhead)
	type stream struct {
		rest    []byte
		packets int
	}
	streams := map[uint32]*stream{}
	for range 300 {
		page, _, err := readOggPage(br)
		if err != nil || page.granule > 0 {
			return
		}
		s := streams[page.serial]
		if s == nil {
			if len(streams) == 16 {
				return
			}
			s = &stream{}
			streams[page.serial] = s
		}
		var whole [][]byte
		whole, s.rest = page.packets(s.rest, false)
		for _, packet := range whole {
			if s.packets++; s.packets != 2 {
				continue
			}
			for _, magic := range []string{"\x03vorbis", "OpusTags"} {
				if b, ok := bytes.CutPrefix(packet, []byte(magic)); ok {
					readComments(t, b)
					return
				}
			}
		}
	}
}

// readID3v1 reads the 128 bytes at the end of a file.
func readID3v1(t *Tags, f io.ReaderAt, size int64) {
	b := readBlock(f, max(0, size-128), 128)
	if len(b) < 128 || !bytes.HasPrefix(b, []byte("TAG")) {
		return
	}
	for _, field := range []struct {
		name     string
		from, to int
	}{{"TITLE", 3, 33}, {"ARTIST", 33, 63}, {"ALBUM", 63, 93}, {"DATE", 93, 97}, {"COMMENT", 97, 125}} {
		if t.Get(field.name) == "" {
			text, _, _ := strings.Cut(plainText(b[field.from:field.to]), "\x00")
			t.add(field.name, text)
		}
	}
}

// id3Names are frames of ID3v2.2, 2.3 and 2.4.
var id3Names = map[string]string{
	"TIT2": "TITLE", "TPE1": "ARTIST", "TPE2": "ALBUMARTIST", "TALB": "ALBUM", "TDRC": "DATE", "TYER": "DATE", "TCON": "GENRE",
	"TRCK": "TRACKNUMBER", "TPOS": "DISCNUMBER", "TCOP": "COPYRIGHT", "TLAN": "LANGUAGE", "TCOM": "COMPOSER", "TPUB": "PUBLISHER",
	"TT2": "TITLE", "TP1": "ARTIST", "TP2": "ALBUMARTIST", "TAL": "ALBUM", "TYE": "DATE", "TCO": "GENRE", "TRK": "TRACKNUMBER",
	"TCR": "COPYRIGHT", "TCM": "COMPOSER", "TPB": "PUBLISHER",
}

// readID3 reads the ID3v2 tags that begin at an offset, and returns where they end (id3.org, versions 2.2 to 2.4).
func readID3(t *Tags, f io.ReaderAt, at int64) int64 {
	for range 16 {
		head := readBlock(f, at, 10)
		if len(head) < 10 || !bytes.HasPrefix(head, []byte("ID3")) || head[6]|head[7]|head[8]|head[9] >= 0x80 {
			return at
		}
		n := int64(id3Bytes(head))
		body := readBlock(f, at+10, n-10)
		version, flags := head[3], head[5]
		if flags&0x80 != 0 && version < 4 {
			body = bytes.ReplaceAll(body, []byte{0xff, 0}, []byte{0xff})
		}
		if flags&0x40 != 0 && version > 2 && len(body) >= 4 { // an extended header
			skip := int64(binary.BigEndian.Uint32(body)) + 4
			if version == 4 {
				skip = syncsafe(body)
			}
			body = body[min(int64(len(body)), skip):]
		}
		readID3Frames(t, version, body)
		at += n
	}
	return at
}

func syncsafe(b []byte) int64 {
	return int64(b[0]&0x7f)<<21 | int64(b[1]&0x7f)<<14 | int64(b[2]&0x7f)<<7 | int64(b[3]&0x7f)
}

func readID3Frames(t *Tags, version byte, b []byte) {
	nameBytes, headBytes := 4, 10
	if version == 2 {
		nameBytes, headBytes = 3, 6
	}
	for len(b) > headBytes && b[0] != 0 {
		name := string(b[:nameBytes])
		var size int64
		switch version {
		case 2:
			size = int64(b[3])<<16 | int64(b[4])<<8 | int64(b[5])
		case 4:
			size = syncsafe(b[4:])
		default:
			size = int64(binary.BigEndian.Uint32(b[4:]))
		}
		if size > int64(len(b)-headBytes) {
			return
		}
		body := b[headBytes : int64(headBytes)+size]
		plain := true
		switch {
		case version == 3:
			plain = b[9]&0xc0 == 0 // not compressed, nor encrypted
		case version == 4:
			plain = b[9]&0x0c == 0
			if b[9]&0x01 != 0 && len(body) >= 4 {
				body = body[4:]
			}
		}
		b = b[int64(headBytes)+size:]
		if !plain || len(body) < 2 {
			continue
		}
		coding, body := body[0], body[1:]
		switch known := id3Names[name]; {
		case known != "":
			t.add(known, strings.ReplaceAll(strings.Trim(id3Text(coding, body), "\x00"), "\x00", "; "))
		case (name == "COMM" || name == "COM") && len(body) > 3:
			if about, text := id3Pair(coding, body[3:]); !strings.HasPrefix(about, "iTun") {
				t.add("COMMENT", strings.Trim(text, "\x00"))
			}
		case name == "TXXX" || name == "TXX":
			about, text := id3Pair(coding, body)
			t.add(about, strings.Trim(text, "\x00"))
		}
	}
}

// id3Pair reads a description and, behind its end, a text.
func id3Pair(coding byte, b []byte) (about, text string) {
	if coding != 1 && coding != 2 {
		before, after, _ := bytes.Cut(b, []byte{0})
		return id3Text(coding, before), id3Text(coding, after)
	}
	for i := 0; i+1 < len(b); i += 2 {
		if b[i] == 0 && b[i+1] == 0 {
			return id3Text(coding, b[:i]), id3Text(coding, b[i+2:])
		}
	}
	return "", id3Text(coding, b)
}

func id3Text(coding byte, b []byte) string {
	switch coding {
	case 0:
		return plainText(b) // Latin-1 by the book, UTF-8 in many files
	case 1, 2:
		order := binary.ByteOrder(binary.BigEndian)
		if len(b) >= 2 && b[0] == 0xff && b[1] == 0xfe {
			order = binary.LittleEndian
		}
		var units []uint16
		for ; len(b) >= 2; b = b[2:] {
			if u := order.Uint16(b); u != 0xfeff {
				units = append(units, u)
			}
		}
		return string(utf16.Decode(units))
	}
	return string(b)
}

// readForeign asks an ffmpeg for the tags of a file, in the form that its documentation calls ffmetadata.
func readForeign(ctx context.Context, t *Tags, program, path string) {
	ctx, cancel := context.WithTimeout(ctx, ffmpegPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "-nostdin", "-hide_banner", "-v", "error", "-protocol_whitelist", "file,pipe",
		"-i", "file:"+path, "-f", "ffmetadata", "pipe:1")
	out := &firstBytes{most: mostTagRead}
	cmd.Stdout = out
	cmd.WaitDelay = time.Second
	ownGroup(cmd)
	cmd.Cancel = func() error { return endGroup(cmd) }
	if cmd.Run() != nil {
		return
	}
	readFFMetadata(t, string(out.b))
}

// readFFMetadata reads the lines before the first section. A backslash takes the meaning off what follows it.
func readFFMetadata(t *Tags, text string) {
	var name *string
	var b strings.Builder
	end := func() {
		if name != nil {
			own := *name
			for tag, theirs := range ffmpegNames {
				if strings.EqualFold(own, theirs) {
					own = tag
				}
			}
			t.add(own, b.String())
		}
		name = nil
		b.Reset()
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case c == '=' && name == nil:
			key := b.String()
			name = &key
			b.Reset()
		case c == '\n':
			end()
		case c == '[' && name == nil && b.Len() == 0:
			return
		default:
			b.WriteByte(c)
		}
	}
	end()
}
