package audio

import (
	"encoding/binary"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Tag is one thing that a file says of its sound: TITLE, ARTIST, ALBUM, DATE, COMMENT and so on, as Vorbis comments name them.
type Tag struct{ Name, Value string }

// Tags are those of a file, in its order. A name may stand there several times.
type Tags []Tag

// Get returns the first value of a name, "" for none.
func (t Tags) Get(name string) string {
	for _, tag := range t {
		if tag.Name == name {
			return tag.Value
		}
	}
	return ""
}

// Bounds of what is kept of a file's tags.
const (
	mostTags      = 200
	mostTagBytes  = 1 << 14 // of one value
	mostTagsBytes = 1 << 18 // of all
)

// add takes a tag whose name may be written in any way, unless it is empty or more than can be kept.
func (t *Tags) add(name, value string) {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r > '}' || r == '=' {
			return -1
		}
		return r
	}, strings.ToUpper(strings.TrimSpace(name)))
	value = strings.TrimSpace(strings.ToValidUTF8(strings.ReplaceAll(value, "\x00", " "), "\ufffd"))
	if name == "DESCRIPTION" { // as ffmpeg calls the comment of Ogg and of some others
		name = "COMMENT"
	}
	used := 0
	for _, o := range *t {
		used += len(o.Value)
	}
	if name == "" || value == "" || len(name) > 256 || len(value) > mostTagBytes || len(*t) >= mostTags || used+len(value) > mostTagsBytes {
		return
	}
	if tag := (Tag{name, value}); !slices.Contains(*t, tag) {
		*t = append(*t, tag)
	}
}

// stale are the names of tags that belong to a file and not to its sound, or are wrong once the sound is another.
var stale = regexp.MustCompile(`^(ENCODER|ENCODED.BY|ENCODER.*|ENCODING|SOFTWARE|MAJOR_BRAND|MINOR_VERSION|COMPATIBLE_BRANDS|ITUN(SMPB|NORM)|` +
	`GAPLESS.*|REPLAYGAIN_.*|R128_.*|ACCURATERIP.*|DURATION|LENGTH|TLEN|MD5.*|METADATA_BLOCK_PICTURE|COVERART.*|WAVEFORMATEXTENSIBLE_.*|` +
	`HANDLER_NAME|VENDOR_ID|LAVF.*|ID3V2_PRIV.*)$`)

// markStart begins every mark.
const markStart = "voice converted to "

var markPattern = regexp.MustCompile(markStart + `.+ by vc .+`)

// Marked returns the tags of a sound that was made of one with tags t by changing the voice in it: t without what does not hold
// any more, and with a mark in COMMENT, where every format keeps it, that says so, with the voice and the version of vc.
func (t Tags) Marked(voice, version string) Tags {
	var out Tags
	var comments []string
	for _, tag := range t {
		switch {
		case stale.MatchString(tag.Name):
		case tag.Name == "COMMENT":
			if before, _, marked := strings.Cut(tag.Value, markStart); marked { // converted before: the last voice counts
				tag.Value = strings.TrimRight(before, "; ")
			}
			if tag.Value != "" && !slices.Contains(comments, tag.Value) {
				comments = append(comments, tag.Value)
			}
		default:
			out.add(tag.Name, tag.Value)
		}
	}
	mark := fmt.Sprintf("%s%s by vc %s", markStart, voice, version)
	out.add("COMMENT", strings.Join(append(comments, mark), "; "))
	out.add("ENCODER", "vc "+version)
	return out
}

// Mark returns what [Tags.Marked] has left, "" where there is none.
func (t Tags) Mark() string {
	for _, tag := range t {
		if tag.Name == "COMMENT" {
			if mark := markPattern.FindString(tag.Value); mark != "" {
				return mark
			}
		}
	}
	return ""
}

// infoNames pair the chunks of a LIST/INFO with names of tags.
var infoNames = [][2]string{
	{"INAM", "TITLE"}, {"IART", "ARTIST"}, {"IPRD", "ALBUM"}, {"ICRD", "DATE"}, {"IGNR", "GENRE"}, {"ITRK", "TRACKNUMBER"}, {"IPRT", "TRACKNUMBER"},
	{"ICMT", "COMMENT"}, {"ICOP", "COPYRIGHT"}, {"IENG", "ENGINEER"}, {"ILNG", "LANGUAGE"}, {"IKEY", "KEYWORDS"}, {"ISBJ", "SUBJECT"},
	{"ISRC", "SOURCE"}, {"ICMS", "COMMISSIONED"}, {"IMED", "SOURCEMEDIA"}, {"ITCH", "TECHNICIAN"}, {"IARL", "ARCHIVE"}, {"ISFT", "ENCODER"},
}

// infoChunk is a LIST chunk of type INFO, nil for no tags. A tag that the chunk has no place for is left out.
func infoChunk(t Tags) []byte {
	var b []byte
	written := map[string]bool{}
	for _, pair := range infoNames {
		if written[pair[1]] {
			continue
		}
		var values []string
		for _, tag := range t {
			if tag.Name == pair[1] {
				values = append(values, tag.Value)
			}
		}
		if len(values) == 0 {
			continue
		}
		written[pair[1]] = true
		value := append([]byte(strings.Join(values, "; ")), 0)
		b = append(b, pair[0]...)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(value)))
		b = append(b, value...)
		if len(value)%2 == 1 {
			b = append(b, 0)
		}
	}
	if b == nil {
		return nil
	}
	b = append([]byte("INFO"), b...)
	return append(binary.LittleEndian.AppendUint32([]byte("LIST"), uint32(len(b))), b...)
}
