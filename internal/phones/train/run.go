package train

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/base"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/phones"
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
	start  *network     // that the run begins with, nil for a fresh one
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
		q.Config, q.HoldOut, q.Voices, q.Output, q.Init = cfg, o.HoldOut, o.Voices, "phones.safetensors", o.Init
		if err := p.begin(); err != nil {
			return err
		}
	}
	q.Labels, q.Teacher = cmp.Or(o.Labels, q.Labels), cmp.Or(o.Teacher, q.Teacher)
	if err := run.Whole(&q.Labels, &q.Init); err != nil {
		return err
	}
	if q.Teacher == selfTeacher {
		if q.Init == "" {
			return fmt.Errorf("%s: a network that begins with nothing has nothing to teach: add %s", r.Names.Of("teacher", selfTeacher), r.Names.Of("init", base.Name))
		}
	} else if err := run.Whole(&q.Teacher); err != nil {
		return err
	}
	form := q.Config.GAN
	dilations := fmt.Sprint(q.Config.GAN.EncoderDilations) // which settings are written into
	if err := r.Override(&q.Config); err != nil {
		return err
	}
	if p.start != nil && !reflect.DeepEqual(q.Config.GAN, form) {
		return fmt.Errorf("%s: a network keeps its form as it learns on: leave out the settings of gan, or begin without %[1]s", r.Names.Of("init"))
	}
	if !r.Resume {
		return nil
	}
	return r.Names.CheckFixed(run.Fixed{Option: "set gan.encoderDilations", Was: dilations, Now: fmt.Sprint(q.Config.GAN.EncoderDilations)})
}

// A network that has learnt is taught with a part of the usual rate, for a part of the steps: what it knows is not to be shaken off.
const initRate, initSteps = 0.2, 3

// begin reads the network of --init, whose form and features the run has.
func (p *pupil) begin() error {
	q := &p.req
	if q.Init == "" {
		return nil
	}
	n, err := openNetwork(q.Init)
	if err != nil {
		return fmt.Errorf("%s: %w", p.r.Names.Of("init"), err)
	}
	if p.r.Preset != "" && !slices.EqualFunc(phones.Params(q.Config.GAN), phones.Params(n.GAN), sameParam) {
		return fmt.Errorf("%s does not fit the network of %s: leave %s out",
			p.r.Names.Of("preset", p.r.Preset), p.r.Names.Of("init"), p.r.Names.Of("preset"))
	}
	q.Config.GAN, q.Config.Features = n.GAN, n.Features
	q.Config.LearningRate *= initRate
	q.Config.Steps /= initSteps
	p.start = n
	return nil
}

func sameParam(a, b gan.Param) bool { return a.Name == b.Name && slices.Equal(a.Shape, b.Shape) }

// checkFixed refuses flags that would make another run of the one that is resumed.
func (p *pupil) checkFixed() error {
	o, q, names := p.o, p.req, p.r.Names
	switch {
	case len(o.HoldOut) > 0 && !slices.Equal(o.HoldOut, q.HoldOut):
		return fmt.Errorf("%s: the run began with %s held out, and has learnt from the others: leave %[1]s out, or begin a new run",
			names.Of("hold-out"), cmp.Or(strings.Join(q.HoldOut, ","), "no one"))
	case o.Teacher != "" && q.Teacher == "":
		return fmt.Errorf("%s: the run began without a teacher: leave %[1]s out, or begin a new run", names.Of("teacher"))
	case o.Init != "":
		return fmt.Errorf("%s starts a new run and %s goes on with an old one: give one of them", names.Of("init"), names.Of("resume"))
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
	if p.req.Teacher == selfTeacher && p.start == nil {
		if p.start, err = openNetwork(p.req.Init); err != nil {
			return fmt.Errorf("the run began with a phone network that is its teacher: %w", err)
		}
	}
	if p.speech, err = readPhoneSpeech(ctx, p.req, p.start, p.r.Names, p.r.Say); err != nil {
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

// Fresh makes the variables that a run begins with: of --init, or new.
func (p *pupil) Fresh() (*mlx.Vars, error) {
	vars := mlx.NewVars()
	if p.start != nil {
		if err := p.start.fill(vars, mlx.GroupWeights); err != nil {
			return nil, fmt.Errorf("%s: %w", p.r.Names.Of("init"), err)
		}
		if p.req.Teacher == selfTeacher {
			if err := p.fillSelfTeacher(vars); err != nil {
				return nil, err
			}
		}
	}
	return vars, prepare(vars, p.req.Config)
}

// fillSelfTeacher has the layer that gives the teacher's features begin as none at all: the hidden layer is those features.
func (p *pupil) fillSelfTeacher(vars *mlx.Vars) error {
	n := p.req.Config.GAN.Bottleneck
	same := make([]float32, n*n)
	for i := range n {
		same[i*n+i] = 1
	}
	return vars.Set(mlx.GroupWeights, "pho.teacher.w", []int{n, n}, same)
}

// Check refuses variables of another network.
func (p *pupil) Check(vars *mlx.Vars) error {
	want := mlx.NewVars()
	if err := prepare(want, p.req.Config); err != nil {
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

// Export brings the hidden layer of the averaged network to scale, unless it has had one from the beginning.
func (p *pupil) Export(vars *mlx.Vars, steps int) error {
	p.made, p.madeWith = p.engine, steps
	if vars != p.engine.vars {
		p.made = newEngine(p.req.Config, p.engine.backend, p.engine.native, vars)
	}
	if p.req.Init != "" {
		return nil
	}
	return p.made.scaleHidden(p.req.Config, p.speech.train)
}

// Write writes the network.
func (p *pupil) Write(path string) error {
	return p.made.save(p.req, path, p.madeWith, p.r.Version)
}
