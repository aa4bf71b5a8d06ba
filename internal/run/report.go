package run

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// report writes samples/step-N, each sample with its pictures, and report.html over all; under is whether the run goes on.
func (d *driver[T]) report(ctx context.Context, step int, under bool) (*Report, error) {
	r, err := d.pupil.Report(ctx)
	if err != nil {
		return nil, err
	}
	if len(r.Samples) > 0 {
		if err := d.writeSamples(r.Samples, step); err != nil {
			return nil, err
		}
	}
	s := d.settings()
	r.Scores.Best = d.Best.Step
	lint, _ := os.ReadFile(d.Path("lint.txt"))
	page := Page{
		Title: d.Name(), Program: d.Version, Device: d.Device.String(), Preset: s.Preset, Steps: step, Of: s.Steps, Batch: s.Batch,
		Samples: r.Samples, Voices: r.Voices, Scores: r.Scores, Lint: string(lint), Earlier: d.earlier(r.Samples, step),
	}
	if under {
		page.Left = d.left(step)
	}
	return r, page.Write(d.Dir)
}

// earlier are the samples' sounds of earlier steps, where they are in the run folder, by sample.
func (d *driver[T]) earlier(samples []Sample, step int) map[string][]Earlier {
	folders, err := filepath.Glob(d.Path("samples", "step-*"))
	if err != nil {
		return nil
	}
	all := map[string][]Earlier{}
	for _, folder := range folders { // in order of their steps
		n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(folder), "step-"))
		if err != nil || n >= step {
			continue
		}
		for _, s := range samples {
			if file := s.File + ".wav"; fileIsThere(filepath.Join(folder, file)) {
				all[s.File] = append(all[s.File], Earlier{n, path.Join("samples", filepath.Base(folder), url.PathEscape(file))})
			}
		}
	}
	return all
}

func (d *driver[T]) writeSamples(samples []Sample, step int) error {
	dir := d.Path("samples", fmt.Sprintf("step-%08d", step))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("samples: %w", err)
	}
	board := OpenBoard(d.Dir, step+1, d.Say)
	defer board.Close()
	for _, s := range samples {
		if len(s.Sounds) > 0 {
			if err := s.Write(Folder{dir}.Path(s.File)); err != nil {
				return err
			}
		}
		s.Show(board, step)
	}
	return nil
}
