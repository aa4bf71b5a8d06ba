package audio

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// pieced reads a recording by Pieces and puts it together.
func pieced(t *testing.T, apart bool, read func(p Pieces) (Heard, error)) (Clip, [2][]float32) {
	t.Helper()
	var left, right []float32
	two := false
	heard, err := read(Pieces{
		Apart: apart,
		Begin: func(h Heard) error {
			left, right, two = nil, nil, h.Sides == 2
			return nil
		},
		Take: func(sides [][]float32) error {
			if two != (len(sides) == 2) || two && len(sides[0]) != len(sides[1]) {
				t.Errorf("%d sides, %d samples", len(sides), len(sides[0]))
			}
			left = append(left, sides[0]...)
			if two {
				right = append(right, sides[1]...)
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if heard.Frames != int64(len(left)) {
		t.Errorf("%d frames were announced, %d came", heard.Frames, len(left))
	}
	return Clip{heard.Mono.Mix(nil, together(left, right)), heard.Rate, heard.Warnings}, [2][]float32{left, right}
}

// together are the sides of which right may be missing.
func together(left, right []float32) [][]float32 {
	if right == nil {
		return [][]float32{left}
	}
	return [][]float32{left, right}
}

// TestPiecesAreTheWhole reads every recording of testdata both ways.
func TestPiecesAreTheWhole(t *testing.T) {
	var files []string
	for _, pattern := range []string{"../testdata/clips/*", "../testdata/coded/*"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	dir := t.TempDir()
	x := noise(60000, 4)
	files = append(files, filepath.Join(dir, "noise.wav"))
	file := encoded(t, ".wav", Sound{Rate: 44100, Channels: 2, Frames: 30000, Depth: DepthFloat}, x)
	if err := os.WriteFile(files[len(files)-1], file, 0o644); err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, path := range files {
		if recording, own := IsRecording(path); !recording || !own {
			continue
		}
		want, err := ReadFile(path)
		if err != nil {
			continue
		}
		read++
		got, _ := pieced(t, false, func(p Pieces) (Heard, error) { return p.ReadFile(context.Background(), path) })
		if got.Rate != want.Rate || !slices.Equal(got.Samples, want.Samples) || !slices.Equal(got.Warnings, want.Warnings) {
			t.Errorf("%s: %d samples at %d Hz, %q, want %d at %d, %q", path, len(got.Samples), got.Rate, got.Warnings, len(want.Samples), want.Rate, want.Warnings)
		}
	}
	if read < 3 {
		t.Errorf("%d recordings were read", read)
	}
}

// TestPiecesOwnErrors: what the receiver says comes back as it is, and an ffmpeg is not asked for it.
func TestPiecesOwnErrors(t *testing.T) {
	file := encoded(t, ".wav", Sound{Rate: 16000, Channels: 1, Frames: 20000}, noise(20000, 1))
	own := errors.New("no room")
	for at := range 3 {
		calls := 0
		call := func() error {
			if calls++; calls > at {
				return own
			}
			return nil
		}
		p := Pieces{Begin: func(Heard) error { return call() }, Take: func([][]float32) error { return call() }}
		if _, err := p.ReadStream(context.Background(), bytes.NewReader(file)); err != own {
			t.Errorf("call %d fails: %v", at, err)
		}
	}
}

func TestPiecesApart(t *testing.T) {
	a, silent := noise(20000, 1), make([]float32, 20000)
	var x []float32
	for i := range a {
		x = append(x, a[i], silent[i])
	}
	file := encoded(t, ".wav", Sound{Rate: 16000, Channels: 2, Frames: 20000, Depth: DepthFloat}, x)
	clip, sides := pieced(t, true, func(p Pieces) (Heard, error) { return p.ReadStream(context.Background(), bytes.NewReader(file)) })
	if !slices.Equal(sides[0], a) || !slices.Equal(sides[1], silent) || clip.Warnings != nil {
		t.Errorf("the sides are others, warnings %q", clip.Warnings)
	}
	clip, _ = pieced(t, false, func(p Pieces) (Heard, error) { return p.ReadStream(context.Background(), bytes.NewReader(file)) })
	if !slices.Equal(clip.Samples, a) || len(clip.Warnings) != 1 {
		t.Errorf("the silent side was not left out, warnings %q", clip.Warnings)
	}
}
