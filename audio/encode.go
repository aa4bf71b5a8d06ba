package audio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/starvc/vc/internal/atomicfile"
)

// Depth is how a sample is stored in a file.
type Depth string

const (
	Depth16    Depth = "16"  // integers of 16 bits
	Depth24    Depth = "24"  // integers of 24 bits
	DepthFloat Depth = "32f" // floats of 32 bits
)

// Depths are all that can be asked for.
func Depths() []Depth { return []Depth{Depth16, Depth24, DepthFloat} }

// Sound describes a file that is to be written. The zero Depth is Depth16.
type Sound struct {
	Rate     int // Hz
	Channels int
	Layout   Layout // the places of the channels, 0 for unknown; one or two need none
	Frames   int64  // moments that will be written, all channels together count as one
	Depth    Depth
	Tags     Tags
}

func (s *Sound) check() error {
	if s.Depth == "" {
		s.Depth = Depth16
	}
	if s.Depth != Depth16 && s.Depth != Depth24 && s.Depth != DepthFloat {
		return fmt.Errorf("depth %q is not known, known are %q", s.Depth, Depths())
	}
	if s.Frames < 0 {
		return fmt.Errorf("%d samples, want 0 or more", s.Frames)
	}
	if s.Layout.positions(s.Channels) == nil {
		s.Layout = 0
	}
	return errors.Join(checkRate(int64(s.Rate)), checkChannels(s.Channels))
}

// CheckChannels says why a file of that name could not hold so many channels, or returns nil.
func CheckChannels(name string, channels int) error {
	if ending := Ending(name); channels > 2 && slices.Contains(stereoEndings, ending) {
		return fmt.Errorf("%s holds two channels, and these are %d: let the name end in .wav, .flac or .m4a, or mix them to one", ending, channels)
	}
	return nil
}

// Encoder writes the sound of one file. Write takes interleaved samples, whole frames, rounds them to the nearest step without
// dither and clips them to [-1, 1]; a sample that is no number is an error. Close ends the file, and is an error unless exactly
// the announced frames came. It does not close what lies beneath.
type Encoder interface {
	Write(x []float32) error
	Close() error
}

// counter holds what every encoder knows of its input.
type counter struct {
	sound Sound
	done  int64 // frames
}

// take counts the samples of a Write and refuses what cannot be written.
func (c *counter) take(x []float32) error {
	if len(x)%c.sound.Channels != 0 {
		panic(fmt.Sprintf("audio: %d samples are no whole frames of %d channels", len(x), c.sound.Channels))
	}
	for i, v := range x {
		if v != v {
			return fmt.Errorf("sample %d is not a number", c.done+int64(i/c.sound.Channels))
		}
	}
	if c.done += int64(len(x) / c.sound.Channels); c.done > c.sound.Frames {
		return fmt.Errorf("internal: more than the %d samples that were announced", c.sound.Frames)
	}
	return nil
}

func (c *counter) end() error {
	if c.done != c.sound.Frames {
		return fmt.Errorf("internal: %d samples came, %d were announced", c.done, c.sound.Frames)
	}
	return nil
}

// Ending is that of a file's name, in lower case, with its dot.
func Ending(name string) string { return strings.ToLower(filepath.Ext(name)) }

var (
	wavEndings  = []string{".wav", ".wave"}
	flacEndings = []string{".flac"}
	// madeEndings are those of the formats that an ffmpeg writes: those that keep the length of the sound, and the mark of a converted
	// voice.
	madeEndings = []string{".mp3", ".ogg", ".opus", ".m4a", ".m4b", ".aif", ".aiff", ".caf", ".wma", ".wv", ".mka"}
	// stereoEndings are those that hold no more than two channels.
	stereoEndings = []string{".mp3", ".wma"}
	// videoEndings are those of containers that hold pictures beside sound, of which the same is true.
	videoEndings = []string{".mp4", ".m4v", ".mov", ".mkv", ".webm"}
)

// IsVideo reports whether a name ends like that of a video that [WriteSound] writes.
func IsVideo(name string) bool { return slices.Contains(videoEndings, Ending(name)) }

// CheckOutput says why [WriteSound] could not write a file of that name and depth, "" for any depth, or returns nil. A name without
// an ending is that of a WAV.
func CheckOutput(name string, d Depth) error {
	ending := Ending(name)
	switch {
	case ending == "" || slices.Contains(wavEndings, ending):
		return nil
	case slices.Contains(flacEndings, ending):
		if d == DepthFloat {
			return errors.New("FLAC holds integers of 16 or 24 bits and no floats: let the name end in .wav")
		}
		return nil
	case !slices.Contains(madeEndings, ending) && !slices.Contains(videoEndings, ending):
		return fmt.Errorf("files of the ending %s are not written: let the name end in .wav or .flac or, with an ffmpeg on the PATH, in one of %s",
			ending, strings.Join(slices.Concat(madeEndings, videoEndings), " "))
	case d != "":
		return fmt.Errorf("the depth of a sample can be chosen for WAV and FLAC only, not for %s", ending)
	case !HasFFmpeg():
		return fmt.Errorf("%s is written by ffmpeg, and there is none on the PATH: install ffmpeg, or let the name end in .wav or .flac", ending)
	}
	return nil
}

// newEncoder begins a WAV or FLAC, as the ending says.
func newEncoder(w io.Writer, ending string, s Sound) (Encoder, error) {
	if slices.Contains(flacEndings, ending) {
		return NewFLACEncoder(w, s)
	}
	return NewWAVEncoder(w, s)
}

// WriteSound writes the file at path in the format that its name ends in: WAV and FLAC here, others by an ffmpeg on the PATH.
// fill gives the samples. picture names a video whose pictures, subtitles and chapters are copied, "" for none; it must not be
// path. It holds what it held before or the whole sound, never a part; ctx ends an ffmpeg that is at work. Errors begin with the path.
func WriteSound(ctx context.Context, path string, s Sound, picture string, fill func(Encoder) error) error {
	ending := Ending(path)
	if err := CheckOutput(path, s.Depth); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if !slices.Contains(madeEndings, ending) && !slices.Contains(videoEndings, ending) {
		return atomicfile.Write(path, func(w io.Writer) error { return encodeAll(w, ending, s, fill) })
	}
	program, err := exec.LookPath("ffmpeg")
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return atomicfile.Replace(path, ending, func(f *os.File) error {
		return ffmpeg{program, ffmpegPatience}.encode(ctx, f, s, picture, fill)
	})
}

func encodeAll(w io.Writer, ending string, s Sound, fill func(Encoder) error) error {
	e, err := newEncoder(w, ending, s)
	if err != nil {
		return err
	}
	if err := fill(e); err != nil {
		return err
	}
	return e.Close()
}
