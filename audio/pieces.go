package audio

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
)

// Pieces reads recordings of any length and takes their sound piece by piece, in bounded memory. Otherwise they are read as by
// [ReadFile] and [DecodeStream], which keep all: the samples and the warnings are the same.
type Pieces struct {
	// Apart leaves the two sides of a recording apart. Else it is known at the end, by the sound of all of it, what of them makes
	// one channel: until then both are given.
	Apart bool
	// Channels is how many channels stay apart, 8 at most. Recordings of more are mixed to two sides first, by their places, or to one
	// where these are not known. 0 means 2.
	Channels int
	// Begin is called before the first piece, with what is known then: Rate, Layout, and Sides: 1, 2, or the channels that stay apart.
	// It is called again where reading begins anew, by an ffmpeg: what came until then is void.
	Begin func(h Heard) error
	// Take gets a piece of each side, of one length, which it must not keep. Samples may lie beyond [-1, 1]: Side.Mix clips them.
	Take func(sides [][]float32) error
}

// Heard is what is known of a recording that was read.
type Heard struct {
	Rate     int // Hz
	Sides    int
	Layout   Layout // of the sides; 0 where it is not known, and where channels were mixed
	Frames   int64  // samples of a side
	Mono     Side   // what of the sides makes one channel; Left where they stay apart
	Warnings []string
}

// ReadFile reads the recording at path. Errors begin with the path.
func (p Pieces) ReadFile(ctx context.Context, path string) (Heard, error) {
	f, err := os.Open(path)
	if err != nil {
		return Heard{}, fmt.Errorf("%s: %w", path, pathCause(err))
	}
	defer f.Close()
	heard, err := p.read(func(to *receiver) (Clip, error) { return decodeFileTo(ctx, f, to) })
	if err != nil {
		return Heard{}, fmt.Errorf("%s: %w", path, pathCause(err))
	}
	return heard, nil
}

// ReadStream reads a recording from a pipe.
func (p Pieces) ReadStream(ctx context.Context, r io.Reader) (Heard, error) {
	return p.read(func(to *receiver) (Clip, error) { return decodeStreamTo(ctx, r, to) })
}

func (p Pieces) read(decode func(to *receiver) (Clip, error)) (Heard, error) {
	begun := false
	var own error // of Begin and Take, which the decoders know nothing of
	to := &receiver{most: math.MaxInt64, apart: p.Apart, channels: max(2, min(p.Channels, MaxKept))}
	to.take = func(rate int, sides [][]float32) error {
		if !begun {
			begun = true
			if own = p.Begin(Heard{Rate: rate, Sides: len(sides), Layout: to.layout}); own != nil {
				return own
			}
		}
		own = p.Take(sides)
		return own
	}
	to.restart = func() { begun = false }
	clip, err := decode(to)
	if own != nil {
		return Heard{}, own
	}
	if err != nil {
		return Heard{}, err
	}
	return Heard{Rate: clip.Rate, Sides: to.sides, Layout: to.layout, Frames: to.frames, Mono: to.mono, Warnings: clip.Warnings}, nil
}
