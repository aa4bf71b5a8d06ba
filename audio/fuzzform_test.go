package audio

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/starvc/vc/internal/bounded"
)

// What follows changes whole files, whose parts a fuzzer does not hit upon by bytes alone, by a list of edits. An edit is four bytes: what
// to do, where, as a share of the file, and with what.

const (
	editFlip = iota
	editAdd  // to a byte
	editWord // four bytes become a number that is at an edge
	editDrop
	editDouble
	editEnd
	editKinds
)

var edges = []uint32{0, 1, 0x7f, 0xff, 0x100, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 1 << 24, 1 << 16, 12, 8, 4}

// edited carries out a list of edits.
func edited(file, edits []byte) []byte {
	file = slices.Clone(file)
	for ; len(edits) >= 4; edits = edits[4:] {
		if len(file) < 8 || len(file) > 1<<17 {
			break
		}
		// Half of the places are in the first 128 bytes, where headers are.
		at := int(edits[1])<<8 | int(edits[2])
		if at&1 == 0 {
			at = at / 2 % min(len(file)-4, 128)
		} else {
			at = at * (len(file) - 4) >> 16
		}
		n := min(int(edits[3])*int(edits[3])/16+1, len(file)-at)
		switch edits[0] % editKinds {
		case editFlip:
			file[at] ^= edits[3]
		case editAdd:
			file[at] += edits[3]
		case editWord:
			word := edges[edits[3]%16]
			if edits[3]&16 == 0 {
				binary.LittleEndian.PutUint32(file[at:], word)
			} else {
				binary.BigEndian.PutUint32(file[at:], word)
			}
		case editDrop:
			file = slices.Delete(file, at, at+n)
		case editDouble:
			file = slices.Insert(file, at, slices.Clone(file[at:at+n])...)
		case editEnd:
			file = file[:at+4]
		}
	}
	return file
}

// fuzzEdited decodes files that were edited and then mended.
func fuzzEdited(f *testing.F, seeds [][]byte, mend func([]byte) []byte) {
	log.SetOutput(io.Discard)
	for i := range seeds {
		f.Add(byte(i), []byte{})
		f.Add(byte(i), []byte{editWord, 0, 16, 10, editFlip, 1, 1, 255, editDrop, 2, 1, 3, editDouble, 128, 3, 40})
	}
	f.Fuzz(func(t *testing.T, which byte, edits []byte) {
		if len(edits) > 64 {
			return
		}
		file := edited(seeds[int(which)%len(seeds)], edits)
		if mend != nil {
			file = mend(file)
		}
		var c Clip
		var err error
		bounded.Allocates(t, bounded.Beyond, func() { c, err = decode(bytes.NewReader(file), fuzzLimit) })
		checkDecoded(t, c, err)
		bounded.Allocates(t, bounded.Beyond, func() { readTagsOf(t, file) })
	})
}

// readTagsOf reads the tags of a file in memory, all ways of it.
func readTagsOf(t *testing.T, file []byte) {
	var tags Tags
	r := bytes.NewReader(file)
	at := readID3(&tags, r, 0)
	readInfo(&tags, r, at)
	readFLACComments(&tags, r, at)
	readOggComments(&tags, bytes.NewReader(file))
	readID3v1(&tags, r, int64(len(file)))
	for _, tag := range tags {
		if tag.Name == "" {
			t.Errorf("a tag without a name: %q", tag.Value)
		}
	}
}

// FuzzWAVForm also holds the decoder to its word: of sound that is there, no more than a hundredth is left out without a warning, whatever
// the lengths in the headers say.
func FuzzWAVForm(f *testing.F) {
	x := slices.Repeat(pcm16(100, -200, 300, -400), 100)
	seeds := [][]byte{
		riffFile(fmtChunk(tagPCM, 1, 16000, 16), chunk("data", x)),
		riffFile(fmtChunk(tagPCM, 2, 48000, 24), chunk("LIST", []byte("INFOINAM\x04\x00\x00\x00talk")), chunk("data", x[:600])),
		riffFile(extensibleChunk(tagFloat, 1, 44100, 32, 32, extensibleTail), chunk("fact", le(uint32(200))), chunk("data", x)),
		riffFile(extensibleChunk(tagPCM, 6, 44100, 16, 16, extensibleTail), chunk("data", x[:768])),
		slices.Concat([]byte("RF64"), le(uint32(1<<32-1)), []byte("WAVE"), chunk("ds64", le(uint64(900), uint64(len(x)), uint64(len(x)/2), uint32(0))),
			fmtChunk(tagPCM, 1, 16000, 16), dataHeader(1<<32-1), x),
		slices.Concat(riffFile(fmtChunk(tagPCM, 1, 16000, 16), chunk("data", x)), riffFile(fmtChunk(tagPCM, 1, 16000, 16), chunk("data", x))),
	}
	fuzzEdited(f, seeds, nil)
}

// FuzzWAVLengths gives lengths that are not true to sound that is.
func FuzzWAVLengths(f *testing.F) {
	f.Add(uint32(836), uint32(800), uint64(800), uint64(400), uint32(400), uint16(2), uint32(32000), false)
	f.Add(uint32(0xffffffff), uint32(0xffffffff), uint64(0), uint64(7), uint32(0), uint16(0), uint32(0), true)
	f.Add(uint32(0), uint32(0), uint64(1<<63), uint64(1<<62), uint32(9), uint16(4), uint32(1), true)
	f.Fuzz(func(t *testing.T, riff, data uint32, data64, frames64 uint64, fact uint32, block uint16, bytesPerSecond uint32, long bool) {
		x := slices.Repeat(pcm16(1000, -2000, 3000, -4000), 100)
		format := fmtChunk(tagPCM, 1, 16000, 16)
		binary.LittleEndian.PutUint32(format[chunkHeader+8:], bytesPerSecond)
		if block == 1 || block == 2 || block == 0 {
			binary.LittleEndian.PutUint16(format[chunkHeader+12:], block)
		}
		magic, ds64 := []byte("RIFF"), []byte(nil)
		if long {
			magic, ds64 = []byte("RF64"), chunk("ds64", le(uint64(riff), data64, frames64, uint32(0)))
		}
		file := slices.Concat(magic, le(riff), []byte("WAVE"), ds64, format, chunk("fact", le(fact)), dataHeader(data), x)
		var c Clip
		var err error
		bounded.Allocates(t, bounded.Beyond, func() { c, err = decode(bytes.NewReader(file), fuzzLimit) })
		checkDecoded(t, c, err)
		if err == nil && c.Warnings == nil && len(c.Samples) < 396 {
			t.Errorf("%d of 400 samples without a word", len(c.Samples))
		}
	})
}

func FuzzFLACForm(f *testing.F) {
	x := sine16(2000, 0.05)
	seeds := [][]byte{encodeFLAC(f, 24000, x), encodeFLAC(f, 16000, x, x)}
	for _, bits := range []int{8, 16, 24, 32} {
		frame := flacFrame{bitsCode: map[int]byte{8: 1, 16: 4, 24: 6, 32: 7}[bits], bits: bits, channels: [][]int32{x[:20], x[:20]}, channelCode: 1}
		seeds = append(seeds, flacFile(48000, 2, bits, 0, frame.bytes()), flacFile(48000, 2, bits, 40, slices.Concat(frame.bytes(), frame.bytes())))
	}
	fuzzEdited(f, seeds, func(file []byte) []byte {
		if len(file)%2 == 0 {
			return file
		}
		return mendFLAC(file)
	})
}

func FuzzMP3Form(f *testing.F) {
	var seeds [][]byte
	for _, c := range codedFiles {
		file := coded(f, c.name+".mp3")
		seeds = append(seeds, file[:min(len(file), 3000)])
	}
	fuzzEdited(f, seeds, nil)
}

func FuzzOggForm(f *testing.F) {
	var seeds [][]byte
	for _, c := range codedFiles {
		seeds = append(seeds, coded(f, c.name+".ogg"))
	}
	fuzzEdited(f, seeds, func(file []byte) []byte {
		if len(file)%4 > 0 {
			mendOgg(file)
		}
		return file
	})
}

// FuzzPieces reads in pieces, with the channels apart, what Decode reads whole.
func FuzzPieces(f *testing.F) {
	log.SetOutput(io.Discard)
	six := slices.Repeat(pcm16(100, -200, 300, -400, 500, -600), 900)
	f.Add(riffFile(extensibleChunk(tagPCM, 6, 44100, 16, 16, extensibleTail), chunk("data", six)))
	f.Add(riffFile(fmtChunk(tagPCM, 2, 48000, 16), chunk("data", six)))
	f.Add(coded(f, "speech11.mp3")[:2000])
	f.Fuzz(func(t *testing.T, file []byte) {
		path := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", "")
		c, whole := decode(bytes.NewReader(file), MaxSamples)
		var frames int64
		sides := 0
		heard, err := Pieces{
			Apart: true, Channels: MaxKept,
			Begin: func(h Heard) error { frames, sides = 0, h.Sides; return nil },
			Take: func(x [][]float32) error {
				if len(x) != sides {
					t.Errorf("%d sides, %d were announced", len(x), sides)
				}
				frames += int64(len(x[0]))
				return nil
			},
		}.ReadFile(context.Background(), path)
		if (err == nil) != (whole == nil) {
			t.Fatalf("in pieces: %v, whole: %v", err, whole)
		}
		if err == nil && (heard.Frames != frames || frames != int64(len(c.Samples)) || heard.Rate != c.Rate) {
			t.Errorf("%d frames came, %d were said, %d were read whole", frames, heard.Frames, len(c.Samples))
		}
	})
}
