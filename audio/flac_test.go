package audio

import (
	"bytes"
	"encoding/binary"
	"io"
	"log"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/mewkiz/flac"
	"github.com/mewkiz/flac/frame"
	"github.com/mewkiz/flac/meta"
)

// flacFrame builds a frame of verbatim samples by hand. The codes are those of the header (RFC 9639, section 9.1):
// rateCode 0 and bitsCode 0 leave the values to the stream header. bits must be a multiple of 8.
type flacFrame struct {
	rateCode, bitsCode, channelCode byte
	rateBytes                       []byte // in the header, for the rate codes 12 to 14
	number                          int
	bits                            int
	channels                        [][]int32
}

func (f flacFrame) bytes() []byte {
	block := len(f.channels[0])
	b := []byte{0xff, 0xf8, 0x7<<4 | f.rateCode, f.channelCode<<4 | f.bitsCode<<1}
	b = append(b, string(rune(f.number))...)
	b = binary.BigEndian.AppendUint16(b, uint16(block-1))
	b = append(b, f.rateBytes...)
	b = append(b, crc8(b))
	for _, samples := range f.channels {
		b = append(b, 1<<1) // verbatim, no wasted bits
		for _, v := range samples {
			for shift := f.bits - 8; shift >= 0; shift -= 8 {
				b = append(b, byte(v>>shift))
			}
		}
	}
	return binary.BigEndian.AppendUint16(b, crc16(0, b))
}

func flacFile(rate, channels, bits, samples int, frames ...[]byte) []byte {
	info := make([]byte, 34)
	binary.BigEndian.PutUint16(info, 16)
	binary.BigEndian.PutUint16(info[2:], 65535)
	binary.BigEndian.PutUint64(info[10:], uint64(rate)<<44|uint64(channels-1)<<41|uint64(bits-1)<<36|uint64(samples))
	return slices.Concat([]byte("fLaC\x00\x00\x00\x22"), info, []byte("\x81\x00\x00\x03pad"), slices.Concat(frames...))
}

// encodeFLAC compresses samples of 16 bits, so that predicted frames are decoded too.
func encodeFLAC(t testing.TB, rate int, channels ...[]int32) []byte {
	t.Helper()
	const block = 4096
	var b bytes.Buffer
	enc, err := flac.NewEncoder(&b, &meta.StreamInfo{BlockSizeMin: 16, BlockSizeMax: block, SampleRate: uint32(rate),
		NChannels: uint8(len(channels)), BitsPerSample: 16, NSamples: uint64(len(channels[0]))})
	if err != nil {
		t.Fatal(err)
	}
	for start := 0; start < len(channels[0]); start += block {
		f := &frame.Frame{Header: frame.Header{HasFixedBlockSize: false, Num: uint64(start), SampleRate: uint32(rate),
			Channels: frame.Channels(len(channels) - 1), BitsPerSample: 16}}
		for _, c := range channels {
			part := slices.Clone(c[start:min(start+block, len(c))])
			f.BlockSize = uint16(len(part))
			f.Subframes = append(f.Subframes, &frame.Subframe{SubHeader: frame.SubHeader{Pred: frame.PredVerbatim},
				Samples: part, NSamples: len(part)})
		}
		if err := enc.WriteFrame(f); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func sine16(n int, step float64) []int32 {
	x := make([]int32, n)
	for i := range x {
		x[i] = int32(math.Round(12000 * math.Sin(step*float64(i))))
	}
	return x
}

func TestDecodeFLAC(t *testing.T) {
	left, right := sine16(10000, 0.05), sine16(10000, 0.031)
	mono := func(channels ...[]int32) []float32 {
		x := make([]float32, len(channels[0]))
		for i := range x {
			var sum float64
			for _, c := range channels {
				sum += float64(c[i])
			}
			x[i] = float32(sum / float64(len(channels)) / 32768)
		}
		return x
	}
	small := []int32{0, 16384, -32768, 32767, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	scaled := func(by int32) []int32 {
		x := slices.Clone(small)
		for i := range x {
			x[i] *= by
		}
		return x
	}
	one := func(rate, bits int, f flacFrame) []byte {
		f.bits = bits
		return flacFile(rate, len(f.channels), bits, len(small), f.bytes())
	}
	tests := []struct {
		name string
		file []byte
		rate int
		want []float32
	}{
		{"mono", encodeFLAC(t, 16000, left), 16000, mono(left)},
		{"24 kHz", encodeFLAC(t, 24000, left), 24000, mono(left)},
		{"stereo", encodeFLAC(t, 44100, left, right), 44100, mono(left, right)},
		{"verbatim", one(16000, 16, flacFrame{rateCode: 5, bitsCode: 4, channels: [][]int32{small}}), 16000, mono(small)},
		{"rate and size of the stream header", one(12345, 16, flacFrame{channels: [][]int32{small}}), 12345, mono(small)},
		{"24 kHz and the size of the stream header", one(24000, 16, flacFrame{rateCode: 7, channels: [][]int32{small}}), 24000, mono(small)},
		{"176.4 kHz", one(176400, 16, flacFrame{rateCode: 2, bitsCode: 4, channels: [][]int32{small}}), 176400, mono(small)},
		{"long frame number", one(24000, 16, flacFrame{rateCode: 7, bitsCode: 4, number: 0x10ffff, channels: [][]int32{small}}), 24000, mono(small)},
		{"24 bits", one(48000, 24, flacFrame{rateCode: 10, bitsCode: 6, channels: [][]int32{scaled(256)}}), 48000, mono(small)},
		{"32 bits", one(48000, 32, flacFrame{rateCode: 10, bitsCode: 7, channels: [][]int32{scaled(65536)}}), 48000, mono(small)},
		{"32 bits, rate spelt out", one(22051, 32, flacFrame{rateCode: 13, rateBytes: []byte{22051 >> 8, 22051 & 255}, bitsCode: 7,
			channels: [][]int32{scaled(65536)}}), 22051, mono(small)},
		{"length not known", flacFile(16000, 1, 16, 0, flacFrame{rateCode: 5, bitsCode: 4, bits: 16, channels: [][]int32{small}}.bytes()),
			16000, mono(small)},
		{"tags at both ends", slices.Concat([]byte("ID3\x04\x00\x00\x00\x00\x00\x05hello"), encodeFLAC(t, 16000, left), []byte("TAG artist")),
			16000, mono(left)},
	}
	var logged bytes.Buffer
	log.SetOutput(&logged)
	defer log.SetOutput(os.Stderr)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, r := range map[string]io.Reader{"memory": bytes.NewReader(tt.file), "pipe": iotest.HalfReader(bytes.NewReader(tt.file))} {
				got, err := Decode(r)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if got.Rate != tt.rate || got.Warnings != nil {
					t.Errorf("%s: %d Hz, warnings %q", name, got.Rate, got.Warnings)
				}
				if !slices.Equal(got.Samples, tt.want) {
					t.Errorf("%s: other samples", name)
				}
			}
		})
	}
	if logged.Len() > 0 {
		t.Errorf("printed by a library: %q", logged.String())
	}
}

// FLAC says where its channels are heard.
func TestDecodeFLACPlaces(t *testing.T) {
	const channels = 8
	frames := make([][]int32, channels)
	want := make([]float64, 16)
	for c, w := range monoWeights(channels, flacPlaces(channels)) {
		frames[c] = make([]int32, len(want))
		for i := range want {
			frames[c][i] = int32(1000 * (i - c))
			want[i] += float64(w) * float64(frames[c][i]) / 32768
		}
	}
	clip, err := Decode(bytes.NewReader(flacFile(16000, channels, 16, len(want),
		flacFrame{rateCode: 5, bitsCode: 4, bits: 16, channelCode: channels - 1, channels: frames}.bytes())))
	if err != nil || len(clip.Warnings) != 1 || !strings.Contains(clip.Warnings[0], "8 channels were mixed by their places") {
		t.Fatalf("warnings %q, error %v", clip.Warnings, err)
	}
	for i, v := range clip.Samples {
		if math.Abs(float64(v)-want[i]) > 1e-6 {
			t.Errorf("sample %d is %g, want %g", i, v, want[i])
		}
	}
}

// The number of samples in the header is a claim; what stands behind is read, or said to be left out.
func TestDecodeFLACBeyondItsHeader(t *testing.T) {
	x := sine16(40960, 0.05)
	file := encodeFLAC(t, 16000, x)
	short := slices.Clone(file)
	binary.BigEndian.PutUint32(short[22:], 10000)
	other := encodeFLAC(t, 24000, x)
	ape := slices.Concat([]byte("APETAGEX"), le(uint32(2000), uint32(2000), uint32(0), uint32(1<<31|1<<29), uint64(0)))
	tests := []struct {
		name    string
		file    []byte
		samples int
		warn    string
	}{
		{"sound", file, 40960, ""},
		{"10000 samples in the header", short, 40960, "longer than its header says: 1.94 s more than 0.62 s were found and read (75.6 % of all)"},
		{"two joined", slices.Concat(file, file), 81920, "2 recordings joined into one: all were read"},
		{"two joined with a tag between", slices.Concat(file, []byte("ID3\x04\x00\x00\x00\x00\x00\x05hello"), file), 81920, "2 recordings joined"},
		{"another rate behind", slices.Concat(file, other), 40960, "a FLAC of another kind, which was left out"},
		{"rubbish behind", slices.Concat(file, make([]byte, 77)), 40960, "77 bytes behind the sound are no FLAC and were left out"},
		{"two tags behind", slices.Concat(file, ape, make([]byte, 1968), ape, []byte("TAG"), make([]byte, 125)), 40960, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clip, err := Decode(bytes.NewReader(tt.file))
			if err != nil || len(clip.Samples) != tt.samples {
				t.Errorf("%d samples, error %v, want %d", len(clip.Samples), err, tt.samples)
			}
			if tt.warn == "" && clip.Warnings != nil || tt.warn != "" && (len(clip.Warnings) != 1 || !strings.Contains(clip.Warnings[0], tt.warn)) {
				t.Errorf("warnings %q, want %q", clip.Warnings, tt.warn)
			}
		})
	}
}

func TestDecodeFLACTruncated(t *testing.T) {
	x := sine16(40960, 0.05)
	for _, rate := range []int{16000, 24000} {
		file := encodeFLAC(t, rate, x)
		whole, err := Decode(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		clip, err := Decode(bytes.NewReader(file[:len(file)/2]))
		if err != nil {
			t.Fatal(err)
		}
		n := len(clip.Samples)
		if n < 4096 || n%4096 != 0 || !slices.Equal(clip.Samples, whole.Samples[:n]) {
			t.Errorf("%d samples that are not the beginning", n)
		}
		want := missing(int64(n), int64(len(x)), rate)
		if len(clip.Warnings) != 1 || clip.Warnings[0] != want || !strings.HasPrefix(want, "cut short: ") {
			t.Errorf("warnings %q, want %q", clip.Warnings, want)
		}
		for _, at := range []int{4, 20, 42, 60} {
			if _, err := Decode(bytes.NewReader(file[:at])); err == nil || !strings.Contains(err.Error(), "cut short") {
				t.Errorf("after %d bytes: error %v", at, err)
			}
		}
	}
	unknown := slices.Clone(encodeFLAC(t, 16000, x))
	clear(unknown[22:26]) // the lower bits of the sample count
	clip, err := Decode(bytes.NewReader(unknown[:len(unknown)/2]))
	if err != nil || len(clip.Warnings) != 1 || !strings.Contains(clip.Warnings[0], "not known") {
		t.Errorf("length not known: warnings %q, error %v", clip.Warnings, err)
	}
}

func TestDecodeFLACRefuses(t *testing.T) {
	samples := [][]int32{make([]int32, 16)}
	good := flacFrame{rateCode: 5, bitsCode: 4, bits: 16, channels: samples}.bytes()
	flipped := func(at int, b []byte) []byte {
		b = slices.Clone(b)
		b[at] ^= 0x10
		return b
	}
	quiet := flacFrame{rateCode: 7, bitsCode: 4, bits: 16, channels: samples}.bytes()
	file := func(frames ...[]byte) []byte { return flacFile(16000, 1, 16, 64, frames...) }
	tests := []struct {
		name string
		file []byte
		want string
	}{
		{"only the name", []byte("fLaC"), "cut short"},
		{"a huge picture in place of the stream header", []byte("fLaC\x06\x00\x00\x28\xfb\xfb\xfb\xfb\xfb\xfb\xfb\xfb" + strings.Repeat("x", 32)), "stream header"},
		{"0xfffffff0 comments in place of the stream header", []byte("fLaC\x04\x00\x00\x28\x00\x00\x00\x00\xf0\xff\xff\xff" + strings.Repeat("x", 32)), "stream header"},
		{"0 Hz", flacFile(0, 1, 16, 16, good), "sample rate"},
		{"1 Hz", flacFile(1, 1, 16, 16, good), "sample rate 1 Hz"},
		{"absurd length", flacFile(16000, 1, 16, 1<<36-1, good), "longer than"},
		{"no frames", file(), "cut short"},
		{"flipped sample", file(good, flipped(20, good)), "damaged at 0.0010 s"},
		{"flipped header", file(good, flipped(5, good)), "damaged at 0.0010 s"},
		{"flipped sample at 24 kHz", flacFile(24000, 1, 16, 64, quiet, flipped(20, quiet)), "damaged at 0.0007 s"},
		{"flipped header at 24 kHz", flacFile(24000, 1, 16, 64, quiet, flipped(7, quiet)), "damaged at 0.0007 s"},
		{"another rate", file(good, quiet), "the rate changes from 16000 to 24000 Hz"},
		{"garbage", file(good, []byte("garbage, garbage, garbage")), "damaged at 0.0010 s"},
		{"32 bits with joint stereo", flacFile(48000, 2, 32, 16, flacFrame{bitsCode: 7, channelCode: 10, bits: 32,
			channels: [][]int32{samples[0], samples[0]}}.bytes()), "joint stereo: only"},
	}
	log.SetOutput(io.Discard) // a damaged header goes to the library as it is
	defer log.SetOutput(os.Stderr)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clip, err := Decode(bytes.NewReader(tt.file))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v with %d samples, want %q", err, len(clip.Samples), tt.want)
			}
		})
	}
}

// A frame of one constant value takes a few bytes for 65535 samples: the limit holds what the length of the file
// cannot.
func TestDecodeFLACBounded(t *testing.T) {
	head := []byte{0xff, 0xf8, 0x75, 0x08, 0, 0xff, 0xfe}
	head = append(head, crc8(head))
	constant := append(head, 0, 0, 0)
	constant = binary.BigEndian.AppendUint16(constant, crc16(0, constant))
	file := flacFile(16000, 1, 16, 0, bytes.Repeat(constant, 1000))
	if _, err := decode(bytes.NewReader(file), 1<<20); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("error %v", err)
	}
}
