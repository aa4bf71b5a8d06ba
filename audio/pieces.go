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
	// Begin is called before the first piece, with the rate in Hz and the sides, 1 or 2. It is called again where reading begins
	// anew, by an ffmpeg: what came until then is void.
	Begin func(rate, sides int) error
	// Take gets a piece, which it must not keep. right is nil where there is one side. Samples may lie beyond [-1, 1]: Side.Mix
	// clips them.
	Take func(left, right []float32) error
}

// Heard is what is known of a recording that was read.
type Heard struct {
	Rate     int // Hz
	Sides    int
	Frames   int64 // samples of a side
	Mono     Side  // what of the sides makes one channel; Left where they stay apart
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
	to := &receiver{most: math.MaxInt64, apart: p.Apart}
	to.take = func(rate int, left, right []float32) error {
		if !begun {
			begun = true
			sides := 1
			if right != nil {
				sides = 2
			}
			if own = p.Begin(rate, sides); own != nil {
				return own
			}
		}
		own = p.Take(left, right)
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
	return Heard{Rate: clip.Rate, Sides: to.sides, Frames: to.frames, Mono: to.mono, Warnings: clip.Warnings}, nil
}
