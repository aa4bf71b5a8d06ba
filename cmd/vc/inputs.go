package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/starvc/vc/audio"
)

// input is a recording to convert. inside maps a file found in a folder to its path within it, so that folders keep their form in
// --out-dir. What cannot be expanded becomes an entry with an error, and the rest goes on.
type input struct {
	path, inside string
	err          error
}

// inputs are what the arguments of a command name, and what was left out.
type inputs struct {
	inputs  []input
	skipped map[string][]string // paths by kind
	results bool                // of earlier conversions are recordings like others
}

// Kinds of files that are left out, beside those of the endings of other files.
const (
	skippedResults = "results of earlier conversions"
	skippedHidden  = "hidden"
)

// findInputs expands folders and patterns. What an earlier conversion has made, by its mark, is left out, unless it is the only
// argument.
func findInputs(ctx context.Context, args []string) inputs {
	f := inputs{skipped: map[string][]string{}}
	for _, a := range args {
		if a == standardStream {
			f.inputs = append(f.inputs, input{path: a, inside: "stdin"})
			continue
		}
		info, err := os.Stat(a)
		switch {
		case err == nil && info.IsDir():
			f.walk(ctx, a)
		case err == nil && len(args) == 1:
			f.inputs = append(f.inputs, input{path: a, inside: filepath.Base(a)})
		case err == nil:
			f.take(ctx, a, filepath.Base(a))
		default:
			f.glob(ctx, a, err)
		}
	}
	return f
}

// inFolder are the recordings and the results of conversions in a folder.
func inFolder(ctx context.Context, dir string) []input {
	f := inputs{skipped: map[string][]string{}, results: true}
	f.walk(ctx, dir)
	return f.inputs
}

func (f *inputs) skip(kind, path string) { f.skipped[kind] = append(f.skipped[kind], path) }

// take takes a file unless it is a result.
func (f *inputs) take(ctx context.Context, path, inside string) {
	if !f.results && audio.ReadTags(ctx, path).Mark() != "" {
		f.skip(skippedResults, path)
		return
	}
	f.inputs = append(f.inputs, input{path: path, inside: inside})
}

func (f *inputs) fail(path string, err error) {
	f.inputs = append(f.inputs, input{path: path, err: err})
}

// walk finds the recordings in a folder and the folders inside it, in order of their names.
func (f *inputs) walk(ctx context.Context, dir string) {
	before, results := len(f.inputs), len(f.skipped[skippedResults])
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			f.fail(path, plainCause(err))
			if d != nil && d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case path != dir && strings.HasPrefix(d.Name(), "."):
			f.skip(skippedHidden, path)
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return nil
		}
		// Files that are named are opened whatever they are called. One that needs an ffmpeg is not passed over for the lack
		// of it: it fails and says so.
		if recording, _ := audio.IsRecording(path); !recording {
			f.skip(endingKind(path), path)
			return nil
		}
		inside, err := filepath.Rel(dir, path)
		if err != nil {
			f.fail(path, err)
			return nil
		}
		f.take(ctx, path, inside)
		return nil
	})
	switch {
	case err != nil:
		f.fail(dir, plainCause(err))
	case len(f.inputs) > before:
	case len(f.skipped[skippedResults]) > results:
		f.fail(dir, errors.New("no recordings in this folder but results of earlier conversions"))
	default:
		f.fail(dir, errors.New("no recordings in this folder (WAV, FLAC, MP3, Ogg and whatever an ffmpeg reads, by the ends of their names)"))
	}
}

// endingKind is the kind of a file that is no recording.
func endingKind(path string) string {
	if ending := audio.Ending(path); ending != "" {
		return ending
	}
	return "without an ending"
}

// glob expands a pattern that the shell left alone.
func (f *inputs) glob(ctx context.Context, pattern string, cause error) {
	if !strings.ContainsAny(pattern, "*?[") {
		f.fail(pattern, plainCause(cause))
		return
	}
	paths, err := filepath.Glob(pattern)
	switch {
	case err != nil:
		f.fail(pattern, fmt.Errorf("bad pattern: %w", err))
	case len(paths) == 0:
		f.fail(pattern, errors.New("no file has such a name"))
	}
	for _, p := range paths {
		if info, err := os.Stat(p); err == nil && info.IsDir() {
			f.walk(ctx, p)
			continue
		}
		f.take(ctx, p, filepath.Base(p))
	}
}

// skippedNames is how many names of a kind are told.
const skippedNames = 10

// tell says what was left out, by kind.
func (f *inputs) tell(e env) {
	kinds := make([]string, 0, len(f.skipped))
	for kind := range f.skipped {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		paths := f.skipped[kind]
		names := strings.Join(paths[:min(len(paths), skippedNames)], ", ")
		if more := len(paths) - skippedNames; more > 0 {
			names += fmt.Sprintf(" and %d more", more)
		}
		files := "files"
		if len(paths) == 1 {
			files = "file"
		}
		e.tell("skipped %d %s (%s): %s", len(paths), files, kind, names)
	}
}

// strictly is an error if --strict forbids what was left out. Hidden files and results do not count.
func (f *inputs) strictly(o convertOptions) error {
	n := 0
	for kind, paths := range f.skipped {
		if kind != skippedResults && kind != skippedHidden {
			n += len(paths)
		}
	}
	if !o.strict || n == 0 {
		return nil
	}
	return fmt.Errorf("%d files that are no recordings were skipped, which --strict forbids", n)
}
