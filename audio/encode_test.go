package audio

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mewkiz/flac"
)

func encoded(t *testing.T, ending string, s Sound, x []float32) []byte {
	t.Helper()
	var b bytes.Buffer
	fill := func(e Encoder) error {
		for at := 0; at < len(x); { // pieces of odd lengths
			n := min(len(x)-at, 1234*s.Channels)
			if err := e.Write(x[at : at+n]); err != nil {
				return err
			}
			at += n
		}
		return nil
	}
	if err := encodeAll(&b, ending, s, fill); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestEncodersRoundTrip: what is read back is what was written, rounded, in every depth, and the sides stay apart.
func TestEncodersRoundTrip(t *testing.T) {
	steps := map[Depth]float64{Depth16: 1 << 15, Depth24: 1 << 23, DepthFloat: 0}
	for _, ending := range []string{".wav", ".flac"} {
		for depth, scale := range steps {
			if ending == ".flac" && depth == DepthFloat {
				continue
			}
			for _, channels := range []int{1, 2} {
				for _, frames := range []int{1, 15, 4095, 4096, 4097, 10001} {
					x := noise(channels*frames, 5)
					for i := range min(100, len(x)) {
						x[i] = float32(i%5) - 2 // full scale and beyond
					}
					file := encoded(t, ending, Sound{Rate: 22050, Channels: channels, Frames: int64(frames), Depth: depth, Tags: Tags{{"TITLE", "odd"}}}, x)
					got := readAll(t, file, channels)
					if len(got) != len(x) {
						t.Fatalf("%s %s %d channels: %d samples, want %d", ending, depth, channels, len(got), len(x))
					}
					for i, v := range x {
						want := clip(v)
						if scale > 0 {
							want = float32(float64(quantize(v, scale)) / scale)
						}
						if got[i] != want {
							t.Fatalf("%s %s %d channels: sample %d is %g, want %g", ending, depth, channels, i, got[i], want)
						}
					}
				}
			}
		}
	}
}

// readAll gives the interleaved samples of a file, and fails on any warning.
func readAll(t *testing.T, file []byte, channels int) []float32 {
	t.Helper()
	var x []float32
	if bytes.HasPrefix(file, []byte("fLaC")) {
		s, err := flac.New(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		sum := md5.New()
		for {
			f, err := s.ParseNext()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			f.Hash(sum)
			x = append(x, interleave(f)...)
		}
		if int(s.Info.NSamples)*channels != len(x) {
			t.Errorf("the header says %d samples", s.Info.NSamples)
		}
	} else {
		w, err := NewWAVReader(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]float32, 2*channels*100)
		for {
			n, err := w.Read(buf)
			x = append(x, buf[:n]...)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if w.Channels() != channels || w.Warnings() != nil {
			t.Errorf("%d channels, warnings %q", w.Channels(), w.Warnings())
		}
	}
	if _, err := Decode(bytes.NewReader(file)); err != nil {
		t.Error(err)
	}
	return x
}

func TestFLACSum(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.flac")
	x := buzz16(30000)
	err := WriteSound(context.Background(), path, Sound{Rate: 16000, Channels: 1, Frames: int64(len(x)), Depth: Depth24}, "",
		func(e Encoder) error { return e.Write(x) })
	if err != nil {
		t.Fatal(err)
	}
	onlyFile(t, path)
	file, _ := os.ReadFile(path)
	s, err := flac.New(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	sum := md5.New()
	for {
		f, err := s.ParseNext()
		if err != nil {
			break
		}
		f.Hash(sum)
	}
	if !bytes.Equal(sum.Sum(nil), s.Info.MD5sum[:]) {
		t.Error("the checksum of the sound is wrong")
	}
	if 3*len(x)*9/10 < len(file) {
		t.Errorf("%d bytes for %d samples of 24 bits: nothing was gained", len(file), len(x))
	}
	if program, err := exec.LookPath("ffmpeg"); err == nil {
		if out, err := exec.Command(program, "-v", "warning", "-i", path, "-f", "null", "-").CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("ffmpeg says %q, %v", out, err)
		}
	}
}

func buzz16(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(0.5*math.Sin(float64(i)/20) + 0.1*math.Sin(float64(i)/3))
	}
	return x
}

// TestWAVBeyond4GiB: lengths that 32 bits do not hold stand in an RF64, and so do those that stand for unknown ones.
func TestWAVBeyond4GiB(t *testing.T) {
	for frames, id := range map[int64]string{1000: "RIFF", 1<<30 - 100: "RF64", 1<<30 + 100000: "RIFF", 1<<31 - 1000: "RF64", 1 << 33: "RF64"} {
		e := WAVEncoder{counter: counter{sound: Sound{Rate: 16000, Channels: 1, Frames: frames, Depth: Depth16, Tags: Tags{{"TITLE", "long"}}}}}
		head := e.header()
		w, err := NewWAVReader(bytes.NewReader(append(head, make([]byte, 100)...)))
		if err != nil || string(head[:4]) != id || w.left != 2*frames {
			t.Errorf("%d samples: %s, %d bytes of samples, error %v, want %s", frames, head[:4], w.left, err, id)
		}
	}
}

func TestEncodersRefuse(t *testing.T) {
	tests := []struct {
		name, ending string
		s            Sound
		x            []float32
		want         string
	}{
		{"no rate", ".wav", Sound{Channels: 1}, nil, "wav: "},
		{"no channels", ".flac", Sound{Rate: 16000}, nil, "flac: "},
		{"floats in FLAC", ".flac", Sound{Rate: 16000, Channels: 1, Depth: DepthFloat}, nil, "no floats"},
		{"9 channels in FLAC", ".flac", Sound{Rate: 16000, Channels: 9}, nil, "9 channels"},
		{"depth", ".wav", Sound{Rate: 16000, Channels: 1, Depth: "12"}, nil, `depth "12"`},
		{"NaN", ".wav", Sound{Rate: 16000, Channels: 1, Frames: 2}, []float32{0, float32(math.NaN())}, "sample 1 is not a number"},
		{"too many", ".flac", Sound{Rate: 16000, Channels: 1, Frames: 1}, []float32{0, 0}, "announced"},
		{"too few", ".wav", Sound{Rate: 16000, Channels: 1, Frames: 3}, []float32{0, 0}, "announced"},
	}
	for _, tt := range tests {
		err := encodeAll(io.Discard, tt.ending, tt.s, func(e Encoder) error { return e.Write(tt.x) })
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
	short := &shortWriter{left: 5000}
	err := encodeAll(short, ".flac", Sound{Rate: 16000, Channels: 1, Frames: 30000}, func(e Encoder) error { return e.Write(noise(30000, 1)) })
	if !errors.Is(err, errFull) && (err == nil || !strings.Contains(err.Error(), errFull.Error())) {
		t.Errorf("full disk: error %v", err)
	}
}

func TestCheckOutput(t *testing.T) {
	t.Setenv("PATH", "")
	for name, want := range map[string]string{
		"a.wav": "", "a.WAV": "", "a": "", "a.flac": "", "a.mp3": "install ffmpeg", "a.mp4": "install ffmpeg", "a.aac": "are not written", "a.txt": ".mp3",
	} {
		err := CheckOutput(name, "")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	if err := CheckOutput("a.mp3", Depth24); err == nil || !strings.Contains(err.Error(), "depth") {
		t.Errorf("24 bits of MP3: %v", err)
	}
	if err := CheckOutput("a.flac", DepthFloat); err == nil || !strings.Contains(err.Error(), "no floats") {
		t.Errorf("floats in FLAC: %v", err)
	}
}

// TestWriteSoundByFFmpeg writes every format that an ffmpeg is asked for, and reads it back.
func TestWriteSoundByFFmpeg(t *testing.T) {
	if !HasFFmpeg() {
		t.Skip("no ffmpeg on the PATH")
	}
	tags := Tags{{"TITLE", "A talk; part=1"}, {"ARTIST", "Ann \\ Bo"}, {"COMMENT", "kept"}}.Marked("ann", "v1")
	x := make([]float32, 2*16000)
	for i := range 16000 {
		x[2*i], x[2*i+1] = float32(0.3*math.Sin(float64(i)/10)), float32(0.1*math.Sin(float64(i)/30))
	}
	for _, ending := range slices.Concat(madeEndings, videoEndings, wavEndings, flacEndings) {
		t.Run(ending, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "-x y"+ending)
			err := WriteSound(context.Background(), path, Sound{Rate: 16000, Channels: 2, Frames: 16000, Tags: tags}, "",
				func(e Encoder) error { return e.Write(x) })
			if err != nil {
				t.Fatal(err)
			}
			onlyFile(t, path)
			clip, err := ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := clip.Duration().Seconds(); math.Abs(got-1) > 0.03 {
				t.Errorf("%g s, want 1", got)
			}
			t.Logf("%d samples at %d Hz", len(clip.Samples), clip.Rate)
			got := ReadTags(context.Background(), path)
			if got.Get("TITLE") != "A talk; part=1" || !strings.HasPrefix(got.Get("COMMENT"), "kept; ") {
				t.Errorf("tags %q", got)
			}
			if got.Mark() != "voice converted to ann by vc v1" {
				t.Errorf("mark %q in %q", got.Mark(), got)
			}
		})
	}
}

func TestWriteSoundKeepsPicture(t *testing.T) {
	program, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("no ffmpeg on the PATH")
	}
	dir := t.TempDir()
	film := filepath.Join(dir, "film.mp4")
	if out, err := exec.Command(program, "-v", "error", "-f", "lavfi", "-i", "testsrc=duration=1:size=64x48:rate=10", "-f", "lavfi", "-i",
		"sine=duration=1", "-c:v", "mpeg4", "-metadata", "title=Film", film).CombinedOutput(); err != nil {
		t.Skipf("no video can be made: %v %s", err, out)
	}
	for _, name := range []string{"new.mp4", "new.mkv", "new.mov"} {
		path := filepath.Join(dir, name)
		x := buzz16(16000)
		err := WriteSound(context.Background(), path, Sound{Rate: 16000, Channels: 1, Frames: 16000}, film, func(e Encoder) error { return e.Write(x) })
		if err != nil {
			t.Fatal(err)
		}
		sums := map[string]string{}
		for _, f := range []string{film, path} {
			out, err := exec.Command(program, "-v", "error", "-i", f, "-map", "0:v", "-c", "copy", "-f", "md5", "-").Output()
			if err != nil {
				t.Fatal(err)
			}
			sums[f] = string(out)
		}
		if sums[film] != sums[path] {
			t.Errorf("%s: the picture was changed: %q", name, sums)
		}
		if clip, err := ReadFile(path); err != nil || math.Abs(clip.Duration().Seconds()-1) > 0.07 {
			t.Errorf("%s: %v of sound, error %v", name, clip.Duration(), err)
		}
	}
}
