package run

import (
	"context"
	"fmt"
	"os"
)

// report writes samples/step-N, each sample with its pictures, and report.html over all.
func (d *driver[T]) report(ctx context.Context, step int) (*Report, error) {
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
		Samples: r.Samples, Voices: r.Voices, Scores: r.Scores, Lint: string(lint),
	}
	return r, page.Write(d.Dir)
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
