package audio

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestMarked(t *testing.T) {
	tests := []struct {
		name string
		in   Tags
		want Tags
	}{
		{"none", nil, Tags{{"COMMENT", "voice converted to ann by vc v2"}, {"ENCODER", "vc v2"}}},
		{"kept and dropped", Tags{{"TITLE", "x"}, {"ENCODER", "Lavf"}, {"ITUNSMPB", "0"}, {"REPLAYGAIN_TRACK_GAIN", "1 dB"}, {"COMMENT", "mine"}},
			Tags{{"TITLE", "x"}, {"COMMENT", "mine; voice converted to ann by vc v2"}, {"ENCODER", "vc v2"}}},
		{"converted before", Tags{{"COMMENT", "mine; voice converted to bob by vc v1"}},
			Tags{{"COMMENT", "mine; voice converted to ann by vc v2"}, {"ENCODER", "vc v2"}}},
	}
	for _, tt := range tests {
		if got := tt.in.Marked("ann", "v2"); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		} else if got.Mark() != "voice converted to ann by vc v2" {
			t.Errorf("%s: mark %q", tt.name, got.Mark())
		}
	}
	if m := (Tags{{"COMMENT", "my voice converted to gold"}}).Mark(); m != "" {
		t.Errorf("taken for a mark: %q", m)
	}
}

func id3v2(version byte, frames ...[]byte) []byte {
	body := slices.Concat(frames...)
	n := len(body)
	return append([]byte{'I', 'D', '3', version, 0, 0, byte(n >> 21 & 0x7f), byte(n >> 14 & 0x7f), byte(n >> 7 & 0x7f), byte(n & 0x7f)}, body...)
}

func id3Frame(name string, body string) []byte {
	if len(name) == 3 {
		return append([]byte(name), append([]byte{0, 0, byte(len(body))}, body...)...)
	}
	return append([]byte(name), append([]byte{0, 0, 0, byte(len(body)), 0, 0}, body...)...)
}

func TestReadTags(t *testing.T) {
	wav := encoded(t, ".wav", Sound{Rate: 16000, Channels: 1, Frames: 3, Depth: Depth24, Tags: Tags{{"TITLE", "Größe"}, {"COMMENT", "a"}}}, make([]float32, 3))
	flacFile := encoded(t, ".flac", Sound{Rate: 16000, Channels: 1, Frames: 3, Tags: Tags{{"TITLE", "Größe"}, {"MOOD", "calm"}}}, make([]float32, 3))
	latin := riffFile(fmtChunk(tagPCM, 1, 16000, 16), chunk("data", pcm16(1)), chunk("LIST", append([]byte("INFO"), chunk("INAM", []byte("Gr\xf6\xdfe\x00"))...)))
	v1 := append([]byte("TAG"), make([]byte, 125)...)
	copy(v1[3:], "Old title")
	tests := []struct {
		name string
		file []byte
		want Tags
	}{
		{"WAV", wav, Tags{{"TITLE", "Größe"}, {"COMMENT", "a"}}},
		{"WAV in Latin-1", latin, Tags{{"TITLE", "Größe"}}},
		{"WAV behind ID3", append(id3v2(3, id3Frame("TIT2", "\x00Front")), wav...), Tags{{"TITLE", "Front"}, {"TITLE", "Größe"}, {"COMMENT", "a"}}},
		{"FLAC", flacFile, Tags{{"TITLE", "Größe"}, {"MOOD", "calm"}}},
		{"ID3v2.2", id3v2(2, id3Frame("TT2", "\x00One"), id3Frame("PIC", "\x00xxx"), id3Frame("COM", "\x00engabout\x00text")), Tags{{"TITLE", "One"}, {"COMMENT", "text"}}},
		{"ID3v2.3", id3v2(3, id3Frame("TIT2", "\x01\xff\xfeG\x00r\x00\xf6\x00"), id3Frame("COMM", "\x01eng\xff\xfe\x00\x00\xff\xfet\x00")),
			Tags{{"TITLE", "Grö"}, {"COMMENT", "t"}}},
		{"ID3v2.4", id3v2(4, id3Frame("TPE1", "\x03Ann\x00Bob\x00"), id3Frame("TXXX", "\x03mood\x00calm")), Tags{{"ARTIST", "Ann; Bob"}, {"MOOD", "calm"}}},
		{"ID3v2 of iTunes", id3v2(3, id3Frame("COMM", "\x00engiTunNORM\x00 0000")), nil},
		{"ID3v1", slices.Concat([]byte{0xff, 0xfb, 0x90, 0x64}, make([]byte, 1000), v1), Tags{{"TITLE", "Old title"}}},
		{"cut", wav[:len(wav)-7], Tags{{"TITLE", "Größe"}}},
		{"text", []byte("nothing"), nil},
		{"empty", nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x")
			if err := os.WriteFile(path, tt.file, 0o644); err != nil {
				t.Fatal(err)
			}
			if got := ReadTags(context.Background(), path); !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
	if got := ReadTags(context.Background(), t.TempDir()); got != nil {
		t.Errorf("a folder: %q", got)
	}
}

func TestReadFFMetadata(t *testing.T) {
	var got Tags
	readFFMetadata(&got, ";FFMETADATA1\ntitle=a\\=b\\;c\\\nd\ntrack=3\n\n[STREAM]\ntitle=no\n")
	if want := (Tags{{"TITLE", "a=b;c\nd"}, {"TRACKNUMBER", "3"}}); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzReadTags(f *testing.F) {
	f.Add(id3v2(3, id3Frame("TIT2", "\x01\xff\xfeG\x00"), id3Frame("TXXX", "\x00a\x00b")))
	f.Add(riffFile(fmtChunk(tagPCM, 1, 16000, 16), chunk("data", pcm16(1)), infoChunk(Tags{{"TITLE", "x"}})))
	f.Add([]byte("fLaC\x84\x00\x00\x20\x01\x00\x00\x00x\x01\x00\x00\x00\x03\x00\x00\x00A=b"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var tags Tags
		r := bytes.NewReader(b)
		at := readID3(&tags, r, 0)
		readInfo(&tags, r, at)
		readFLACComments(&tags, r, at)
		readOggComments(&tags, bytes.NewReader(b))
		readID3v1(&tags, r, int64(len(b)))
		readFFMetadata(&tags, string(b))
		total := 0
		for _, tag := range tags {
			if tag.Name == "" || tag.Value == "" || strings.ContainsAny(tag.Name, "=\x00") || strings.ContainsRune(tag.Value, 0) {
				t.Errorf("tag %q", tag)
			}
			total += len(tag.Value)
		}
		if len(tags) > mostTags || total > mostTagsBytes {
			t.Errorf("%d tags of %d bytes", len(tags), total)
		}
	})
}
