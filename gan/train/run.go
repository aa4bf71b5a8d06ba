package train

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/base"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/run"
)

// Options are the flags of `vc train`. Zero values leave the preset's settings alone.
type Options struct {
	run.Options        // Preset is tiny, small, medium, live or hq; medium if it is empty
	Rate        int    // samples per second of the model: 16000 or 24000
	Init        string // model to add the voices to
	Thorough    bool   // with Init: more steps, and D has a part in them
	Phones      string // phone network for the content loss; base or, if it fits, empty for the program's own; none for none
}

// Run trains a model as `vc train` does, see run.Train.
func Run(ctx context.Context, o Options) error {
	p := &pupil{o: o}
	return run.Train(ctx, o.Options, p.about(), p)
}

// request is what config.json holds.
type request struct {
	run.Common
	Config Config `json:"config"`
	Init   string `json:"init,omitempty"`
	Phones string `json:"phones,omitempty"`
	Data   string `json:"data,omitempty"` // fingerprint of the prepared recordings

	Voices []gan.SpeakerInfo `json:"voices,omitempty"` // of the model of Init

	Widened bool `json:"widened,omitempty"` // the model of Init goes over to a higher rate, and all of it is trained on
}

// pupil is the voice model in training.
type pupil struct {
	o       Options
	r       *run.Run
	req     request
	base    *gan.Model // that the run begins with, at the run's rate
	set     *corpus.Set
	lint    *corpus.Report
	batcher *corpus.Batcher
	engine  *engine
	made    *gan.Model
}

func (p *pupil) about() run.About {
	return run.About{
		Command: "train", What: "model", File: "model.safetensors", Folder: "2006-01-02-150405", Made: "samples/", Curves: curves,
		Even: true, Live: true, Request: &p.req, Config: &p.req.Config,
	}
}

// Configure settles what is asked for, from the run folder of an old run or from preset, file and flags, in this order.
func (p *pupil) Configure(r *run.Run) error {
	p.r = r
	q := &p.req
	settle := p.begin
	if r.Resume {
		settle = p.checkFixed
	}
	if err := settle(); err != nil {
		return err
	}
	dilations := fmt.Sprint(q.Config.GAN.EncoderDilations) // which settings are written into
	if err := r.Override(&q.Config); err != nil {
		return err
	}
	if q.Config.AddVoice.On && (len(q.Voices) == 0 || q.Widened) {
		return fmt.Errorf("addVoice.on adds voices to a model: name the model with %s", r.Names.Of("init"))
	}
	if err := q.Config.refuseIgnored(p.o, r.Names); err != nil {
		return err
	}
	if r.Resume {
		return p.r.Names.CheckFixed(dilationsFixed(dilations, q.Config.GAN))
	}
	if err := p.choosePhones(); err != nil {
		return err
	}
	return run.Whole(&q.Init, &q.Phones)
}

// begin settles what a new run begins with.
func (p *pupil) begin() error {
	o, preset := p.o, p.r.Preset
	if o.Init != "" {
		var err error
		if p.base, err = base.OpenVoices(o.Init); err != nil {
			return fmt.Errorf("%s: %w", p.r.Names.Of("init"), err)
		}
		if _, err := gan.Preset(p.base.Trained.Preset); preset == "" && err == nil {
			preset = p.base.Trained.Preset
		}
	}
	cfg, err := DefaultConfig(cmp.Or(preset, usualPreset))
	if err != nil {
		return err
	}
	if m := p.base; m != nil {
		cfg.GAN, cfg.Features, cfg.Preset = m.Config, m.Features, m.Trained.Preset
	}
	if o.Rate > 0 {
		f, err := features.ConfigForRate(o.Rate)
		if err != nil {
			return fmt.Errorf("%s: %w", p.r.Names.Of("rate"), err)
		}
		if p.base != nil && f != cfg.Features {
			if p.base, err = widenModel(p.base, f); err != nil {
				return fmt.Errorf("%s: %w", p.r.Names.Of("rate"), err)
			}
			p.req.Widened = true
		}
		cfg = cfg.withFeatures(f)
	}
	if p.base != nil {
		p.req.Voices = p.base.Speakers
		if !p.req.Widened {
			cfg = cfg.forAddedVoices(o.Thorough)
		}
	}
	p.req.Config, p.req.Init, p.req.Phones = cfg, o.Init, o.Phones
	return nil
}

// checkFixed refuses flags that would make another run of the one that is resumed.
func (p *pupil) checkFixed() error {
	q, phones := p.req, p.o.Phones
	if phones != noneAtAll {
		if err := run.Whole(&phones); err != nil {
			return err
		}
	}
	return p.r.Names.CheckFixed(
		run.Fixed{Option: "rate", Was: run.Number(q.Config.Features.SampleRate), Now: run.Number(p.o.Rate)},
		run.Fixed{Option: "phones", Was: cmp.Or(q.Phones, noneAtAll), Now: phones},
	)
}

// choosePhones settles the phone network of a new run, before the recordings are read.
func (p *pupil) choosePhones() error {
	o, q := p.o, &p.req
	switch {
	case o.Phones == noneAtAll:
		q.Phones = ""
	case o.Phones == "" && (o.Init == "" || q.Widened):
		if q.Phones = usualPhones(q.Config); q.Phones != "" {
			p.r.Say.Linef("the words are kept by the phone network that comes with the program (%s leaves it out)", p.r.Names.Of("phones", noneAtAll))
		} else {
			n := p.r.Names
			p.r.Warn("words will suffer: the phone network in the program, which keeps them, fits preset %s and not this one; make one by `vc train phones %s` and name it with %s, or take %s (%s says that this is meant)",
				usualPreset, n.Of("preset", q.Config.Preset), n.Of("phones"), n.Of("preset", usualPreset), n.Of("phones", noneAtAll))
		}
	}
	if q.Phones == "" {
		return nil
	}
	f, err := base.OpenPhones(q.Phones)
	if err != nil {
		return fmt.Errorf("%s: %w", p.r.Names.Of("phones"), err)
	}
	if o.Init == "" {
		q.Config = withEncoderOf(q.Config, f)
	}
	return nil
}

// Prepare reads, checks and caches the recordings.
func (p *pupil) Prepare(ctx context.Context) error {
	speakers, err := corpus.Scan(p.req.Speakers)
	if err != nil {
		return err
	}
	add := p.req.Config.AddVoice.On
	if len(speakers) < 2 && !add {
		return fmt.Errorf("only one speaker found (%s): a voice changer needs two or more, each in a folder of its own; to add one voice to a trained model, name the model with %s", speakers[0].Name, p.r.Names.Of("init"))
	}
	cache, err := os.UserCacheDir()
	if err == nil {
		cache = filepath.Join(cache, "vc", "features")
	} else {
		cache = ""
	}
	held := p.req.Config.ValidFraction
	if held == 0 {
		held = -1 // to corpus, 0 stands for its default
	}
	set, report, err := corpus.Prepare(ctx, speakers, p.req.Config.Features, corpus.PrepareOptions{
		CacheDir: cache, ValidFraction: held, Cut: true, Embed: embedder(p.req.Config.Features),
		Progress: func(done, total int) { p.r.Say.Count("reading recordings", done, total) },
	})
	p.r.Say.Finish()
	if report != nil && !p.r.Quiet {
		if _, werr := report.WriteTo(p.r.Say); werr != nil && err == nil {
			err = werr
		}
	}
	if err != nil {
		return err
	}
	if add {
		set = withOldVoices(set, p.req.Voices)
	}
	for i, s := range set.Speakers { // those that recordings do not describe anew
		if at := slices.IndexFunc(p.req.Voices, func(v gan.SpeakerInfo) bool { return v.Name == s.Name }); at >= 0 && s.About == "" {
			set.Speakers[i].About = p.req.Voices[at].About
		}
	}
	p.set, p.lint = set, report
	if c := p.req.Config; !add && c.DisturbShare > 0 && c.DisturbCopies {
		err := set.Disturb(ctx, c.Seed, func(done, total int) { p.r.Say.Count("putting recordings into rooms and noise", done, total) })
		p.r.Say.Finish()
		if err != nil {
			return err
		}
	}
	if add || p.req.Config.PairShare == 0 {
		return nil
	}
	groups, err := corpus.ReadAligned(p.req.Speakers)
	if err != nil {
		return err
	}
	if len(groups) > 0 {
		used := p.set.Align(groups)
		p.r.Say.Linef("%s: %d of %d groups of recordings that say the same at the same times are here, %d pairs", corpus.AlignedFile, used, len(groups), p.set.Pairs())
	}
	return nil
}

// openBase reads the model of --init at the run's rate, unless begin has.
func (p *pupil) openBase() error {
	f := p.req.Config.Features
	if p.base != nil && p.base.Features == f {
		return nil
	}
	m, err := base.OpenVoices(p.req.Init)
	if err == nil && m.Features != f {
		m, err = widenModel(m, f)
	}
	p.base = m
	return err
}

// Fresh makes the variables that a run begins with: random, from --init, or with an encoder from --phones.
func (p *pupil) Fresh() (*mlx.Vars, error) {
	cfg := p.req.Config
	vars := mlx.NewVars()
	if p.req.Init != "" {
		if err := p.openBase(); err != nil {
			return nil, fmt.Errorf("%s: %w", p.r.Names.Of("init"), err)
		}
		fresh, err := startFrom(vars, cfg, p.base, p.set.Speakers)
		if err == nil && cfg.AddVoice.On {
			err = keepBase(vars, p.base)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.r.Names.Of("init"), err)
		}
		p.tellVoices(fresh)
	}
	if p.req.Phones != "" {
		if err := loadPhones(vars, cfg, p.req.Phones, p.req.Init == ""); err != nil {
			return nil, fmt.Errorf("%s: %w", p.r.Names.Of("phones"), err)
		}
	}
	return vars, prepare(vars, cfg, len(p.set.Speakers))
}

// Check refuses variables of other networks, of other speakers, or without the model that voices are added to.
func (p *pupil) Check(vars *mlx.Vars) error {
	if err := matches(vars, p.req.Config, len(p.set.Speakers)); err != nil {
		return err
	}
	return matchesBase(vars, p.req.Config, len(p.req.Voices))
}

// matches checks that a snapshot holds every variable that the configuration needs, in the right shape.
func matches(vars *mlx.Vars, cfg Config, speakers int) error {
	want := mlx.NewVars()
	if err := prepare(want, cfg, speakers); err != nil {
		return err
	}
	return run.Holds(vars, want)
}

// Take makes the engine for variables.
func (p *pupil) Take(_ context.Context, vars *mlx.Vars) error {
	e := newEngine(p.req.Config, p.r.Backend, p.r.Device.NativeConv(), vars, p.set.Speakers, vars.Has(mlx.GroupWeights, "pho.stem.w"))
	e.encoderFromP = e.phones && !p.req.Config.AddVoice.On
	if err := p.r.Place(e.steps, p.req.Config.Batch); err != nil {
		return err
	}
	p.engine = e
	var err error
	p.batcher, err = corpus.NewBatcher(p.set, p.draws(), p.req.Config.Seed)
	return err
}

// draws is what the batches are like.
func (p *pupil) draws() corpus.BatchConfig {
	c := p.req.Config
	d := corpus.BatchConfig{
		Size: c.Batch, CropFrames: c.CropFrames, StyleFrames: c.StyleFrames, LatentDim: c.GAN.LatentDim,
		MaxLookAhead: c.GAN.StemFuture, NarrowShare: c.NarrowShare,
		DisturbShare: c.DisturbShare, Wants: c.answers,
	}
	if p.set.Pairs() > 0 {
		d.PairShare = c.PairShare
	}
	if c.AddVoice.On {
		d.Sources, d.Targets = voiceDraws(p.set, len(p.req.Voices))
		d.DisturbShare = 0
	}
	return d
}

// Keep leaves a copy of the model that voices are added to, and lint.txt.
func (p *pupil) Keep() error {
	data := p.set.Fingerprint()
	if p.r.Resume && p.req.Data != "" && p.req.Data != data {
		p.r.Warn("the recordings are not those that the run began with; it goes on with what is there now")
	}
	p.req.Data = data
	if !p.r.Resume && p.req.Config.AddVoice.On {
		if err := p.base.Save(p.r.Path(baseName), gan.Full); err != nil {
			return err
		}
	}
	return p.r.WriteText("lint.txt", corpus.Details{Report: p.lint})
}

// Plan is how the steps go.
func (p *pupil) Plan() run.Plan {
	c := p.req.Config
	k := c.stepCost(len(p.set.Speakers), p.engine.phones, p.engine.native)
	shown := func(names ...string) (all []run.Shown) {
		for _, name := range names {
			all = append(all, run.Shown{Name: name, Metric: name})
		}
		return all
	}
	names := p.r.Names
	larger := names.Of("batch", 2*c.Batch)
	if !c.BFloat16 {
		larger += ", for which " + names.Setting("bfloat16", true) + " makes room"
	}
	return run.Plan{
		// A step of the star costs several times a step of the warm-up.
		Phases: []run.Phase{
			{Name: "warm-up", End: c.WarmUpSteps(), Cost: k.warmUp, Shown: shown("identity", "content")},
			{Name: "star", End: c.Steps, Cost: k.star, Shown: shown("anchor_d", "anchor_g", "matching", "identity", "adv_d", "adv_g", "cycle", "style", "diversity", "content", "source_g")},
		},
		Compiles: func(step int) bool {
			return c.translates(step) != c.translates(step-1) || step == c.sourceStep() || step == c.WarmUpSteps()+1 && c.answers(step)
		},
		Rate: c.rate,
		Lower: func(step int) string {
			if step < c.WarmUpSteps() {
				return names.Setting("warmUpRate", c.WarmUpRate/2)
			}
			return names.Setting("learningRate", c.LearningRate/2)
		},
		Compile: compileTime, Smaller: names.Setting("cropFrames", c.CropFrames/2), Larger: larger, Broken: "lint.txt",
		Cost: run.Cost{Time: c.expected(k, p.r.First, p.r.Device.Kind), Bytes: k.bytes},
		Blame: func(step int) ([]string, string) {
			batch := p.batcher.At(step)
			return slices.Concat(batch.Files...), wild(batch)
		},
	}
}

// Inputs draws batches on goroutines of their own and makes steps ready of them.
func (p *pupil) Inputs() (run.Inputs[readyStep], error) {
	if err := p.engine.begin(); err != nil {
		return run.Inputs[readyStep]{}, err
	}
	batches := corpus.Prefetch(context.Background(), p.batcher, p.r.First, 4) // until Close
	return run.Inputs[readyStep]{
		Draw: func(int) (readyStep, error) {
			batch, err := batches.Next()
			if err != nil {
				return readyStep{}, err
			}
			return p.engine.ready(batch)
		},
		Free:  func(s readyStep) error { return p.engine.steps.Free(s.inputs) },
		Close: batches.Close,
	}, nil
}

// Step makes a step.
func (p *pupil) Step(_ int, in readyStep) ([]run.Results, error) { return p.engine.make(in) }

// Export makes the model out of variables.
func (p *pupil) Export(vars *mlx.Vars, steps int) (err error) {
	e := p.engine
	if vars != e.vars {
		e = newEngine(e.cfg, e.backend, e.native, vars, e.speakers, e.phones)
	}
	if p.made, err = e.export(p.set, steps, p.r.Version); err != nil {
		return err
	}
	if p.req.Config.AddVoice.On {
		p.made, err = withVocoderOf(p.made, p.r.Path(baseName))
	}
	return err
}

// Write writes the model.
func (p *pupil) Write(path string) error { return p.made.Save(path, gan.Full) }
