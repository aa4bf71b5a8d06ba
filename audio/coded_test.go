package audio

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// The same speech at three rates, as MP3 and Ogg Vorbis: testdata/README.md says how they were made.
var codedFiles = []struct {
	name          string
	rate, samples int
}{{"speech11", 11025, 6615}, {"speech22", 22050, 26460}, {"speech44", 44100, 35280}}

func coded(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "testdata", "coded", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A coded recording comes out as long as it went in, at the same place, and sounding the same.
func TestDecodeCoded(t *testing.T) {
	source, err := ReadFile(filepath.Join("..", "testdata", "voices", "kathleen", "arctic_a0039.flac"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range codedFiles {
		want := Resample(source.Samples, source.Rate, f.rate)[:f.samples]
		for _, ending := range []string{".mp3", ".ogg"} {
			t.Run(f.name+ending, func(t *testing.T) {
				file := coded(t, f.name+ending)
				for name, r := range map[string]io.Reader{"memory": bytes.NewReader(file), "pipe": iotest.OneByteReader(bytes.NewReader(file))} {
					clip, err := Decode(r)
					if err != nil || clip.Rate != f.rate || len(clip.Samples) != f.samples || clip.Warnings != nil {
						t.Fatalf("%s: %d samples at %d Hz, want %d at %d, warnings %q, error %v",
							name, len(clip.Samples), clip.Rate, f.samples, f.rate, clip.Warnings, err)
					}
					if snr := likeness(clip.Samples, want); snr < 30 {
						t.Errorf("%s: the energy of the sound is %.1f times that of the difference, want 30", name, snr)
					}
				}
			})
		}
	}
}

// likeness is the energy of want over that of the difference from it.
func likeness(got, want []float32) float64 {
	var energy, difference float64
	for i, v := range want {
		d := float64(got[i] - v)
		energy += float64(v) * float64(v)
		difference += d * d
	}
	return energy / difference
}

func TestDecodeMP3AgainstItsHeader(t *testing.T) {
	file := coded(t, "speech44.mp3")
	whole, err := Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	frames := mp3Frames(t, file)
	bare := slices.Concat(frames[1:]...)
	claim := func(n uint32) []byte {
		b := slices.Clone(file)
		i := bytes.Index(b, []byte("Info"))
		binary.BigEndian.PutUint32(b[i+8:], n)
		return b
	}
	real := len(frames) - 1
	broken := slices.Clone(file)
	for i := range 300 {
		broken[5000+i] ^= byte(37 * i)
	}
	ape := slices.Concat([]byte("APETAGEX"), le(uint32(2000), uint32(32), uint32(0), uint32(0), uint64(0)))
	tag := slices.Concat([]byte("TAG"), make([]byte, 125))
	id3 := []byte("ID3\x04\x00\x00\x00\x00\x00\x05hello")
	length := len(whole.Samples)
	tests := []struct {
		name    string
		file    []byte
		samples int
		warn    string
	}{
		{"tags around", slices.Concat(id3, file, ape, tag), length, ""},
		{"two joined", slices.Concat(file, file), 2 * length, "2 recordings joined into one: all were read"},
		{"two joined with tags", slices.Concat(id3, file, tag[:0], id3, file, tag), 2 * length, "2 recordings joined into one"},
		{"no information frame", bare, real * 1152, ""},
		{"cut in two, the second half", slices.Concat(frames[real/2:]...), (len(frames) - real/2) * 1152, ""},
		{"fewer frames in the header", claim(uint32(real - 10)), real*1152 - 1105, "longer than its header says: 0.26 s more"},
		{"more frames in the header", claim(uint32(real + 10)), real*1152 - 1105, "cut short: 0.26 s of"},
		{"cut short", file[:len(file)/2], 0, "cut short: "},
		{"rubbish between frames", slices.Concat(slices.Concat(frames[:9]...), []byte("rubbish, rubbish"), slices.Concat(frames[9:]...)), length, "16 bytes between or behind the frames are no sound"},
		{"zeros behind", slices.Concat(file, make([]byte, 1000)), length, "1000 bytes"},
		{"broken bytes", broken, 0, " are "},
		{"another rate behind", slices.Concat(file, coded(t, "speech22.mp3")), length, "stands an MP3 at 22050 Hz, which was left out"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clip, err := Decode(bytes.NewReader(tt.file))
			if err != nil {
				t.Fatal(err)
			}
			if tt.samples > 0 && len(clip.Samples) != tt.samples {
				t.Errorf("%d samples, want %d", len(clip.Samples), tt.samples)
			}
			if tt.warn != "" && !strings.Contains(strings.Join(clip.Warnings, "\n"), tt.warn) {
				t.Errorf("warnings %q, want %q", clip.Warnings, tt.warn)
			}
			if tt.warn == "" && tt.name != "cut in two, the second half" && clip.Warnings != nil {
				t.Errorf("warnings %q", clip.Warnings)
			}
		})
	}
	t.Run("the second half sounds as in the whole", func(t *testing.T) {
		all, err := Decode(bytes.NewReader(bare))
		if err != nil {
			t.Fatal(err)
		}
		half, err := Decode(bytes.NewReader(slices.Concat(frames[real/2:]...)))
		if err != nil {
			t.Fatal(err)
		}
		// The first frames borrow of what was cut off, and each overlaps with the one before it.
		const settled = 4 * 1152
		if at := len(all.Samples) - len(half.Samples); !slices.Equal(half.Samples[settled:], all.Samples[at+settled:]) {
			t.Error("other samples")
		}
	})
}

// mp3Frames cuts a file of nothing but frames.
func mp3Frames(t testing.TB, file []byte) (frames [][]byte) {
	if bytes.HasPrefix(file, []byte("ID3")) {
		file = file[id3Bytes(file):]
	}
	for len(file) > 0 {
		h, ok := parseMP3Header(file)
		if !ok || h.size > len(file) {
			t.Fatalf("%d bytes before the end is no frame", len(file))
		}
		frames = append(frames, file[:h.size])
		file = file[h.size:]
	}
	return frames
}

func TestDecodeOggAgainstItsPages(t *testing.T) {
	file := coded(t, "speech44.ogg")
	whole, err := Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	length := len(whole.Samples)
	broken := slices.Clone(file)
	broken[len(broken)-3000] ^= 1
	skeleton := slices.Concat([]byte("OggS\x00\x02"), le(uint64(0), uint32(77), uint32(0), uint32(0)), []byte("\x01\x08fishead\x00"))
	binary.LittleEndian.PutUint32(skeleton[22:], oggChecksum(skeleton))
	empty := slices.Clone(skeleton[:oggHeader])
	empty[26] = 0
	binary.LittleEndian.PutUint32(empty[22:], oggChecksum(empty))
	opus := bytes.Replace(skeleton, []byte("fishead\x00"), []byte("OpusHead"), 1)
	binary.LittleEndian.PutUint32(opus[22:], oggChecksum(opus))
	tests := []struct {
		name    string
		file    []byte
		samples int
		warn    string
	}{
		{"chained", slices.Concat(file, file, file), 3 * length, "3 recordings joined into one: all were read"},
		{"another rate behind", slices.Concat(file, coded(t, "speech22.ogg")), length, "a recording of 22050 Hz and 1 channels, which was left out"},
		{"a stream beside it, a page without segments", slices.Concat(skeleton, empty, file), length, ""},
		{"cut short", file[:len(file)-1000], 0, "how much is missing is not known"},
		{"a broken page", broken, 0, "bytes are damaged or no Ogg and were left out"},
		{"a tag before", slices.Concat([]byte("ID3\x04\x00\x00\x00\x00\x00\x05hello"), file), length, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clip, err := Decode(bytes.NewReader(tt.file))
			if err != nil || tt.samples > 0 && len(clip.Samples) != tt.samples {
				t.Fatalf("%d samples, want %d, error %v", len(clip.Samples), tt.samples, err)
			}
			if text := strings.Join(clip.Warnings, "\n"); !strings.Contains(text, tt.warn) || tt.warn == "" && text != "" {
				t.Errorf("warnings %q, want %q", text, tt.warn)
			}
		})
	}
	for name, file := range map[string][]byte{"Opus inside": opus, "before the sound": file[:3000]} {
		if _, err := Decode(bytes.NewReader(file)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want %q", err, name)
		}
	}
}

// A setup header asks for memory and time; what no encoder asks for is refused before jfreymuth/vorbis sees it.
func TestVorbisCodebooks(t *testing.T) {
	book := func(dimensions, entries uint32, rest ...byte) []byte {
		return slices.Concat([]byte{0, 'B', 'C', 'V', byte(dimensions), byte(dimensions >> 8), byte(entries), byte(entries >> 8), byte(entries >> 16)}, rest)
	}
	for name, setup := range map[string][]byte{
		"no entries": book(1, 0, 0, 0, 0), "no dimensions": book(0, 1, 0, 0, 0), "gigabytes": book(1000, 1<<23, 1, 0, 0),
		"ordered without end": book(1, 1000, 1), "cut short": book(1, 1000, 0), "nothing": nil, "all unused": book(1, 8, 2, 0, 0, 0),
	} {
		if sensibleCodebooks(&vorbisBits{b: setup}) {
			t.Errorf("%s: accepted", name)
		}
	}
}

// A residue that ends before it begins had 20 GB taken for each packet.
func TestVorbisResidues(t *testing.T) {
	setup := func(floor [][2]int, begin, end int) []byte {
		var b []byte
		at := 0
		numbers := append([][2]int{{0, 6}, {0, 16}, {0, 6}}, floor...)                                                                         // value and width: one transform, one floor
		numbers = append(numbers, [2]int{0, 6}, [2]int{1, 16}, [2]int{begin, 24}, [2]int{end, 24}, [2]int{31, 24}, [2]int{1, 6}, [2]int{0, 8}, // one residue of two classes
			[2]int{5, 3}, [2]int{0, 1}, [2]int{0, 3}, [2]int{1, 1}, [2]int{1, 5}, [2]int{1, 8}, [2]int{2, 8}, [2]int{3, 8})
		for _, n := range numbers {
			for i := range n[1] {
				if at%8 == 0 {
					b = append(b, 0)
				}
				b[at/8] |= byte(n[0]>>i&1) << (at % 8)
				at++
			}
		}
		return b
	}
	floor0 := [][2]int{{0, 16}, {20, 8}, {44100, 16}, {256, 16}, {6, 6}, {100, 8}, {1, 4}, {0, 8}, {1, 8}}
	// Two partitions of class 1; class 0 of one dimension and a book, class 1 of two, two subclasses and their master; four places of 7 bits.
	floor1 := [][2]int{{1, 16}, {2, 5}, {1, 4}, {1, 4}, {0, 3}, {0, 2}, {1, 8}, {1, 3}, {1, 2}, {0, 8}, {1, 8}, {2, 8}, {1, 2}, {7, 4}, {9, 7}, {8, 7}, {7, 7}, {6, 7}}
	for name, floor := range map[string][][2]int{"floor 0": floor0, "floor 1": floor1} {
		sound := setup(floor, 0, 100)
		if !sensibleResidues(&vorbisBits{b: sound}) {
			t.Errorf("%s: a sound header is refused", name)
		}
		if sensibleResidues(&vorbisBits{b: setup(floor, 100, 99)}) {
			t.Errorf("%s: a residue that ends before it begins is accepted", name)
		}
		if sensibleResidues(&vorbisBits{b: sound[:len(sound)-2]}) {
			t.Errorf("%s: a header that is cut short is accepted", name)
		}
	}
	if sensibleResidues(&vorbisBits{b: setup([][2]int{{2, 16}}, 0, 100)}) {
		t.Error("a floor of an unknown type is accepted")
	}
}

func FuzzDecodeMP3(f *testing.F) {
	for _, c := range codedFiles {
		file := coded(f, c.name+".mp3")
		f.Add(file[:min(len(file), 3000)], uint16(0), uint32(0))
	}
	f.Fuzz(func(t *testing.T, file []byte, at uint16, flip uint32) {
		fuzzCoded(t, file, at, flip, nil)
	})
}

func FuzzDecodeOgg(f *testing.F) {
	for _, c := range codedFiles {
		f.Add(coded(f, c.name+".ogg"), uint16(0), uint32(0))
	}
	f.Fuzz(func(t *testing.T, file []byte, at uint16, flip uint32) {
		fuzzCoded(t, file, at, flip, mendOgg)
	})
}

// fuzzCoded changes four bytes of a file, mends its checksums and decodes it.
func fuzzCoded(t *testing.T, file []byte, at uint16, flip uint32, mend func([]byte)) {
	if len(file) > 1<<16 {
		return
	}
	file = slices.Clone(file)
	if n := len(file); n > 4 {
		i := int(at) % (n - 4)
		binary.LittleEndian.PutUint32(file[i:], binary.LittleEndian.Uint32(file[i:])^flip)
	}
	if mend != nil {
		mend(file)
	}
	log.SetOutput(io.Discard)
	c, err := decode(bytes.NewReader(file), fuzzLimit)
	checkDecoded(t, c, err)
}

// mendOgg sets the checksums of pages right, so that the fuzzer gets past them.
func mendOgg(file []byte) {
	for i := 0; i+oggHeader <= len(file); i++ {
		if !bytes.HasPrefix(file[i:], []byte("OggS")) {
			continue
		}
		n := oggHeader + int(file[i+26])
		if i+n > len(file) {
			return
		}
		for _, s := range file[i+oggHeader : i+n] {
			n += int(s)
		}
		if i+n <= len(file) {
			binary.LittleEndian.PutUint32(file[i+22:], oggChecksum(file[i:i+n]))
			i += n - 1
		}
	}
}

func ExampleDecode() {
	file, err := os.Open("../testdata/coded/speech22.mp3")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	clip, err := Decode(file)
	fmt.Println(len(clip.Samples), clip.Rate, clip.Duration(), clip.Warnings, err)
	// Output: 26460 22050 1.2s [] <nil>
}
