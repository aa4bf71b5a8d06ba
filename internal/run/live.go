package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// What can be heard of a run under way: a report that is written anew with each validation, and a model beside each snapshot.

const (
	snapshotEnding = ".safetensors"
	modelEnding    = ".model.safetensors" // of what was made of a snapshot
)

// ModelPath is the file of what was made of the snapshot of a step.
func (s Snapshots) ModelPath(step int) string {
	return strings.TrimSuffix(s.Path(step), snapshotEnding) + modelEnding
}

// ModelOf is the file that a run folder or a snapshot stands for where a model is wanted: of a snapshot what was made of it, of a
// folder what the run has made or, until then, what was made of the newest snapshot. Anything else, and what has no model yet, is
// returned as it is.
func ModelOf(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return path
	}
	if !info.IsDir() {
		made := strings.TrimSuffix(path, snapshotEnding) + modelEnding
		if _, err := os.Stat(made); err == nil && strings.HasPrefix(filepath.Base(path), "step-") {
			return made
		}
		return path
	}
	f := Folder{path}
	if _, err := os.Stat(requestPath(path)); err != nil {
		return path
	}
	if made := f.Path("model.safetensors"); fileIsThere(made) {
		return made
	}
	for _, step := range f.Snapshots().Steps() {
		if made := f.Snapshots().ModelPath(step); fileIsThere(made) {
			return made
		}
	}
	return path
}

func fileIsThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// exported makes the model of the weights as they are after so many steps, once.
func (d *driver[T]) exported(made int) error {
	if d.madeOf == made+1 {
		return nil
	}
	if err := d.pupil.Export(d.vars, made); err != nil {
		return err
	}
	d.madeOf = made + 1
	return nil
}

// show writes the report as it is after so many steps. What goes wrong is told once and stops nothing.
func (d *driver[T]) show(ctx context.Context, made int) {
	if !d.about.Live || ctx.Err() != nil {
		return
	}
	err := d.exported(made)
	if err == nil {
		_, err = d.report(ctx, made, true)
	}
	if err != nil && !errors.Is(err, context.Canceled) && !d.mute {
		d.mute = true
		d.Warn("the report cannot be written while it trains: %v", err)
	}
	if made == 0 && err == nil {
		d.Say.Linef("to hear and see how it goes: %s, written anew with each validation", d.Path("report.html"))
	}
}

// keepModel writes what was made of a snapshot beside it. What goes wrong is told and stops nothing.
func (d *driver[T]) keepModel(made int) {
	if !d.about.Live {
		return
	}
	err := d.exported(made)
	if err == nil {
		err = d.pupil.Write(d.Snapshots().ModelPath(made))
	}
	if err != nil {
		d.Warn("the model of step %d: %v", made, err)
	}
}

// left says how much of the run is left, for a person.
func (d *driver[T]) left(made int) string {
	if d.progress != nil && d.progress.left != "" {
		return d.progress.left
	}
	return fmt.Sprintf("%d steps left", d.settings().Steps-made)
}
