package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/atomicfile"
	"github.com/starvc/vc/internal/plot"
)

// readClip reads a recording. A read from a pipe cannot be interrupted, so it is left behind when ctx ends; the
// process ends right after.
func readClip(ctx context.Context, e env, path string) (audio.Clip, error) {
	return readPiped(ctx, path, func(path string) (audio.Clip, error) {
		if path == standardStream {
			return audio.DecodeStream(ctx, e.stdin)
		}
		return audio.ReadFileContext(ctx, path)
	})
}

// readClipUpTo is readClip of a recording that may not be longer, for the sake of a flag.
func readClipUpTo(ctx context.Context, e env, path, flag string, most time.Duration) (audio.Clip, error) {
	return readStart(ctx, e, path, most, tooLongForMemory(flag, most))
}

// readStart is readClip of the first part of a recording, in as much memory as that takes. What is longer is an error, unless over is nil.
func readStart(ctx context.Context, e env, path string, most time.Duration, over error) (audio.Clip, error) {
	return readPiped(ctx, path, func(path string) (audio.Clip, error) {
		var left, right []float32
		rate := 0
		p := audio.Pieces{
			Begin: func(h audio.Heard) error {
				left, right, rate = nil, nil, h.Rate
				return nil
			},
			Take: func(sides [][]float32) error {
				n := len(sides[0])
				if room := int(most.Seconds())*rate - len(left); n > room {
					if over != nil {
						return over
					}
					n = room
				}
				if left = append(left, sides[0][:n]...); len(sides) == 2 {
					right = append(right, sides[1][:n]...)
				}
				return ctx.Err()
			},
		}
		read := func() (audio.Heard, error) { return p.ReadFile(ctx, path) }
		if path == standardStream {
			read = func() (audio.Heard, error) { return p.ReadStream(ctx, e.stdin) }
		}
		heard, err := read()
		if err != nil {
			return audio.Clip{}, err
		}
		sides := [][]float32{left, right}
		if right == nil {
			sides = sides[:1]
		}
		return audio.Clip{Samples: heard.Mono.Mix(left[:0], sides), Rate: rate, Warnings: heard.Warnings}, nil
	})
}

func readPiped(ctx context.Context, path string, decode func(path string) (audio.Clip, error)) (audio.Clip, error) {
	if path != standardStream {
		return decode(path)
	}
	type result struct {
		clip audio.Clip
		err  error
	}
	read := make(chan result, 1)
	go func() {
		clip, err := decode(path)
		read <- result{clip, err}
	}()
	select {
	case r := <-read:
		return r.clip, r.err
	case <-ctx.Done():
		return audio.Clip{}, ctx.Err()
	}
}

func writeClip(e env, path string, clip audio.Clip) error {
	if path != standardStream {
		return audio.WriteFile(path, clip)
	}
	// In one piece, so that nothing at all is written where encoding fails.
	var b bytes.Buffer
	if err := audio.EncodeWAV(&b, clip); err != nil {
		return err
	}
	if _, err := e.stdout.Write(b.Bytes()); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

// drawConversion draws input and output under each other. The output is analysed anew, so that the picture shows what
// is heard, vocoder included.
func drawConversion(j *job, cfg features.Config, r *vc.Result, voice chosenVoice) error {
	out, err := features.Analyze(cfg, r.Clip)
	if err != nil {
		return err
	}
	panels := []plot.Mel{
		plot.FromFrames("input: "+filepath.Base(j.in), cfg, r.Source),
		plot.FromFrames("output: "+voice.origin, cfg, out.Frames),
	}
	return atomicfile.Write(j.picture, func(w io.Writer) error {
		return plot.Mels(w, panels, plot.MelOptions{Title: filepath.Base(j.in) + " to " + voice.label})
	})
}
