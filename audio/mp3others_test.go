package audio

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// MP3 of every rate that is decoded here, one channel and joint stereo, constant and variable bit rate, is what mpg123 makes of it. The
// reference is not ffmpeg: at 24 kHz, scale factor band 18 begins at line 330 there, and at 332 in ISO 13818-3, in LAME and in
// mpg123, so that it and they are 25 to 50 dB apart on any file.
func TestMP3AsMPG123(t *testing.T) {
	if testing.Short() {
		t.Skip("encodes for half a minute")
	}
	for _, program := range []string{"ffmpeg", "mpg123"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("there is no " + program + " to compare with")
		}
	}
	source := filepath.Join("..", "testdata", "voices", "kathleen", "arctic_a0039.flac")
	for _, rate := range []int{11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000} {
		for _, kind := range []struct {
			name     string
			channels int
			how      []string
		}{
			{"mono", 1, []string{"-b:a", "32k"}}, {"mono variable", 1, []string{"-q:a", "4"}},
			{"joint", 2, []string{"-b:a", "64k"}}, {"joint variable", 2, []string{"-q:a", "4"}}, {"apart", 2, []string{"-joint_stereo", "0", "-b:a", "64k"}},
		} {
			t.Run(fmt.Sprint(rate, " ", kind.name), func(t *testing.T) {
				t.Parallel()
				file := filepath.Join(t.TempDir(), "x.mp3")
				args := slices.Concat([]string{"-v", "error", "-i", source, "-t", "1.5", "-af", "pan=stereo|c0=c0|c1=.6*c0,adelay=0|9", "-ar", fmt.Sprint(rate),
					"-ac", fmt.Sprint(kind.channels), "-c:a", "libmp3lame"}, kind.how, []string{file})
				if out, err := exec.Command("ffmpeg", args...).CombinedOutput(); err != nil {
					t.Skipf("this ffmpeg makes none: %v: %s", err, out)
				}
				reference, err := exec.Command("mpg123", "-q", "-e", "f32", "-s", file).Output()
				if err != nil {
					t.Skipf("this mpg123 does not decode it: %v", err)
				}
				var sides [2][]float32
				p := Pieces{Apart: true, Begin: func(Heard) error { return nil }, Take: func(x [][]float32) error {
					for side := range x {
						sides[side] = append(sides[side], x[side]...)
					}
					return nil
				}}
				heard, err := p.ReadFile(context.Background(), file)
				if err != nil || heard.Warnings != nil || heard.Rate != rate {
					t.Fatalf("%d Hz, warnings %q, error %v", heard.Rate, heard.Warnings, err)
				}
				for side := range kind.channels {
					want := make([]float32, 0, len(sides[side]))
					for i := side; 4*i < len(reference); i += kind.channels {
						want = append(want, math.Float32frombits(binary.LittleEndian.Uint32(reference[4*i:])))
					}
					if len(want) != len(sides[side]) {
						t.Fatalf("%d samples, want %d", len(sides[side]), len(want))
					}
					// 16 bits are 65 to 75 dB below speech. go-mp3 leaves a few lines of short blocks in mid and side, 45 dB below at low rates.
					if dB := 10 * math.Log10(likeness(sides[side], want)); dB < 40 {
						t.Errorf("side %d: the difference is %.1f dB below the sound, want 40", side, dB)
					}
				}
			})
		}
	}
}

// Intensity stereo would lose a side without a word, and mixed blocks of MPEG 2 would be noise: both are for ffmpeg. A single such frame
// is one whose header is damaged.
func TestMP3OfForeignFrames(t *testing.T) {
	intensity := func(frame []byte) { frame[3] = frame[3]&0x0f | 0x50 }
	mixed := func(frame []byte) { // of one channel: window switching, short blocks, mixed
		const at = 8 + 1 + 12 + 9 + 8 + 9
		for i := range 4 {
			bit := byte(1) << (7 - (at+i)%8)
			frame[4+(at+i)/8] |= bit
			if i == 2 {
				frame[4+(at+i)/8] &^= bit // block type 2
			}
		}
	}
	for _, tt := range []struct {
		file   string
		change func([]byte)
	}{{"speech44.mp3", intensity}, {"speech22.mp3", mixed}} {
		frames := mp3Frames(t, coded(t, tt.file))
		whole, err := Decode(bytes.NewReader(slices.Concat(frames...)))
		if err != nil {
			t.Fatal(err)
		}
		tt.change(frames[9])
		clip, err := Decode(bytes.NewReader(slices.Concat(frames...)))
		if err != nil || len(clip.Samples) != len(whole.Samples) || !strings.Contains(fmt.Sprint(clip.Warnings), "damaged or incomplete and silent") {
			t.Errorf("%s, one frame: %d samples, want %d, warnings %q, error %v", tt.file, len(clip.Samples), len(whole.Samples), clip.Warnings, err)
		}
		for _, f := range frames[10:20] {
			tt.change(f)
		}
		var unread *formatError
		if _, err = Decode(bytes.NewReader(slices.Concat(frames...))); !errors.As(err, &unread) || !strings.Contains(err.Error(), "intensity stereo") {
			t.Errorf("%s, many frames: error %v", tt.file, err)
		}
	}
}
