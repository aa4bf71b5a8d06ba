package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/run"
)

// Run trains a model as `vc train` does: it reads and checks the recordings, trains, validates, and writes a run folder and
// the model. It returns ErrStopped when ctx was cancelled and the run was saved.
func Run(ctx context.Context, o Options) error {
	r := &runner{o: o, say: newReporter(o.Stderr, o.Quiet)}
	return r.run(ctx)
}

// runner is one call of Run.
type runner struct {
	o      Options
	say    *reporter
	folder runFolder
	req    request
	set    *corpus.Set
	lint   *corpus.Report
	device mlx.Device
	engine *engine
	first  int        // the first step to make
	base   *gan.Model // that a new run begins with

	best      run.Best // of the snapshots
	lastScore float64  // of the last validation
	unsaved   run.Unsaved
}

func (r *runner) run(ctx context.Context) error {
	if err := r.configure(); err != nil {
		return err
	}
	output := r.req.Output
	if output == "" {
		output = r.folder.path("model.safetensors")
	}
	if err := run.CheckWritable(output); err != nil {
		return err
	}
	device, err := mlx.FindDevice(r.o.Device)
	if err != nil {
		return err
	}
	if device, err = device.WithCards(r.o.GPUs, r.req.Config.Batch); err != nil {
		return err
	}
	if err := r.prepareSpeech(ctx); err != nil {
		return err
	}
	r.device = device
	backend, err := device.Open()
	if err != nil {
		return err
	}
	defer backend.Finalize()
	r.say.Linef("training on %s", device)
	if device.Kind == "go" {
		r.say.Linef("pure Go is the slowest way to train: `vc setup cpu` makes a CPU about ten times faster")
	}

	vars, err := r.weights()
	if err != nil {
		return err
	}
	if err := r.begin(); err != nil {
		return err
	}
	r.engine = newEngine(r.req.Config, backend, device.NativeConv(), vars, r.set.Speakers, vars.Has(mlx.GroupWeights, "pho.stem.w"))
	r.engine.encoderFromP = r.engine.phones && r.req.Init == ""
	r.engine.cards, r.engine.refuse = device.Cards, r.o.refuse
	r.best = r.folder.kept().RecallBest(r.first, r.warn)
	r.foretell()

	done, err := r.loop(ctx)
	for err != nil {
		if err := r.smaller(err); err != nil {
			return err
		}
		done, err = r.loop(ctx)
	}
	model, err := r.exportBest(done)
	if err != nil {
		return err
	}
	if model, err = r.withBaseVocoder(model); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(output), 0o755); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	if done < r.req.Config.Steps {
		if err := model.Save(output); err != nil {
			return err
		}
		r.say.Linef("stopped after step %d and saved: go on with `vc train --run %s --resume`", done, r.folder.dir)
		r.say.Linef("the model so far is %s", output)
		return ErrStopped
	}
	faults, samples, err := r.report(context.WithoutCancel(ctx), model, done)
	if err != nil {
		return errors.Join(err, model.Save(output)) // hours of training are not lost for want of a picture
	}
	suspect := r.verdict(faults, samples)
	if suspect != nil {
		output = run.SuspectName(output)
	}
	if err := model.Save(output); err != nil {
		return err
	}
	r.say.Linef("model: %s", output)
	r.say.Linef("run folder: %s (report.html, losses.png, samples/, metrics.jsonl; tensorboard --logdir shows it too)", r.folder.dir)
	return suspect
}

// configure settles what is asked for, from the run folder of an old run or from preset, file and flags, in this order.
func (r *runner) configure() error {
	o := r.o
	if o.Resume {
		r.folder = runFolder{o.RunDir}
		q, err := r.folder.readRequest()
		if err != nil {
			return err
		}
		if err := q.checkFixed(o); err != nil {
			return err
		}
		r.req = q
		if o.Speakers != "" {
			r.req.Speakers = o.Speakers
		}
		if o.Output != "" {
			r.req.Output = o.Output
		}
	} else {
		preset := o.Preset
		var m *gan.Model
		if o.Init != "" {
			var err error
			if m, err = openModel(o.Init); err != nil {
				return fmt.Errorf("--init: %w", err)
			}
			if _, err := gan.Preset(m.Trained.Preset); preset == "" && err == nil {
				preset = m.Trained.Preset
			}
		}
		cfg, err := DefaultConfig(cmp.Or(preset, usualPreset))
		if err != nil {
			return err
		}
		if m != nil {
			cfg.GAN, cfg.Features, cfg.Preset = m.Config, m.Features, m.Trained.Preset
			cfg = cfg.forAddedVoices()
			r.req.Voices, r.base = m.Speakers, m
		}
		if o.Rate > 0 {
			f, err := features.ConfigForRate(o.Rate)
			if err != nil {
				return fmt.Errorf("--rate: %w", err)
			}
			if o.Init != "" && f != cfg.Features {
				return fmt.Errorf("--rate %d does not fit the model of --init, which has %d: leave --rate out", o.Rate, cfg.Features.SampleRate)
			}
			cfg = cfg.withFeatures(f)
		}
		r.req = request{
			Common: run.Common{Command: "train", Speakers: o.Speakers, Output: o.Output},
			Config: cfg, Init: o.Init, Phones: o.Phones, Voices: r.req.Voices,
		}
	}
	began, dilations := r.req.Config, fmt.Sprint(r.req.Config.GAN.EncoderDilations) // which settings are written into
	if err := r.override(); err != nil {
		return err
	}
	if o.Resume {
		if err := run.CheckFixed(
			run.Fixed{Flag: "set seed", Was: run.Number(began.Seed), Now: run.Number(r.req.Config.Seed)},
			dilationsFixed(dilations, r.req.Config.GAN),
		); err != nil {
			return err
		}
	}
	switch {
	case o.Resume:
	case o.Phones == noneAtAll:
		r.req.Phones = ""
	case o.Phones == "" && o.Init == "":
		if r.req.Phones = usualPhones(r.req.Config); r.req.Phones != "" {
			r.say.Linef("the words are kept by the phone network that comes with the program (--phones none leaves it out)")
		}
	}
	if !o.Resume && r.req.Phones != "" {
		f, err := openPhones(r.req.Phones) // before the recordings are read
		if err != nil {
			return fmt.Errorf("--phones: %w", err)
		}
		if o.Init == "" {
			r.req.Config = withEncoderOf(r.req.Config, f)
		}
	}
	if r.req.Config.AddVoice.On && len(r.req.Voices) == 0 {
		return fmt.Errorf("addVoice.on adds voices to a model: name the model with --init")
	}
	if o.Resume {
		return nil
	}
	if o.RunDir == "" {
		o.RunDir = filepath.Join("runs", time.Now().Format("2006-01-02-150405"))
	}
	r.folder = runFolder{o.RunDir}
	return r.folder.vacant()
}

func (r *runner) override() error {
	o, c := r.o, &r.req.Config
	if o.ConfigFile != "" {
		if err := c.ApplyFile(o.ConfigFile); err != nil {
			return err
		}
	}
	for _, f := range []struct {
		value int
		to    *int
	}{{o.Steps, &c.Steps}, {o.Batch, &c.Batch}, {o.SnapshotEvery, &c.SnapshotEvery}} {
		if f.value > 0 {
			*f.to = f.value
		}
	}
	if o.Seed > 0 && !o.Resume {
		c.Seed = o.Seed
	}
	for _, s := range o.Set {
		if err := c.ApplySet(s); err != nil {
			return err
		}
	}
	return c.Validate()
}

func (r *runner) warn(format string, a ...any) { r.say.Linef("warning: "+format, a...) }

// prepareSpeech reads, checks and caches the recordings.
func (r *runner) prepareSpeech(ctx context.Context) error {
	speakers, err := corpus.Scan(r.req.Speakers)
	if err != nil {
		return err
	}
	add := r.req.Config.AddVoice.On
	if len(speakers) < 2 && !add {
		return fmt.Errorf("only one speaker found (%s): a voice changer needs two or more, each in a folder of its own; to add one voice to a trained model, name the model with --init", speakers[0].Name)
	}
	cache, err := os.UserCacheDir()
	if err == nil {
		cache = filepath.Join(cache, "vc", "features")
	} else {
		cache = ""
	}
	held := r.req.Config.ValidFraction
	if held == 0 {
		held = -1 // to corpus, 0 stands for its default
	}
	set, report, err := corpus.Prepare(ctx, speakers, r.req.Config.Features, corpus.PrepareOptions{
		CacheDir: cache, ValidFraction: held,
		Progress: func(done, total int) { r.say.Count("reading recordings", done, total) },
	})
	r.say.Finish()
	if report != nil && !r.o.Quiet {
		if _, werr := report.WriteTo(r.say); werr != nil && err == nil {
			err = werr
		}
	}
	if err != nil {
		return err
	}
	if add {
		set = withOldVoices(set, r.req.Voices)
	}
	r.set, r.lint = set, report
	if add || r.req.Config.PairShare == 0 {
		return nil
	}
	groups, err := corpus.ReadAligned(r.req.Speakers)
	if err != nil {
		return err
	}
	if len(groups) > 0 {
		used := r.set.Align(groups)
		r.say.Linef("%s: %d of %d groups of recordings that say the same at the same times are here, %d pairs", corpus.AlignedFile, used, len(groups), r.set.Pairs())
	}
	return nil
}

// begin makes the run folder, or brings an old one's config.json up to date, once all else is found good: what is refused
// must leave a run as it was, and a new one's name free.
func (r *runner) begin() error {
	if r.o.Resume {
		if r.req.Data != "" && r.req.Data != r.set.Fingerprint() {
			r.say.Linef("warning: the recordings are not those that the run began with; it goes on with what is there now")
		}
	} else {
		if err := r.folder.create(); err != nil {
			return err
		}
		if err := r.copyBase(); err != nil {
			return err
		}
	}
	r.req.Data = r.set.Fingerprint()
	if err := r.writeRequest(); err != nil {
		return err
	}
	return audio.WriteAtomic(r.folder.path("lint.txt"), func(w io.Writer) error {
		_, err := r.lint.WriteTo(w)
		return err
	})
}

func (r *runner) writeRequest() error {
	whole, err := r.req.withWholePaths()
	if err != nil {
		return err
	}
	return r.folder.writeRequest(&whole)
}

// weights are those of the newest snapshot, or a new run's.
func (r *runner) weights() (*mlx.Vars, error) {
	cfg := r.req.Config
	if r.o.Resume {
		vars, step, err := r.folder.load(r.warn)
		if err != nil {
			return nil, err
		}
		if vars == nil {
			r.say.Linef("no snapshot yet: starting from the beginning")
		} else {
			if err := run.CheckSteps(step, cfg.Steps); err != nil {
				return nil, err
			}
			if err := matches(vars, cfg, len(r.set.Speakers)); err != nil {
				return nil, err
			}
			if err := matchesBase(vars, cfg, len(r.req.Voices)); err != nil {
				return nil, err
			}
			r.first = step
			r.say.Linef("going on after step %d", step)
			return vars, nil
		}
	}
	return r.freshWeights()
}

// freshWeights are those that a run begins with: random, from --init, or with an encoder from --phones.
func (r *runner) freshWeights() (*mlx.Vars, error) {
	cfg := r.req.Config
	vars := mlx.NewVars()
	if r.req.Init != "" {
		m, err := openModel(r.req.Init)
		if err != nil {
			return nil, fmt.Errorf("--init: %w", err)
		}
		fresh, err := startFrom(vars, cfg, m, r.set.Speakers)
		if err != nil {
			return nil, err
		}
		if cfg.AddVoice.On {
			if err := keepBase(vars, m); err != nil {
				return nil, err
			}
		}
		r.say.Linef("starting from %s; new voices: %v", r.req.Init, fresh)
		if cfg.AddVoice.On {
			r.say.Linef("without recordings, so held to what the model makes of them; kept: %v", voicesWithout(r.set))
		}
	}
	if r.req.Phones != "" {
		if err := loadPhones(vars, cfg, r.req.Phones, r.req.Init == ""); err != nil {
			return nil, err
		}
	}
	return vars, prepare(vars, cfg, len(r.set.Speakers))
}

// matches checks that a snapshot holds every variable that the configuration needs, in the right shape.
func matches(vars *mlx.Vars, cfg Config, speakers int) error {
	want := mlx.NewVars()
	if err := prepare(want, cfg, speakers); err != nil {
		return err
	}
	return holds(vars, want)
}

// holds checks that a snapshot has the variables that are wanted, in the right shapes.
func holds(vars, want *mlx.Vars) error {
	for _, group := range []string{mlx.GroupWeights, mlx.GroupEMA, mlx.GroupMoment2, mlx.GroupCount} {
		for _, name := range want.Names(group, "") {
			if !vars.Has(group, name) {
				return fmt.Errorf("snapshot: %s/%s is missing: the configuration or the speakers have changed since the run began", group, name)
			}
			_, shape, err := vars.Get(group, name)
			if err != nil {
				return err
			}
			_, wanted, err := want.Get(group, name)
			if err != nil {
				return err
			}
			if fmt.Sprint(shape) != fmt.Sprint(wanted) {
				return fmt.Errorf("snapshot: %s/%s has shape %v, want %v: the configuration or the speakers have changed since the run began", group, name, shape, wanted)
			}
		}
	}
	return nil
}
