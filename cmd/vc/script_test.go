package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/base"
	"github.com/starvc/vc/internal/untrained"
)

func TestMain(m *testing.M) {
	// Whatever this program was built with, vc has no base model in scripts, and vc-base has an untrained one.
	testscript.Main(m, map[string]func(){
		"vc": func() { os.Exit(start(nil)) },
		"vc-base": func() {
			os.Exit(start(func() (io.Reader, error) {
				var b bytes.Buffer
				err := describedModel().Write(&b, gan.Half)
				return &b, err
			}))
		},
	})
}

// describedModel is random.safetensors with a word about a speaker.
func describedModel() *gan.Model {
	m := untrained.Model(gan.Tiny(), 3, 1)
	m.Speakers[1].About = "woman, US English"
	return m
}

// TestScripts runs the command as a command. Every script finds random.safetensors, an untrained model whose
// speakers are called spk0, spk1 and spk2, other.safetensors, another one, and the recordings that makeInputs lists.
func TestScripts(t *testing.T) {
	testdata, err := filepath.Abs("../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("TESTDATA", testdata)
			e.Setenv("VCPATH", filepath.SplitList(e.Getenv("PATH"))[0]) // of this program alone
			if err := untrained.Model(gan.Tiny(), 3, 1).Save(filepath.Join(e.WorkDir, "random.safetensors"), gan.Full); err != nil {
				return err
			}
			if err := untrained.Model(gan.Tiny(), 3, 2).Save(filepath.Join(e.WorkDir, "other.safetensors"), gan.Full); err != nil {
				return err
			}
			if err := makeNets(e.WorkDir); err != nil {
				return err
			}
			return makeInputs(e.WorkDir)
		},
		Condition: func(cond string) (bool, error) {
			if cond == "devfull" {
				_, err := os.Stat("/dev/full")
				return err == nil, nil
			}
			if cond == "networks" {
				return base.Has(base.Judge) && base.Has(base.Phones), nil
			}
			if cond == "ffmpeg" {
				return audio.HasFFmpeg(), nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"duration": duration, "cutfile": cutFile, "flipbyte": flipByte, "untouched": untouched,
			"samesize": sameSize, "near": near,
			"silence": silence, "channel": channelOf, "samesound": sameSound, "length": length, "tag": tag, "tagged": tagged, "sides": sides,
			"paced": paced,
		},
	})
}

// duration FILE SECONDS RATE checks a WAV to within one hop of 10 ms.
func duration(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: duration FILE SECONDS RATE")
	}
	clip, err := audio.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	want, err := strconv.ParseFloat(args[1], 64)
	ts.Check(err)
	if got := clip.Duration().Seconds(); math.Abs(got-want) > 0.01 {
		ts.Fatalf("%s lasts %g s, want %g", args[0], got, want)
	}
	if fmt.Sprint(clip.Rate) != args[2] {
		ts.Fatalf("%s is at %d Hz, want %s", args[0], clip.Rate, args[2])
	}
	if len(clip.Warnings) > 0 {
		ts.Fatalf("%s: %q", args[0], clip.Warnings)
	}
}

// silence FILE MINUTES writes a long recording of few bytes.
func silence(ts *testscript.TestScript, neg bool, args []string) {
	minutes, err := strconv.Atoi(args[1])
	ts.Check(err)
	n := minutes * 60 * 1000
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), riff(1, 1, 1000, 8, bytes.Repeat([]byte{128}, n), uint32(n)), 0o666))
}

// cutfile FILE OUT BYTES keeps the beginning of a file.
func cutFile(ts *testscript.TestScript, neg bool, args []string) {
	data := ts.ReadFile(args[0])
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(data[:n]), 0o666))
}

// flipbyte FILE OUT flips a bit in the middle of a file.
func flipByte(ts *testscript.TestScript, neg bool, args []string) {
	data := []byte(ts.ReadFile(args[0]))
	data[len(data)/2] ^= 0x10
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), data, 0o666))
}

// untouched DIR checks that no temporary file was left in a folder.
func untouched(ts *testscript.TestScript, neg bool, args []string) {
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".vc-") {
			ts.Fatalf("%s was left behind", e.Name())
		}
	}
}

// samesize A B compares the sizes of two files.
func sameSize(ts *testscript.TestScript, neg bool, args []string) {
	if a, b := ts.ReadFile(args[0]), ts.ReadFile(args[1]); len(a) != len(b) {
		ts.Fatalf("%s has %d bytes, %s has %d", args[0], len(a), args[1], len(b))
	}
}

// near A B compares 16-bit samples, which may differ by one step.
func near(ts *testscript.TestScript, neg bool, args []string) {
	sameSize(ts, neg, args)
	a, b := ts.ReadFile(args[0]), ts.ReadFile(args[1])
	for i := 0; i+1 < len(a); i += 2 {
		v := int16(a[i]) | int16(a[i+1])<<8
		w := int16(b[i]) | int16(b[i+1])<<8
		if d := int(v) - int(w); d < -1 || d > 1 {
			ts.Fatalf("sample %d is %d in %s and %d in %s", i/2, v, args[0], w, args[1])
		}
	}
}

func buzz(rate int, seconds float64) []float32 {
	x := make([]float32, int(math.Round(seconds*float64(rate))))
	for i := range x {
		for k := 1; k < 8; k++ {
			x[i] += float32(0.1 / float64(k) * math.Sin(2*math.Pi*float64(k)*140*float64(i)/float64(rate)))
		}
	}
	return x
}

// riff builds a WAV by hand, right or wrong. length is what the header claims.
func riff(code, channels, rate, bits int, data []byte, length uint32) []byte {
	b := append([]byte("RIFF"), 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(b[4:], length+36)
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	b = binary.LittleEndian.AppendUint16(b, uint16(code))
	b = binary.LittleEndian.AppendUint16(b, uint16(channels))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate*channels*bits/8))
	b = binary.LittleEndian.AppendUint16(b, uint16(channels*bits/8))
	b = binary.LittleEndian.AppendUint16(b, uint16(bits))
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, length)
	return append(b, data...)
}

func pcm16(x []float32, channels int) []byte {
	var b []byte
	for _, v := range x {
		for range channels {
			b = binary.LittleEndian.AppendUint16(b, uint16(int16(v*32767)))
		}
	}
	return b
}

func floats(x []float32) []byte {
	var b []byte
	for _, v := range x {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// quieter is another sound: softer, and backwards.
func quieter(x []float32) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[len(x)-1-i] = 0.3 * v
	}
	return y
}

// beside lays 16-bit samples of two sides beside each other.
func beside(left, right []byte) []byte {
	var b []byte
	for i := 0; i < len(left); i += 2 {
		b = append(append(b, left[i:i+2]...), right[i:i+2]...)
	}
	return b
}

// writeSurround writes channels that are those of 5.1 at 16 kHz.
func writeSurround(path string, channels ...[]float32) error {
	s := audio.Sound{Rate: 16000, Channels: 6, Layout: 0x3f, Frames: int64(len(channels[0]))}
	return audio.WriteSound(context.Background(), path, s, "", func(e audio.Encoder) error {
		var x []float32
		for t := range channels[0] {
			for _, c := range channels {
				x = append(x, float32(int16(c[t]*32767))/(1<<15)) // as pcm16 has it
			}
		}
		return e.Write(x)
	})
}

// channelOf FILE N MONO compares a channel of six with a file of one, to a step of 16 bits; - is silence.
func channelOf(ts *testscript.TestScript, neg bool, args []string) {
	var got []float32
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	heard, err := audio.Pieces{
		Apart: true, Channels: 6, Begin: func(audio.Heard) error { return nil },
		Take: func(sides [][]float32) error {
			got = append(got, sides[n]...)
			return nil
		},
	}.ReadFile(context.Background(), ts.MkAbs(args[0]))
	ts.Check(err)
	if heard.Sides != 6 || heard.Layout == 0 {
		ts.Fatalf("%s: %d sides, layout %x", args[0], heard.Sides, heard.Layout)
	}
	want := make([]float32, len(got))
	if args[2] != "-" {
		clip, err := audio.ReadFile(ts.MkAbs(args[2]))
		ts.Check(err)
		want = clip.Samples
	}
	if len(got) != len(want) {
		ts.Fatalf("%d samples, want %d", len(got), len(want))
	}
	for i, v := range got {
		if d := math.Abs(float64(v - want[i])); d > 1.1/(1<<15) {
			ts.Fatalf("%s: sample %d of channel %d is %g, want %g", args[0], i, n, v, want[i])
		}
	}
}

func makeInputs(dir string) error {
	half := pcm16(buzz(16000, 0.5), 1)
	nan := buzz(16000, 0.5)
	nan[77] = float32(math.NaN())
	ulaw := bytes.Repeat([]byte{0x8f, 0x9f, 0x0f, 0x1f}, 2000)
	low := make([]float32, 24000)
	for i := range low {
		low[i] = float32(0.2 * math.Sin(2*math.Pi*50*float64(i)/16000))
	}
	nothing := make([]float32, 24000)
	if err := writeSurround(filepath.Join(dir, "surround.wav"), buzz(16000, 1.5), nothing, nothing, low, nothing, quieter(buzz(16000, 1.5))); err != nil {
		return err
	}
	files := map[string][]byte{
		// All right.
		"half.wav":    riff(1, 1, 16000, 16, half, uint32(len(half))),
		"stereo.wav":  riff(1, 2, 44100, 16, pcm16(buzz(44100, 0.5), 2), uint32(4*22050)),
		"float.wav":   riff(3, 1, 22050, 32, floats(buzz(22050, 0.5)), uint32(4*11025)),
		"ulaw.wav":    riff(7, 1, 8000, 8, ulaw, 8000),
		"alaw.wav":    riff(6, 1, 8000, 8, ulaw, 8000),
		"pipe0.wav":   riff(1, 1, 16000, 16, half, 0),
		"pipeff.wav":  riff(1, 1, 16000, 16, half, math.MaxUint32),
		"left.wav":    riff(1, 1, 16000, 16, pcm16(buzz(16000, 1.5), 1), 2*24000),
		"right.wav":   riff(1, 1, 16000, 16, pcm16(quieter(buzz(16000, 1.5)), 1), 2*24000),
		"front.wav":   riff(1, 1, 16000, 16, pcm16(buzz(16000, 1.5), 1), 2*24000),
		"low.wav":     riff(1, 1, 16000, 16, pcm16(low, 1), 2*24000),
		"back.wav":    riff(1, 1, 16000, 16, pcm16(quieter(buzz(16000, 1.5)), 1), 2*24000),
		"both.wav":    riff(1, 2, 16000, 16, beside(pcm16(buzz(16000, 1.5), 1), pcm16(quieter(buzz(16000, 1.5)), 1)), 4*24000),
		"silence.wav": riff(1, 1, 16000, 16, make([]byte, 16000), 16000),
		"raw48.s16":   pcm16(buzz(48000, 0.5), 1),
		// Wrong.
		"cut.wav":     riff(1, 1, 16000, 16, half, uint32(2*len(half))),
		"odd.wav":     riff(1, 1, 16000, 16, half[:len(half)-1], uint32(len(half)-1)),
		"empty.wav":   nil,
		"text.wav":    []byte("this is not a recording at all, it only says so in its name\n"),
		"chan0.wav":   riff(1, 0, 16000, 16, half, uint32(len(half))),
		"bits0.wav":   riff(1, 1, 16000, 0, half, uint32(len(half))),
		"rate0.wav":   riff(1, 1, 0, 16, half, uint32(len(half))),
		"nan.wav":     riff(3, 1, 16000, 32, floats(nan), uint32(4*len(nan))),
		"nosound.wav": riff(1, 1, 16000, 16, nil, 0),
		"song.mp3":    append([]byte{0xff, 0xfb, 0x90, 0x64}, make([]byte, 4000)...),
		"nan.f32":     floats(nan),
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			return err
		}
	}
	return nil
}
