package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/internal/atomicfile"
)

const standardStream = "-"

// job is one file to convert.
type job struct {
	in, out string        // "-" is standard input or output
	picture string        // empty for none
	voices  []chosenVoice // one, or those of both sides
	tempo   float64       // see vc.Options; 0 for that of the recording
	err     error         // found before work began
}

// plainCause takes the path and the system call off an error, where the path is printed anyway.
func plainCause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		if errors.Is(p.Err, fs.ErrNotExist) {
			return errors.New("there is no such file or folder")
		}
		return p.Err
	}
	return err
}

// resultName is in-spk3.wav for in.flac and spk3, and in-spk3.mp4 for in.mp4: a video stays one.
func resultName(in, voice string) string {
	name := outputName(in, voice)
	if audio.IsVideo(in) {
		return strings.TrimSuffix(name, ".wav") + filepath.Ext(in)
	}
	return name
}

// outputName is in-spk3.wav for in.flac and spk3.
func outputName(in, voice string) string {
	return strings.TrimSuffix(in, filepath.Ext(in)) + "-" + fileName(voice) + ".wav"
}

// fileName is text without what cannot stand in the names of files.
func fileName(text string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) || r < ' ' {
			return '_'
		}
		return r
	}, text)
}

// planJobs decides where every result in a voice goes. It refuses what would overwrite an input, a file that the voice is made
// of, or the result of another.
func planJobs(inputs []input, voice string, o convertOptions) []job {
	var jobs []job
	taken := map[string]string{}
	read := slices.Concat(inputs, o.files())
	for _, in := range inputs {
		j := job{in: in.path, err: in.err}
		switch {
		case j.err != nil:
		case o.output != "":
			j.out = o.output
		case o.outDir != "":
			j.out = filepath.Join(o.outDir, resultName(in.inside, voice))
		case in.path == standardStream:
			j.out = standardStream
		default:
			j.out = resultName(in.path, voice)
		}
		if j.err == nil && j.out != standardStream {
			if err := audio.CheckOutput(j.out, o.bits); err != nil {
				j.err = fmt.Errorf("its result %s cannot be: %w", j.out, err)
			} else if by, ok := taken[j.out]; ok {
				j.err = fmt.Errorf("its result %s would overwrite that of %s: convert it with -o", j.out, by)
			} else if hit := sameAsInput(j.out, read); hit != "" {
				j.err = fmt.Errorf("its result %s would overwrite the input %s: choose another name", j.out, hit)
			} else {
				taken[j.out] = j.in
			}
		}
		if j.err == nil && o.picture != "" {
			j.picture = o.picture
			if len(inputs) > 1 {
				j.picture = filepath.Join(o.picture, strings.TrimSuffix(outputName(in.inside, voice), ".wav")+".png")
			}
			if hit := sameAsInput(j.picture, read); hit != "" || j.picture == j.out {
				j.err = fmt.Errorf("its picture %s would overwrite a recording: choose another name", j.picture)
			}
		}
		jobs = append(jobs, j)
	}
	return jobs
}

// sameAsInput returns the input that out is another name of, links included.
func sameAsInput(out string, inputs []input) string {
	target, err := os.Stat(out)
	if err != nil {
		return ""
	}
	for _, in := range inputs {
		if in.err != nil || in.path == standardStream {
			continue
		}
		if info, err := os.Stat(in.path); err == nil && os.SameFile(info, target) {
			return in.path
		}
	}
	return ""
}

// checkWritable finds out before any work whether a result can be written, by making a file beside it. create makes
// missing folders, which only --out-dir and a folder of pictures are allowed to.
func checkWritable(path string, create bool) error {
	if path == standardStream || path == "" {
		return nil
	}
	if info, err := os.Stat(path); err == nil {
		if info.IsDir() {
			return fmt.Errorf("%s: is a folder: name a file, or use --out-dir", path)
		}
		if !info.Mode().IsRegular() {
			return nil // a device or a pipe; opening it may have effects
		}
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return err
		}
	}
	dir := filepath.Dir(path)
	if create {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return fmt.Errorf("cannot make the folder %s: %w", dir, plainCause(err))
		}
	}
	f, err := os.CreateTemp(dir, atomicfile.Leftovers)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: cannot be written: there is no folder %s", path, dir)
		}
		return fmt.Errorf("%s: cannot be written: %w", path, plainCause(err))
	}
	f.Close()
	return os.Remove(f.Name())
}
