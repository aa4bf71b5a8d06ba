package audio

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// le lays values out little-endian.
func le(values ...any) []byte {
	var b bytes.Buffer
	for _, v := range values {
		binary.Write(&b, binary.LittleEndian, v)
	}
	return b.Bytes()
}

func chunk(id string, body []byte) []byte {
	b := slices.Concat([]byte(id), le(uint32(len(body))), body)
	if len(body)%2 == 1 {
		b = append(b, 0)
	}
	return b
}

func riffFile(chunks ...[]byte) []byte {
	body := slices.Concat(chunks...)
	return slices.Concat([]byte("RIFF"), le(uint32(4+len(body))), []byte("WAVE"), body)
}

func fmtBody(tag, channels, rate, bits int) []byte {
	block := channels * ((bits + 7) / 8)
	return le(uint16(tag), uint16(channels), uint32(rate), uint32(rate*block), uint16(block), uint16(bits))
}

func fmtChunk(tag, channels, rate, bits int) []byte {
	return chunk("fmt ", fmtBody(tag, channels, rate, bits))
}

func extensibleChunk(tag, channels, rate, bits, validBits int, tail string) []byte {
	return chunk("fmt ", slices.Concat(fmtBody(tagExtensible, channels, rate, bits),
		le(uint16(22), uint16(validBits), uint32(0), uint16(tag)), []byte(tail)))
}

// dataHeader is a data chunk without its body, claiming any length.
func dataHeader(length uint32) []byte { return slices.Concat([]byte("data"), le(length)) }

func pcm16(values ...int16) []byte { return le(values) }

func f64bits(values ...float64) []byte { return le(values) }

func TestDecodeWAVCodings(t *testing.T) {
	const rate = 16000
	tests := []struct {
		name string
		file []byte
		want []float32
	}{
		{"8 bits", riffFile(fmtChunk(tagPCM, 1, rate, 8), chunk("data", []byte{0, 64, 128, 255})),
			[]float32{-1, -0.5, 0, 127. / 128}},
		{"16 bits", riffFile(fmtChunk(tagPCM, 1, rate, 16), chunk("data", pcm16(0, 1, -1, 32767, -32768))),
			[]float32{0, 1. / 32768, -1. / 32768, 32767. / 32768, -1}},
		{"12 bits", riffFile(fmtChunk(tagPCM, 1, rate, 12), chunk("data", pcm16(16384))), []float32{0.5}},
		{"24 bits", riffFile(fmtChunk(tagPCM, 1, rate, 24), chunk("data", []byte{0, 0, 0x40, 0, 0, 0x80, 0xff, 0xff, 0xff})),
			[]float32{0.5, -1, -1. / (1 << 23)}},
		{"32 bits", riffFile(fmtChunk(tagPCM, 1, rate, 32), chunk("data", le(int32(1<<30), int32(math.MinInt32)))),
			[]float32{0.5, -1}},
		{"float 32", riffFile(fmtChunk(tagFloat, 1, rate, 32), chunk("data", le(float32(0.25), float32(-0.75)))),
			[]float32{0.25, -0.75}},
		{"float 64", riffFile(fmtChunk(tagFloat, 1, rate, 64), chunk("data", f64bits(0.25, -0.75))), []float32{0.25, -0.75}},
		{"A-law", riffFile(fmtChunk(tagALaw, 1, rate, 8), chunk("data", []byte{0xd5, 0x55, 0xaa, 0x2a, 0x80, 0x00})),
			[]float32{8. / 32768, -8. / 32768, 32256. / 32768, -32256. / 32768, 5504. / 32768, -5504. / 32768}},
		{"mu-law", riffFile(fmtChunk(tagMuLaw, 1, rate, 8), chunk("data", []byte{0xff, 0x7f, 0x80, 0x00, 0xf0, 0x70})),
			[]float32{0, 0, 32124. / 32768, -32124. / 32768, 120. / 32768, -120. / 32768}},
		{"extensible 16 bits", riffFile(extensibleChunk(tagPCM, 1, rate, 16, 16, extensibleTail), chunk("data", pcm16(16384))),
			[]float32{0.5}},
		{"extensible 20 of 24 bits", riffFile(extensibleChunk(tagPCM, 1, rate, 24, 20, extensibleTail), chunk("data", []byte{0, 0, 0x40})),
			[]float32{0.5}},
		{"extensible float", riffFile(extensibleChunk(tagFloat, 1, rate, 32, 32, extensibleTail), chunk("data", le(float32(0.5)))),
			[]float32{0.5}},
		{"extensible mu-law", riffFile(extensibleChunk(tagMuLaw, 1, rate, 8, 8, extensibleTail), chunk("data", []byte{0x80})),
			[]float32{32124. / 32768}},
		{"stereo", riffFile(fmtChunk(tagPCM, 2, rate, 16), chunk("data", pcm16(16384, 0, -32768, 16384))),
			[]float32{0.25, -0.25}},
		{"odd length and a chunk after it", riffFile(fmtChunk(tagPCM, 1, rate, 8), chunk("data", []byte{0, 64, 128}),
			chunk("LIST", []byte("INFO"))), []float32{-1, -0.5, 0}},
		{"odd length of 16 bits", riffFile(fmtChunk(tagPCM, 1, rate, 16), chunk("data", []byte{0, 64, 7})), []float32{0.5}},
		{"a broken frame at the end", riffFile(fmtChunk(tagPCM, 2, rate, 16), chunk("data", pcm16(16384, 16384, 3))), []float32{0.5}},
		{"chunks around, one of odd length", riffFile(chunk("bext", make([]byte, 603)), fmtChunk(tagPCM, 1, rate, 16),
			chunk("fact", le(uint32(1))), chunk("data", pcm16(16384)), chunk("id3 ", []byte("x"))), []float32{0.5}},
		{"length 0", slices.Concat(riffFile(fmtChunk(tagPCM, 1, rate, 16)), dataHeader(0), pcm16(16384, -16384)),
			[]float32{0.5, -0.5}},
		{"length 0xFFFFFFFF", slices.Concat(riffFile(fmtChunk(tagPCM, 1, rate, 16), chunk("LIST", []byte("INFOISFT"))),
			dataHeader(1<<32-1), pcm16(16384, -16384)), []float32{0.5, -0.5}},
		{"length of sox on a pipe", slices.Concat(riffFile(fmtChunk(tagPCM, 1, rate, 16)), dataHeader(0x7ffff000), pcm16(16384)),
			[]float32{0.5}},
		{"length of arecord on a pipe", slices.Concat(riffFile(fmtChunk(tagPCM, 1, rate, 16)), dataHeader(1<<31), pcm16(16384)),
			[]float32{0.5}},
		{"length unknown and half a sample at the end", slices.Concat(riffFile(fmtChunk(tagPCM, 1, rate, 16)), dataHeader(0),
			pcm16(16384), []byte{1}), []float32{0.5}},
		{"RF64", slices.Concat([]byte("RF64"), le(uint32(1<<32-1)), []byte("WAVE"),
			chunk("ds64", le(uint64(0), uint64(4), uint64(2), uint32(0))), fmtChunk(tagPCM, 1, rate, 16),
			dataHeader(1<<32-1), pcm16(16384, -16384), chunk("LIST", []byte("INFO"))), []float32{0.5, -0.5}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// OneByteReader and the lack of Seek stand for a slow pipe.
			for name, r := range map[string]io.Reader{"memory": bytes.NewReader(tt.file), "pipe": iotest.OneByteReader(bytes.NewReader(tt.file))} {
				got, err := Decode(r)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if got.Rate != rate || !slices.Equal(got.Samples, tt.want) {
					t.Errorf("%s: %v at %d Hz, want %v", name, got.Samples, got.Rate, tt.want)
				}
				if got.Warnings != nil {
					t.Errorf("%s: warned %q", name, got.Warnings)
				}
			}
		})
	}
}

func TestDecodeWAVWarns(t *testing.T) {
	second := make([]int16, 16000)
	tests := []struct {
		name    string
		file    []byte
		samples int
		want    string
	}{
		{"truncated", slices.Concat(riffFile(fmtChunk(tagPCM, 1, 16000, 16)), dataHeader(4*32000), pcm16(second...)),
			16000, "cut short: 3.00 s of 4.00 s are missing (75.0 %)"},
		{"truncated within a sample", slices.Concat(riffFile(fmtChunk(tagPCM, 2, 16000, 16)), dataHeader(64000), pcm16(second...), []byte{1}),
			8000, "cut short: 0.50 s of 1.00 s are missing (50.0 %)"},
		{"absurd length", slices.Concat(riffFile(fmtChunk(tagPCM, 1, 16000, 16)), dataHeader(4_000_000_000), pcm16(1, 2)),
			2, "cut short: 125000.00 s of 125000.00 s are missing (100.0 %)"},
		{"absurd length of RF64", slices.Concat([]byte("RF64"), le(uint32(1<<32-1)), []byte("WAVE"),
			chunk("ds64", le(uint64(0), uint64(1<<62), uint64(2), uint32(0))), fmtChunk(tagPCM, 1, 16000, 16),
			dataHeader(1<<32-1), pcm16(1, 2)), 2, "cut short"},
		{"floats beyond full scale", riffFile(fmtChunk(tagFloat, 1, 16000, 32), chunk("data", le(float32(1.5), float32(0)))),
			2, "1 samples (50.00 %) were beyond full scale (up to 1.5) and were clipped"},
		{"block length that contradicts", riffFile(chunk("fmt ", le(uint16(tagPCM), uint16(1), uint32(16000), uint32(0), uint16(7), uint16(16))),
			chunk("data", pcm16(1))), 1, "the header says 7 bytes for a moment of 1 channels of 16 bits; 2 were taken"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clip, err := Decode(bytes.NewReader(tt.file))
			if err != nil {
				t.Fatal(err)
			}
			if len(clip.Samples) != tt.samples {
				t.Errorf("%d samples, want %d", len(clip.Samples), tt.samples)
			}
			if len(clip.Warnings) != 1 || !strings.Contains(clip.Warnings[0], tt.want) {
				t.Errorf("warnings %q, want one with %q", clip.Warnings, tt.want)
			}
			if peakOf(clip.Samples) > 1 {
				t.Error("samples beyond 1")
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	data := chunk("data", make([]byte, 64))
	wav := func(tag, channels, rate, bits int) []byte { return riffFile(fmtChunk(tag, channels, rate, bits), data) }
	float := func(v float32) []byte {
		return riffFile(fmtChunk(tagFloat, 1, 8000, 32), chunk("data", le(float32(0), v)))
	}
	tests := []struct {
		name string
		file []byte
		want string // a part of the error
	}{
		{"empty", nil, "empty"},
		{"text", []byte("dear diary, today"), `begins with "dear dia"`},
		{"one byte", []byte{1}, "only WAV, FLAC, MP3 and Ogg Vorbis are read here"},
		{"mp3", []byte("\xff\xfb\x90\x64\x00\x00\x00\x00\x00\x00"), "no frame of sound was found"},
		{"mp3 behind a tag", slices.Concat([]byte("ID3\x04\x00\x00\x00\x00\x00\x05hello"), []byte("\xff\xfb\x90\x64")), "no frame of sound was found"},
		{"tag cut short", []byte("ID3\x04\x00\x00\x00\x00\x7f\x05hello"), "ID3 tag without sound"},
		{"aac", []byte("\xff\xf1\x50\x80\x00\x00\x00\x00"), "AAC"},
		{"ogg", []byte("OggS\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), "cut short"},
		{"m4a", []byte("\x00\x00\x00\x20ftypM4A \x00\x00\x00\x00"), "m4a"},
		{"aiff", []byte("FORM\x00\x00\x00\x20AIFFCOMM"), "AIFF"},
		{"avi", []byte("RIFF\x00\x00\x00\x20AVI LIST"), `not WAV ("AVI ")`},
		{"big-endian", []byte("RIFX\x00\x00\x00\x20WAVEfmt "), "big-endian"},
		{"nothing after RIFF", []byte("RIFF"), "before the samples begin"},
		{"cut within the header", wav(tagPCM, 1, 8000, 16)[:30], "before the samples begin"},
		{"cut before the data", wav(tagPCM, 1, 8000, 16)[:36], "before the samples begin"},
		{"data without fmt", riffFile(data), "no fmt chunk"},
		{"short fmt", riffFile(chunk("fmt ", make([]byte, 8)), data), "the fmt chunk has 8 bytes"},
		{"absurd fmt", slices.Concat(riffFile(), []byte("fmt "), le(uint32(1<<32-2)), fmtBody(tagPCM, 1, 8000, 16)), "before the samples begin"},
		{"absurd chunk", slices.Concat(riffFile(fmtChunk(tagPCM, 1, 8000, 16)), []byte("JUNK"), le(uint32(1<<32-1))), "before the samples begin"},
		{"short extensible", riffFile(fmtChunk(tagExtensible, 1, 8000, 16), data), "needs 40"},
		{"private extensible", riffFile(extensibleChunk(tagPCM, 1, 8000, 16, 16, "no such tail.."), data), "private coding"},
		{"0 channels", wav(tagPCM, 0, 8000, 16), "0 channels"},
		{"60000 channels", wav(tagPCM, 60000, 8000, 16), "60000 channels"},
		{"0 bits", wav(tagPCM, 1, 8000, 0), "0 bits"},
		{"0 bits float", wav(tagFloat, 1, 8000, 0), "0 bits"},
		{"0 Hz", wav(tagPCM, 1, 0, 16), "sample rate 0 Hz"},
		{"4 GHz", wav(tagPCM, 1, 4_000_000_000, 16), "sample rate 4000000000 Hz"},
		{"64 bits", wav(tagPCM, 1, 8000, 64), "PCM of 64 bits"},
		{"float of 16 bits", wav(tagFloat, 1, 8000, 16), "float of 16 bits"},
		{"adpcm", wav(0x0002, 1, 8000, 4), "ADPCM of 4 bits"},
		{"mp3 in wav", wav(0x0055, 1, 8000, 0), "MP3"},
		{"no such coding", wav(0x1234, 1, 8000, 8), "0x1234"},
		{"NaN", float(float32(math.NaN())), "sample 1 (at 0.0001 s) is not a number"},
		{"infinity", float(float32(math.Inf(-1))), "infinite"},
		{"integers as floats", float(32767), "beyond full scale"},
		{"NaN as float64", riffFile(fmtChunk(tagFloat, 1, 8000, 64), chunk("data", f64bits(math.NaN()))), "not a number"},
		{"huge float64", riffFile(fmtChunk(tagFloat, 1, 8000, 64), chunk("data", f64bits(1e300))), "sample 0"},
		{"no samples", riffFile(fmtChunk(tagPCM, 1, 8000, 16), chunk("data", nil)), "no samples"},
		{"no samples but tags", riffFile(fmtChunk(tagPCM, 1, 8000, 16), chunk("data", nil), chunk("LIST", []byte("INFO"))), "no samples"},
		{"less than a sample", slices.Concat(riffFile(fmtChunk(tagPCM, 1, 8000, 16)), dataHeader(100), []byte{1}), "no samples"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clip, err := Decode(bytes.NewReader(tt.file))
			if err == nil {
				t.Fatalf("no error, %d samples", len(clip.Samples))
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q, want %q in it", err, tt.want)
			}
			if clip.Samples != nil {
				t.Error("samples beside an error")
			}
		})
	}
}

// endless repeats its bytes for ever, as a runaway pipe does.
type endless struct {
	b []byte
	i int
}

func (e *endless) Read(p []byte) (int, error) {
	for n := range p {
		p[n] = e.b[e.i%len(e.b)]
		e.i++
	}
	return len(p), nil
}

func TestDecodeEndless(t *testing.T) {
	const limit = 1 << 16
	tests := []struct {
		name, want string
		r          io.Reader
	}{
		{"samples", "longer than", io.MultiReader(bytes.NewReader(slices.Concat(riffFile(fmtChunk(tagPCM, 1, 8000, 16)), dataHeader(0))), &endless{b: []byte{0}})},
		{"claimed samples", "longer than", io.MultiReader(bytes.NewReader(slices.Concat(riffFile(fmtChunk(tagPCM, 1, 8000, 16)), dataHeader(4<<20))), &endless{b: []byte{0}})},
		{"empty chunks", "no samples within", io.MultiReader(bytes.NewReader(riffFile()), &endless{b: chunk("JUNK", nil)})},
	}
	for _, tt := range tests {
		if _, err := decode(tt.r, limit); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestDecodeReadError(t *testing.T) {
	file := riffFile(fmtChunk(tagPCM, 1, 8000, 16), chunk("data", make([]byte, 1000)))
	for _, n := range []int{0, 5, 20, 40, 100} {
		r := io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(io.ErrClosedPipe))
		if _, err := Decode(r); err == nil || !strings.Contains(err.Error(), io.ErrClosedPipe.Error()) {
			t.Errorf("after %d bytes: error %v, want the reader's", n, err)
		}
	}
}

// The tables of ITU-T G.711 fall or rise without a break within each segment and are odd.
func TestG711(t *testing.T) {
	for b := range 128 {
		if a, c := expandALaw(byte(b)), expandALaw(byte(b|0x80)); a != -c || a >= 0 {
			t.Errorf("A-law %#02x: %d and %d", b, a, c)
		}
		if a, c := expandMuLaw(byte(b)), expandMuLaw(byte(b|0x80)); a != -c || a > 0 {
			t.Errorf("mu-law %#02x: %d and %d", b, a, c)
		}
	}
	for b := range 127 {
		if low, high := expandMuLaw(byte(b)), expandMuLaw(byte(b+1)); low >= high {
			t.Errorf("mu-law %#02x: %d does not come before %d", b, low, high)
		}
		if low, high := expandALaw(byte(b)^0x55), expandALaw(byte(b+1)^0x55); low <= high {
			t.Errorf("A-law %#02x: %d does not come after %d", b, low, high)
		}
	}
}
