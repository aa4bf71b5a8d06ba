package eval

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/internal/atomicfile"
)

// RunOptions says what Run converts and scores.
type RunOptions struct {
	// Root holds a folder per speaker. Recordings of the same words have the same file name in each, apart from the
	// extension.
	Root string
	// Speakers are the folders that take part, each as source and as target of each other.
	Speakers []string
	// Utterances are the file names, without extension, that take part: those never trained on. Empty means all that
	// a pair has in common.
	Utterances []string
	// Out is where the converted recordings go, as Out/source/target/utterance.wav, with manifest.tsv, scores.txt and
	// scores.json beside them.
	Out string
	// Convert brings a recording into the voice of the speaker to. It is not called by two goroutines at once.
	Convert func(ctx context.Context, clip audio.Clip, to string) (audio.Clip, error)
	// Converted, unless nil, is told of each conversion.
	Converted func(done, total int)

	ParallelConfig
}

// job is one conversion.
type job struct {
	from, to, utterance string
	triple              Triple
}

// Run converts the recordings of every speaker to every other one who says the same words, and scores the lot. It is
// an error if a direction has nothing in common or a conversion fails; files written before stay.
func Run(ctx context.Context, opts RunOptions) (*Table, error) {
	if opts.Convert == nil {
		panic("eval: Run without Convert")
	}
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	if len(opts.Speakers) < 2 {
		return nil, fmt.Errorf("eval: %d speakers to convert between, want 2 or more", len(opts.Speakers))
	}
	jobs, err := plan(opts)
	if err != nil {
		return nil, err
	}
	var directions []Direction
	for i, j := range jobs {
		if err := convert(ctx, opts, j); err != nil {
			return nil, err
		}
		if opts.Converted != nil {
			opts.Converted(i+1, len(jobs))
		}
		if n := len(directions); n == 0 || directions[n-1].From != j.from || directions[n-1].To != j.to {
			directions = append(directions, Direction{From: j.from, To: j.to})
		}
		d := &directions[len(directions)-1]
		d.Triples = append(d.Triples, j.triple)
	}
	table, err := Parallel(ctx, directions, opts.ParallelConfig)
	if err != nil {
		return nil, err
	}
	for name, write := range map[string]func(io.Writer) error{
		"manifest.tsv": func(w io.Writer) error { return writeManifest(w, opts.Out, jobs) },
		"scores.txt":   table.WriteText,
		"scores.json":  table.WriteJSON,
	} {
		if err := atomicfile.Write(filepath.Join(opts.Out, name), write); err != nil {
			return nil, fmt.Errorf("eval: %w", err)
		}
	}
	return table, nil
}

// plan lists the conversions, direction by direction.
func plan(opts RunOptions) ([]job, error) {
	recordings := map[string]map[string]string{} // speaker, utterance: path
	for _, s := range opts.Speakers {
		if recordings[s] != nil {
			return nil, fmt.Errorf("eval: speaker %q is named twice", s)
		}
		files, err := list(filepath.Join(opts.Root, s))
		if err != nil {
			return nil, err
		}
		recordings[s] = files
	}
	var jobs []job
	for _, from := range opts.Speakers {
		for _, to := range opts.Speakers {
			if from == to {
				continue
			}
			before := len(jobs)
			for _, utterance := range chosen(recordings[from], opts.Utterances) {
				source, target := recordings[from][utterance], recordings[to][utterance]
				if source == "" || target == "" {
					continue
				}
				jobs = append(jobs, job{from, to, utterance,
					Triple{source, filepath.Join(opts.Out, from, to, utterance+".wav"), target}})
			}
			if len(jobs) == before {
				return nil, fmt.Errorf("eval: %s and %s in %s have no recordings in common: the same words must have the same file name",
					from, to, opts.Root)
			}
		}
	}
	return jobs, nil
}

// list is the recordings in a folder by file name without extension.
func list(dir string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	files := map[string]string{}
	for _, e := range entries {
		if _, own := audio.IsRecording(e.Name()); e.IsDir() || !own {
			continue
		}
		files[strings.TrimSuffix(e.Name(), filepath.Ext(e.Name()))] = filepath.Join(dir, e.Name())
	}
	return files, nil
}

// chosen is wanted, or all utterances in order when nothing particular is wanted.
func chosen(files map[string]string, wanted []string) []string {
	if len(wanted) > 0 {
		return wanted
	}
	all := make([]string, 0, len(files))
	for utterance := range files {
		all = append(all, utterance)
	}
	slices.Sort(all)
	return all
}

// convert does one conversion, to a file.
func convert(ctx context.Context, opts RunOptions, j job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	clip, err := audio.ReadFile(j.triple.Source)
	if err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	out, err := opts.Convert(ctx, clip, j.to)
	if err != nil {
		return fmt.Errorf("eval: converting %s to %s: %w", j.triple.Source, j.to, err)
	}
	if len(out.Samples) == 0 {
		return fmt.Errorf("eval: converting %s to %s: %w", j.triple.Source, j.to, errors.New("nothing came out"))
	}
	if err := os.MkdirAll(filepath.Dir(j.triple.Converted), 0o755); err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	if err := audio.WriteFile(j.triple.Converted, out); err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	return nil
}

// writeManifest lists the conversions for other judges, with paths of converted files as seen from root.
func writeManifest(w io.Writer, root string, jobs []job) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, "path\tsource\ttarget\tutterance\tsource_path\ttarget_path")
	for _, j := range jobs {
		path, err := filepath.Rel(root, j.triple.Converted)
		if err != nil {
			return err
		}
		fmt.Fprintf(b, "%s\t%s\t%s\t%s\t%s\t%s\n", filepath.ToSlash(path), j.from, j.to, j.utterance, j.triple.Source, j.triple.Target)
	}
	return b.Flush()
}
