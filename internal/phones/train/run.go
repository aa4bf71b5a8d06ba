package train

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/run"
)

// Run trains a phone network as `vc train phones` does, see run.Train: it scores the network on held-out speech as it
// learns, and writes that of the best snapshot, by phone errors.
func Run(ctx context.Context, o Options) error {
	p := &pupil{o: o}
	return run.Train(ctx, o.Options, p.about(), p)
}

// pupil is the phone network in training.
type pupil struct {
	o      Options
	r      *run.Run
	req    request
	voices *gan.Model // that says the recordings in other voices too, or nil
	speech *phoneSpeech
	other  *compared    // nil without one
	heard  [][]labelled // what is scored in training, under each of phoneConditions, once it was needed
	engine *engine

	made     *engine // whose averaged weights are written
	madeWith int     // steps
}

func (p *pupil) about() run.About {
	return run.About{
		Command: "train phones", What: "phone network", File: "phones.safetensors", Folder: "phones-20060102-150405", Made: "scores.txt",
		Curves: curves, Least: true, Request: &p.req, Config: &p.req.Config,
	}
}

// Configure settles what is asked for, from the run folder of an old run or from the preset, and then from the flags.
func (p *pupil) Configure(r *run.Run) error {
	p.r = r
	o, q := p.o, &p.req
	if r.Resume {
		if err := p.checkFixed(); err != nil {
			return err
		}
	} else {
		cfg, err := DefaultConfig(cmp.Or(r.Preset, "medium"))
		if err != nil {
			return err
		}
		q.Config, q.HoldOut, q.Voices, q.Output = cfg, o.HoldOut, o.Voices, "phones.safetensors"
	}
	q.Labels, q.Teacher = cmp.Or(o.Labels, q.Labels), cmp.Or(o.Teacher, q.Teacher)
	if err := run.Whole(&q.Labels, &q.Teacher); err != nil {
		return err
	}
	dilations := fmt.Sprint(q.Config.GAN.EncoderDilations) // which settings are written into
	if err := r.Override(&q.Config); err != nil || !r.Resume {
		return err
	}
	return r.Names.CheckFixed(run.Fixed{Option: "set gan.encoderDilations", Was: dilations, Now: fmt.Sprint(q.Config.GAN.EncoderDilations)})
}

// checkFixed refuses flags that would make another run of the one that is resumed.
func (p *pupil) checkFixed() error {
	o, q, names := p.o, p.req, p.r.Names
	switch {
	case len(o.HoldOut) > 0 && !slices.Equal(o.HoldOut, q.HoldOut):
		return fmt.Errorf("%s: the run began with %s held out, and has learnt from the others: leave %[1]s out, or begin a new run",
			names.Of("hold-out"), cmp.Or(strings.Join(q.HoldOut, ","), "no one"))
	case o.Teacher != "" && q.Teacher == "":
		return fmt.Errorf("%s: the run began without a teacher: leave %[1]s out, or begin a new run", names.Of("teacher"))
	case o.Voices != "":
		return fmt.Errorf("%s: the run began with %s, and keeps it: leave %[1]s out, or begin a new run", names.Of("voices"), cmp.Or(q.Voices, "no other voices"))
	}
	return nil
}

// Prepare reads the recordings and their labels.
func (p *pupil) Prepare(ctx context.Context) (err error) {
	if p.voices, err = p.openVoices(); err != nil {
		return err
	}
	if p.speech, err = readPhoneSpeech(ctx, p.req, p.r.Names, p.r.Say); err != nil {
		return err
	}
	dims := &p.req.Config.TeacherDims
	if p.r.Resume && *dims != p.speech.teacherDims {
		return fmt.Errorf("%s: its features have %d numbers per frame, those that the run began with %d: name that folder, or begin a new run",
			p.r.Names.Of("teacher"), p.speech.teacherDims, *dims)
	}
	*dims = p.speech.teacherDims
	if err := p.openCompared(); err != nil {
		return err
	}
	p.introduce()
	return nil
}

// introduce tells what the network learns from and is scored on.
func (p *pupil) introduce() {
	s := p.speech
	if s.seen() {
		p.r.Say.Linef("%d speakers, %.1f minutes to train on; scored on %.1f minutes of the SAME speakers (hold some out for an honest score)",
			len(s.speakers), p.minutes(s.train), p.minutes(s.score))
		return
	}
	held := len(p.req.HoldOut) - len(s.unscored)
	p.r.Say.Linef("%d speakers, %.1f minutes to train on; scored on %.1f minutes of %d other speakers", len(s.speakers)-held, p.minutes(s.train), p.minutes(s.score), held)
}

// minutes is how long utterances are together.
func (p *pupil) minutes(us []labelled) float64 {
	f, frames := p.req.Config.Features, 0
	for _, u := range us {
		frames += u.frames.Len()
	}
	return float64(frames) * float64(f.Hop) / float64(f.SampleRate) / 60
}

// Fresh makes the variables that a run begins with.
func (p *pupil) Fresh() (*mlx.Vars, error) {
	vars := mlx.NewVars()
	return vars, prepare(vars, p.req.Config)
}

// Check refuses variables of another network.
func (p *pupil) Check(vars *mlx.Vars) error {
	want, err := p.Fresh()
	if err != nil {
		return err
	}
	return run.Holds(vars, want)
}

// Take makes the engine for variables, and has the recordings said in other voices unless no step is left to make.
func (p *pupil) Take(ctx context.Context, vars *mlx.Vars) error {
	p.engine = newEngine(p.req.Config, p.r.Backend, p.r.Device.NativeConv(), vars)
	if err := p.r.Place(p.engine.steps, p.req.Config.Batch); err != nil {
		return err
	}
	if p.r.First == p.req.Config.Steps || p.speech.converted != nil {
		return nil
	}
	return p.convertSpeech(ctx)
}

// Keep leaves a copy of the model that says the recordings in other voices.
func (p *pupil) Keep() error {
	if p.r.Resume || p.voices == nil {
		return nil
	}
	return p.voices.Save(p.r.Path(phoneVoicesName), gan.Full)
}

// Plan is how the steps go.
func (p *pupil) Plan() run.Plan {
	c, names := p.req.Config, p.r.Names
	draws := newBatcher(c, p.speech.learnt())
	cost := c.expect(p.r.First, p.scoredFrames(), p.r.Device.Kind)
	cost.Host = p.speech.bytes()
	return run.Plan{
		Phases: []run.Phase{{Name: "phones", End: c.Steps, Cost: 1, Shown: []run.Shown{
			{Name: "loss", Metric: "loss"}, {Name: "frames right", Metric: "accuracy", Percent: true},
		}}},
		Rate:    c.rate,
		Lower:   func(int) string { return names.Setting("learningRate", c.LearningRate/2) },
		Smaller: names.Setting("cropFrames", max(c.CropFrames/2, minPhoneCrop)), Larger: names.Of("batch", 2*c.Batch),
		Cost:  cost,
		Blame: func(step int) ([]string, string) { return draws.at(step).files, "" },
	}
}

// scoredFrames is how many frames a score in training reads.
func (p *pupil) scoredFrames() (n int) {
	for _, u := range scoredInTraining(p.req.Config, p.speech) {
		n += u.frames.Len() * len(phoneConditions())
	}
	return n
}

// Inputs draws the batches and puts them on the device.
func (p *pupil) Inputs() (run.Inputs[[]*tensors.Tensor], error) {
	return p.engine.inputs(p.req.Config, newBatcher(p.req.Config, p.speech.learnt())), nil
}

// Step makes a step.
func (p *pupil) Step(_ int, in []*tensors.Tensor) ([]run.Results, error) {
	return p.engine.learnPhones(p.req.Config, in)
}

// Export brings the hidden layer of the averaged network to scale.
func (p *pupil) Export(vars *mlx.Vars, steps int) error {
	p.made, p.madeWith = p.engine, steps
	if vars != p.engine.vars {
		p.made = newEngine(p.req.Config, p.engine.backend, p.engine.native, vars)
	}
	return p.made.scaleHidden(p.req.Config, p.speech.train)
}

// Write writes the network.
func (p *pupil) Write(path string) error {
	return p.made.save(p.req, path, p.madeWith, p.r.Version)
}
