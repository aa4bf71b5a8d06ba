package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/device"
	"github.com/starvc/vc/internal/mlx"
)

// Run is a training under way, as its pupil sees it.
type Run struct {
	Options
	Folder
	Say     *Reporter
	Device  device.Device
	Backend mlx.Backend
	First   int // the first step to make
	Best    Best
}

// Warn tells a person of something that may be wrong.
func (r *Run) Warn(format string, a ...any) { r.Say.Linef("warning: "+format, a...) }

// Place readies new steps over batches of so many items for the devices of the run.
func (r *Run) Place(steps *mlx.Steps, batch int) error {
	if r.Refuse != nil {
		steps.Refuse = func(graph string) error { return r.Refuse(graph, batch) }
	}
	return steps.Share(r.Device.Cards)
}

// driver is one call of Train.
type driver[T any] struct {
	*Run
	about   About
	pupil   Pupil[T]
	output  string // as a person named it
	vars    *mlx.Vars
	plan    Plan
	unsaved Unsaved

	progress *progress // of the steps under way
	madeOf   int       // what the pupil's model was made after, steps+1; 0 for nothing
	mute     bool      // it was told that the report cannot be written
}

// Train trains a pupil as a command does: it makes a run folder or goes on with one, reads what is learnt from, makes the steps,
// scores and saves now and then, writes what was made of the best snapshot, and a report. When ctx is cancelled the run is saved,
// what was made so far is written, and ErrStopped returned.
func Train[T any](ctx context.Context, o Options, a About, p Pupil[T]) error {
	d := &driver[T]{Run: &Run{Options: o, Say: NewReporter(o.Stderr, o.Quiet)}, about: a, pupil: p}
	return d.run(ctx)
}

func (d *driver[T]) run(ctx context.Context) error {
	if err := d.configure(); err != nil {
		return err
	}
	if err := d.Names.CheckWritable(d.output); err != nil {
		return err
	}
	device, err := device.Find(d.Options.Device)
	if err != nil {
		return err
	}
	if d.Device, err = device.WithCards(d.GPUs, d.settings().Batch); err != nil {
		return err
	}
	if err := d.pupil.Prepare(ctx); err != nil {
		return err
	}
	if d.Backend, err = mlx.Open(d.Device); err != nil {
		return err
	}
	defer d.Backend.Finalize()
	d.Say.Linef("training on %s", d.Device)
	if d.Device.Kind == "go" {
		d.Say.Linef("pure Go is the slowest way to train: `vc setup cpu` makes a CPU about ten times faster")
	}
	if err := d.load(d.Resume); err != nil {
		return err
	}
	switch {
	case d.Resume && d.First == 0:
		d.Say.Linef("no snapshot yet: starting from the beginning")
	case d.Resume:
		d.Say.Linef("going on after step %d", d.First)
	}
	if err := d.pupil.Take(ctx, d.vars); err != nil {
		return err
	}
	if err := d.begin(); err != nil {
		return err
	}
	d.Best = d.Snapshots().RecallBest(d.First, d.Warn)
	d.plan = d.pupil.Plan()
	d.foretell()
	done, err := d.loop(ctx)
	for err != nil {
		if err := d.smaller(ctx, err); err != nil {
			return err
		}
		done, err = d.loop(ctx)
	}
	return d.finish(ctx, done)
}

func (d *driver[T]) settings() Settings { return d.about.Config.Settings() }

// configure settles what is asked for, and the run folder.
func (d *driver[T]) configure() error {
	q := d.about.Request.common()
	if d.Resume {
		if d.RunDir == "" {
			return fmt.Errorf("%s: which run? name its folder with %s", d.Names.Of("resume"), d.Names.Of("run"))
		}
		if err := d.Names.ReadRequest(d.RunDir, d.about.Command, d.about.Request); err != nil {
			return err
		}
		s := d.settings()
		if err := d.Names.CheckFixed(
			Fixed{Option: "preset", Was: s.Preset, Now: d.Preset}, Fixed{Option: "seed", Was: Number(s.Seed), Now: Number(d.Seed)},
		); err != nil {
			return err
		}
	}
	d.Folder = Folder{cmp.Or(d.RunDir, filepath.Join("runs", time.Now().Format(d.about.Folder)))}
	if err := d.pupil.Configure(d.Run); err != nil {
		return err
	}
	if !d.Resume {
		if err := d.Vacant(d.Names); err != nil {
			return err
		}
	}
	q.Command = d.about.Command
	q.Speakers = corpus.AbsoluteSpec(cmp.Or(d.Speakers, q.Speakers))
	before := q.Output // which the run that goes on may have written
	q.Output = cmp.Or(d.Output, q.Output)
	q.Half = q.Half || d.Half
	d.output = cmp.Or(q.Output, d.Path(d.about.File))
	if err := Whole(&q.Output); err != nil {
		return err
	}
	if info, err := os.Stat(d.output); err == nil && !info.IsDir() && !d.Force && !(d.Resume && q.Output == before) {
		return fmt.Errorf("output %s is there already: name another file with %s, or write over it with %s", d.output, d.Names.Of("output"), d.Names.Of("force"))
	}
	return nil
}

// load takes the variables of the newest snapshot, if saved is set and there is one, or new ones, and settles the first step.
func (d *driver[T]) load(saved bool) (err error) {
	d.First = 0
	if saved {
		vars, step, err := d.Snapshots().Load(d.Warn)
		if err != nil {
			return err
		}
		if vars != nil {
			if err := d.Names.CheckSteps(step, d.settings().Steps); err != nil {
				return err
			}
			d.vars, d.First = vars, step
			return d.pupil.Check(vars)
		}
	}
	d.vars, err = d.pupil.Fresh()
	return err
}

// begin makes the run folder, or brings an old one's config.json up to date, once all else is found good: what is refused must
// leave a run as it was, and a new one's name free.
func (d *driver[T]) begin() error {
	if !d.Resume {
		if err := d.Create(d.Names); err != nil {
			return err
		}
	}
	if err := d.Tidy(); err != nil {
		d.Warn("what was left of a run that was killed stays there: %v", err)
	}
	if err := d.pupil.Keep(); err != nil {
		return err
	}
	if err := WriteRequest(d.Dir, d.about.Request); err != nil {
		return err
	}
	return d.Made()
}

// foretell says what the run will take, and warns where there is too little memory for it.
func (d *driver[T]) foretell() {
	c, s := d.plan.Cost, d.settings()
	if c.Bytes == 0 {
		return
	}
	c.Steps, c.Batch, c.Unit, c.Smaller, c.Names = s.Steps-d.First, s.Batch, d.Device.BatchUnit(d.about.Even), d.plan.Smaller, d.Names
	c.Tell(d.Device, d.Say)
}

// smaller makes ready to go on with half the batch after a device ran out of memory: from the newest snapshot, or from the
// beginning. It returns the error that it was given where that is no way out.
func (d *driver[T]) smaller(ctx context.Context, cause error) error {
	half, err := HalfBatch(d.Device, d.settings().Batch, d.Device.BatchUnit(d.about.Even), cause, d.plan.Smaller, d.Say)
	if err != nil {
		return err
	}
	if err := ApplySetting(d.about.Config, fmt.Sprintf("batch=%d", half), ""); err != nil {
		return err
	}
	d.vars.Store().Finalize() // before the new ones go to the device
	if err := d.load(true); err != nil {
		return err
	}
	if err := d.pupil.Take(ctx, d.vars); err != nil {
		return err
	}
	d.Best = d.Snapshots().RecallBest(d.First, d.Warn)
	d.plan = d.pupil.Plan()
	d.Say.Linef("going on after step %d with a batch of %d", d.First, half)
	return WriteRequest(d.Dir, d.about.Request)
}

// finish writes what was made and the report, and judges what was learnt.
func (d *driver[T]) finish(ctx context.Context, done int) error {
	a, steps := d.about, d.settings().Steps
	vars, step, why := d.chosen(done)
	d.madeOf = 0
	if err := d.pupil.Export(vars, step); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(d.output), 0o755); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	if done < steps {
		if err := d.pupil.Write(d.output); err != nil {
			return err
		}
		if d.about.Live && done > 0 {
			if _, err := d.report(context.WithoutCancel(ctx), done, false); err != nil {
				d.Warn("report.html: %v", err)
			}
		}
		d.Say.Linef("stopped after step %d of %d and saved: go on with `vc %s %s %s`", done, steps, a.Command, d.Names.Of("run", d.Dir), d.Names.Of("resume"))
		d.Say.Linef("the %s so far is %s", a.What, d.output)
		return ErrStopped
	}
	r, err := d.report(context.WithoutCancel(ctx), done, false)
	if err != nil {
		return errors.Join(err, d.pupil.Write(d.output)) // hours of training are not lost for want of a picture
	}
	output, suspect := d.output, d.verdict(r.Samples)
	if suspect != nil {
		output = SuspectName(output)
	}
	if err := d.pupil.Write(output); err != nil {
		return err
	}
	made := "report.html, losses.png, metrics.jsonl"
	if a.Made != "" {
		made = a.Made + ", " + made
	}
	d.Say.Linef("run folder: %s (%s; TensorBoard shows it too)", d.Dir, made)
	d.Say.Linef("%s: %s, of step %d of %d, %s", a.What, output, step, done, why)
	if r.Use != "" {
		d.Say.Linef("next: %s", fmt.Sprintf(r.Use, output))
	}
	return suspect
}

// chosen is what the result is made of, after how many steps, and why: the best snapshot of a finished run, else the variables as
// they are.
func (d *driver[T]) chosen(done int) (vars *mlx.Vars, step int, why string) {
	switch {
	case d.Last || done < d.settings().Steps:
		return d.vars, done, "the last"
	case d.Best.Step == 0:
		return d.vars, done, "the last, for none was scored"
	case d.Best.Step == done:
		return d.vars, done, "the last and the best by held-out speech"
	}
	vars, b, err := d.Snapshots().LoadBest()
	if err != nil || vars == nil {
		d.Warn("the best snapshot cannot be read (%v): the %s is that of the last step", err, d.about.What)
		return d.vars, done, "the last"
	}
	d.Say.Linef("the %s is that of step %d, the best by held-out speech: it got worse since; `%s %s` takes the last step's instead", d.about.What, b.Step, d.Names.Of("resume"), d.Names.Of("last"))
	return vars, b.Step, "the best by held-out speech"
}

// verdict is the error of a run most of whose samples are not speech, or nil.
func (d *driver[T]) verdict(samples []Sample) error {
	var faults []string
	for _, s := range samples {
		if s.Fault != "" {
			faults = append(faults, s.Brief+" is "+s.Fault)
		}
	}
	last := d.settings().Steps - 1
	if !Suspect(faults, len(samples), last+1, d.Warn) {
		return nil
	}
	return fmt.Errorf("the %s fails: %w: %d of %d samples: %s: listen to %s, look at %s for where the losses went wrong, and begin again with a lower rate (%s) or with more and cleaner recordings (lint.txt)",
		d.about.What, ErrSuspect, len(faults), len(samples), strings.Join(faults, "; "), d.Path("samples"), d.Path("losses.png"), d.plan.Lower(last))
}
