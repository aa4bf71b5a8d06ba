package audio

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/go-audio/wav"
)

func TestEncodeWAV(t *testing.T) {
	tests := []struct {
		name    string
		samples []float32
		want    []int16
	}{
		{"none", nil, nil},
		{"steps and clipping", []float32{0, 0.5, -0.5, 1, -1, 2, -2, float32(math.Inf(1)), 0.4 / 32768, -0.6 / 32768},
			[]int16{0, 16384, -16384, 32767, -32768, 32767, -32768, 32767, 0, -1}},
		{"several blocks", make([]float32, 20000), make([]int16, 20000)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer // a Buffer cannot seek: the header is right at once
			if err := EncodeWAV(&b, Clip{Samples: tt.samples, Rate: 22050}); err != nil {
				t.Fatal(err)
			}
			if want := riffFile(fmtChunk(tagPCM, 1, 22050, 16), chunk("data", pcm16(tt.want...))); !bytes.Equal(b.Bytes(), want) {
				t.Errorf("got %x\nwant %x", b.Bytes()[:min(b.Len(), 80)], want[:min(len(want), 80)])
			}
			if d := wav.NewDecoder(bytes.NewReader(b.Bytes())); len(tt.want) > 0 && (!d.IsValidFile() || d.SampleRate != 22050) {
				t.Error("go-audio/wav does not like it")
			}
		})
	}
}

func TestEncodeWAVRefuses(t *testing.T) {
	var b bytes.Buffer
	for name, clip := range map[string]Clip{
		"no rate": {Samples: []float32{0}},
		"NaN":     {Samples: []float32{0, float32(math.NaN())}, Rate: 16000},
	} {
		if err := EncodeWAV(&b, clip); err == nil || b.Len() > 0 {
			t.Errorf("%s: error %v, %d bytes written", name, err, b.Len())
		}
	}
	short := &shortWriter{left: 100}
	if err := EncodeWAV(short, Clip{Samples: make([]float32, 1000), Rate: 16000}); !errors.Is(err, errFull) {
		t.Errorf("full disk: error %v", err)
	}
}

var errFull = errors.New("no space left on device")

type shortWriter struct{ left int }

func (w *shortWriter) Write(p []byte) (int, error) {
	n := min(len(p), w.left)
	w.left -= n
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

func TestFileRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b.wav")
	want := noise(12345, 9)
	if err := WriteFile(path, Clip{Samples: want, Rate: 16000}); err != nil {
		t.Fatal(err)
	}
	first, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if d := math.Abs(float64(first.Samples[i] - want[i])); d > 0.5/32768+1e-9 && want[i] < 32767./32768 {
			t.Fatalf("sample %d: %g, want %g", i, first.Samples[i], want[i])
		}
	}
	if err := WriteFile(path, first); err != nil {
		t.Fatal(err)
	}
	second, err := ReadFile(path)
	if err != nil || !slices.Equal(first.Samples, second.Samples) {
		t.Errorf("the second round changes the samples (error %v)", err)
	}
	onlyFile(t, path)
}

// onlyFile fails when the folder of path holds anything else.
func onlyFile(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != filepath.Base(path) {
		t.Errorf("left behind: %v", entries)
	}
}

func TestReadFileErrors(t *testing.T) {
	t.Setenv("PATH", "") // no ffmpeg
	dir := t.TempDir()
	song := filepath.Join(dir, "it's a song.m4a")
	if err := os.WriteFile(song, []byte("\x00\x00\x00\x20ftypM4A aaaaaaaaaaaa"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ path, want string }{
		{dir, "is a folder"},
		{filepath.Join(dir, "none.wav"), "no such file"},
		{song, `ffmpeg -i '` + filepath.Join(dir, `it'\''s a song.m4a`) + `' '`},
	}
	for _, tt := range tests {
		_, err := ReadFile(tt.path)
		if err == nil || !strings.HasPrefix(err.Error(), tt.path+": ") || !strings.Contains(err.Error(), tt.want) {
			if tt.want == "no such file" && runtime.GOOS == "windows" && err != nil {
				continue
			}
			t.Errorf("error %q, want the path first and %q", err, tt.want)
		}
	}
}
