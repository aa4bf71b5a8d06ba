package train

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/run"
)

// TrainPhones trains a phone network as `vc train phones` does: it makes a run folder, scores the network on held-out speech as
// it learns, and writes that of the best snapshot, see phoneTrainer.keepBest. When ctx is cancelled the run is saved, the network
// written as it is then, and ErrStopped returned.
func TrainPhones(ctx context.Context, o PhoneOptions) error {
	p := &phoneTrainer{o: o, say: newReporter(o.Stderr, o.Quiet)}
	return p.run(ctx)
}

// phoneTrainer is one call of TrainPhones.
type phoneTrainer struct {
	o       PhoneOptions
	say     *reporter
	folder  runFolder
	req     phoneRequest
	voices  *gan.Model // that says the recordings in other voices too, or nil
	speech  *phoneSpeech
	other   *compared    // nil without one
	heard   [][]labelled // what is scored in training, under each of phoneConditions, once it was needed
	device  mlx.Device
	engine  *engine
	first   int      // the first step to make
	best    run.Best // of the snapshots
	unsaved run.Unsaved
}

func (p *phoneTrainer) run(ctx context.Context) error {
	if err := p.configure(); err != nil {
		return err
	}
	if err := run.CheckWritable(p.req.Output); err != nil {
		return err
	}
	var err error
	if p.device, err = mlx.FindDevice(p.o.Device); err != nil {
		return err
	}
	if p.voices, err = p.openVoices(); err != nil {
		return err
	}
	if p.speech, err = readPhoneSpeech(ctx, p.req, p.say); err != nil {
		return err
	}
	switch dims := &p.req.Config.TeacherDims; {
	case p.o.Resume && *dims != p.speech.teacherDims:
		return fmt.Errorf("--teacher: its features have %d numbers per frame, those that the run began with %d: name that folder, or begin a new run",
			p.speech.teacherDims, *dims)
	default:
		*dims = p.speech.teacherDims
	}
	if err := p.openCompared(); err != nil {
		return err
	}
	p.introduce()
	backend, err := p.device.Open()
	if err != nil {
		return err
	}
	defer backend.Finalize()
	p.say.Linef("training on %s", p.device)
	vars, err := p.weights(p.o.Resume)
	if err != nil {
		return err
	}
	if p.first < p.req.Config.Steps {
		if err := p.convertSpeech(ctx); err != nil {
			return err
		}
	}
	switch {
	case !p.o.Resume:
		if err := p.folder.create(); err != nil {
			return err
		}
		if p.voices != nil {
			if err := p.voices.Save(p.folder.path(phoneVoicesName)); err != nil {
				return err
			}
		}
	case p.first == 0:
		p.say.Linef("no snapshot yet: starting from the beginning")
	default:
		p.say.Linef("going on after step %d", p.first)
	}
	if err := p.folder.writeRequest(&p.req); err != nil {
		return err
	}
	p.equip(backend, vars)

	done, err := p.loop(ctx)
	for err != nil {
		if err := p.smaller(err); err != nil {
			return err
		}
		done, err = p.loop(ctx)
	}
	return p.finish(done)
}

func (p *phoneTrainer) warn(format string, a ...any) { p.say.Linef("warning: "+format, a...) }

// configure settles what is asked for, from the run folder of an old run or from the preset, and then from the flags.
func (p *phoneTrainer) configure() error {
	o, q := p.o, &p.req
	if o.Resume {
		p.folder = runFolder{o.RunDir}
		if err := run.ReadRequest(o.RunDir, "train phones", q); err != nil {
			return err
		}
		if len(o.HoldOut) > 0 && !slices.Equal(o.HoldOut, q.HoldOut) {
			return fmt.Errorf("--hold-out: the run began with %s held out, and has learnt from the others: leave --hold-out out, or begin a new run",
				cmp.Or(strings.Join(q.HoldOut, ","), "no one"))
		}
		if err := run.CheckFixed(
			run.Fixed{Flag: "preset", Was: q.Config.Preset, Now: o.Preset},
			run.Fixed{Flag: "seed", Was: run.Number(q.Config.Seed), Now: run.Number(o.Seed)},
		); err != nil {
			return err
		}
		if o.Teacher != "" && q.Teacher == "" {
			return fmt.Errorf("--teacher: the run began without a teacher: leave --teacher out, or begin a new run")
		}
		if o.Voices != "" {
			return fmt.Errorf("--voices: the run began with %s, and keeps it: leave --voices out, or begin a new run", cmp.Or(q.Voices, "no other voices"))
		}
	} else {
		cfg, err := DefaultPhoneConfig(cmp.Or(o.Preset, usualPreset))
		if err != nil {
			return err
		}
		if o.Seed > 0 {
			cfg.Seed = o.Seed
		}
		*q = phoneRequest{Common: run.Common{Command: "train phones", Output: "phones.safetensors"}, Config: cfg, HoldOut: o.HoldOut, Voices: o.Voices}
		p.folder = runFolder{cmp.Or(o.RunDir, filepath.Join("runs", "phones-"+time.Now().Format("20060102-150405")))}
		if err := p.folder.vacant(); err != nil {
			return err
		}
	}
	q.Speakers = corpus.AbsoluteSpec(cmp.Or(o.Speakers, q.Speakers))
	for _, path := range []struct {
		given string
		to    *string
	}{{o.Labels, &q.Labels}, {o.Output, &q.Output}, {o.Teacher, &q.Teacher}} {
		if path.given == "" && *path.to == "" {
			continue
		}
		whole, err := filepath.Abs(cmp.Or(path.given, *path.to))
		if err != nil {
			return fmt.Errorf("run folder: %w", err)
		}
		*path.to = whole
	}
	q.Half = q.Half || o.Half
	q.Config.Steps = cmp.Or(o.Steps, q.Config.Steps)
	q.Config.Batch = cmp.Or(o.Batch, q.Config.Batch)
	began, dilations := q.Config, fmt.Sprint(q.Config.GAN.EncoderDilations) // which settings are written into
	for _, s := range o.Set {
		if err := q.Config.applySet(s); err != nil {
			return err
		}
	}
	if o.Resume {
		if err := run.CheckFixed(
			run.Fixed{Flag: "set seed", Was: run.Number(began.Seed), Now: run.Number(q.Config.Seed)},
			dilationsFixed(dilations, q.Config.GAN),
		); err != nil {
			return err
		}
	}
	return q.Config.Validate()
}

// introduce tells what the network learns from and is scored on.
func (p *phoneTrainer) introduce() {
	s := p.speech
	if s.seen() {
		p.say.Linef("%d speakers, %.1f minutes to train on; scored on %.1f minutes of the SAME speakers (hold some out for an honest score)",
			len(s.speakers), p.minutes(s.train), p.minutes(s.score))
		return
	}
	held := len(p.req.HoldOut) - len(s.unscored)
	p.say.Linef("%d speakers, %.1f minutes to train on; scored on %.1f minutes of %d other speakers", len(s.speakers)-held, p.minutes(s.train), p.minutes(s.score), held)
}

// minutes is how long utterances are together.
func (p *phoneTrainer) minutes(us []labelled) float64 {
	f, frames := p.req.Config.Features, 0
	for _, u := range us {
		frames += u.frames.Len()
	}
	return float64(frames) * float64(f.Hop) / float64(f.SampleRate) / 60
}

// weights are those of the newest snapshot, if it is asked for and there, or new ones. It settles the first step.
func (p *phoneTrainer) weights(saved bool) (*mlx.Vars, error) {
	p.first = 0
	fresh := mlx.NewVars()
	if err := preparePhones(fresh, p.req.Config); err != nil || !saved {
		return fresh, err
	}
	vars, step, err := p.folder.load(p.warn)
	if err != nil || vars == nil {
		return fresh, err
	}
	if err := run.CheckSteps(step, p.req.Config.Steps); err != nil {
		return nil, err
	}
	p.first = step
	return vars, holds(vars, fresh)
}

// equip makes the engine for weights, once p.first says which step comes next.
func (p *phoneTrainer) equip(backend compute.Backend, vars *mlx.Vars) {
	p.engine = newPhoneEngine(p.req.Config, backend, p.device.NativeConv(), vars)
	p.engine.refuse = p.o.refuse
	p.best = p.folder.kept().RecallBest(p.first, p.warn)
}

// smaller makes ready to go on with half the batch after a device ran out of memory: from the newest snapshot, or from the
// beginning. It returns the error that it was given where that is no way out.
func (p *phoneTrainer) smaller(cause error) error {
	c := &p.req.Config
	half, err := run.HalfBatch(p.device, c.Batch, p.device.BatchUnit(false), cause, fmt.Sprintf("--set cropFrames=%d", max(c.CropFrames/2, minPhoneCrop)), p.say)
	if err != nil {
		return err
	}
	c.Batch = half
	p.engine.vars.Store().Finalize() // before the new ones go to the device
	vars, err := p.weights(true)
	if err != nil {
		return err
	}
	p.equip(p.engine.backend, vars)
	p.say.Linef("going on after step %d with a batch of %d", p.first, half)
	return p.folder.writeRequest(&p.req)
}

// finish brings the hidden layer to scale, writes the network, and tells how good it is.
func (p *phoneTrainer) finish(done int) error {
	c, output := p.req.Config, p.req.Output
	e, step, why := p.chosen(done)
	if err := e.scaleHidden(c, p.speech.train); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(output), 0o755); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	if err := e.savePhones(p.req, step, p.o.Version); err != nil {
		return err
	}
	if done < c.Steps {
		p.say.Linef("stopped after step %d of %d and saved: go on with `vc train phones --run %s --resume`", done, c.Steps, p.folder.dir)
		p.say.Linef("the network so far is %s", output)
		return ErrStopped
	}
	if err := p.report(e, step); err != nil {
		return err
	}
	p.say.Linef("run folder: %s (report.html, scores.txt, losses.png, metrics.jsonl; tensorboard --logdir shows it too)", p.folder.dir)
	p.say.Linef("phone network: %s, of step %d of %d, %s (use it with `vc train --phones %s --preset %s`)", output, step, done, why, output, c.Preset)
	return nil
}
