package train

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/internal/atomicfile"
	"github.com/starvc/vc/internal/judge"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/run"
)

// Run trains a judge as `vc train judge` does, see run.Train, and scores it on the speakers held out.
func Run(ctx context.Context, o Options) error { return train(ctx, o, DefaultConfig()) }

func train(ctx context.Context, o Options, c Config) error {
	p := &pupil{o: o}
	p.req.Config = c
	return run.Train(ctx, o.Options, p.about(), p)
}

// request is what config.json of a run folder holds.
type request struct {
	run.Common
	Config  Config   `json:"config"`
	HoldOut []string `json:"holdOut,omitempty"`
	Part    string   `json:"part,omitempty"`
}

// pupil is the judge in training.
type pupil struct {
	o      Options
	r      *run.Run
	req    request
	speech *speech
	engine *engine
	last   *judge.Verification // of the engine's averaged weights as they are, nil where they were not scored

	weights map[string][]float32 // of the judge that is written
	trained judge.Trained
}

var curves = []run.Curve{
	{Title: "Loss (cross entropy, with the margin)", Names: []string{"loss"}},
	{Title: "Crops whose speaker is recognised", Names: []string{"accuracy"}},
	{Title: "Equal error rate", Names: []string{"valid_pair_eer", "valid_enrolled_eer"}},
	{Title: "Gradient norm", Names: []string{"norm"}},
}

func (p *pupil) about() run.About {
	return run.About{
		Command: "train judge", What: "judge", File: "judge.safetensors", Folder: "judge-20060102-150405", Curves: curves,
		Least: true, Request: &p.req, Config: &p.req.Config,
	}
}

// Configure settles the request.
func (p *pupil) Configure(r *run.Run) error {
	p.r = r
	o, q := p.o, &p.req
	switch {
	case !r.Resume:
		q.HoldOut, q.Part, q.Output = o.HoldOut, o.Part, "judge.safetensors"
	case len(o.HoldOut) > 0 && !slices.Equal(o.HoldOut, q.HoldOut):
		return fmt.Errorf("%s: the run began with %s held out, and has learnt from the others: leave %[1]s out, or begin a new run",
			r.Names.Of("hold-out"), cmp.Or(strings.Join(q.HoldOut, ","), "no one"))
	default:
		if err := r.Names.CheckFixed(run.Fixed{Option: "part", Was: q.Part, Now: o.Part}); err != nil {
			return err
		}
	}
	return r.Override(&q.Config)
}

// Prepare reads the recordings.
func (p *pupil) Prepare(ctx context.Context) (err error) {
	p.speech, err = readSpeech(ctx, p.req, p.r.Names, func(done, total int) { p.r.Say.Count("reading recordings", done, total) })
	p.r.Say.Finish()
	if err != nil {
		return err
	}
	p.r.Say.Linef("%s", p.speech.describe(p.req.Part))
	return nil
}

// Fresh makes the variables that a run begins with.
func (p *pupil) Fresh() (*mlx.Vars, error) {
	vars := mlx.NewVars()
	return vars, prepare(vars, p.req.Config, len(p.speech.classes))
}

// Check refuses variables of another network or of another number of speakers.
func (p *pupil) Check(vars *mlx.Vars) error {
	want, err := p.Fresh()
	if err != nil {
		return err
	}
	return run.Holds(vars, want)
}

// Take makes the engine for variables.
func (p *pupil) Take(_ context.Context, vars *mlx.Vars) error {
	p.engine, p.last = newEngine(p.req.Config, p.r.Backend, vars), nil
	return p.r.Place(p.engine.steps, p.req.Config.Batch)
}

// Keep leaves nothing: recordings and settings are all that going on needs.
func (p *pupil) Keep() error { return nil }

// Plan is how the steps go.
func (p *pupil) Plan() run.Plan {
	c, names := p.req.Config, p.r.Names
	cost := c.expect(p.r.First, len(p.speech.classes), p.r.Device.Kind)
	cost.Host = p.speech.bytes()
	return run.Plan{
		Phases: []run.Phase{{Name: "judge", End: c.Steps, Cost: 1, Shown: []run.Shown{
			{Name: "loss", Metric: "loss"}, {Name: "right", Metric: "accuracy", Percent: true},
		}}},
		Rate:    c.rate,
		Lower:   func(int) string { return names.Setting("learningRate", c.LearningRate/2) },
		Smaller: names.Setting("cropFrames", max(c.CropFrames/4*2, minCrop)), Larger: names.Of("batch", 2*c.Batch),
		Cost:  cost,
		Blame: func(step int) ([]string, string) { return p.speech.at(c, step).files, "" },
	}
}

// Inputs draws the batches and puts them on the device.
func (p *pupil) Inputs() (run.Inputs[[]*tensors.Tensor], error) {
	c := p.req.Config
	return run.Inputs[[]*tensors.Tensor]{
		Draw: func(step int) ([]*tensors.Tensor, error) { return p.engine.ready(p.speech.at(c, step), step) },
		Free: p.engine.steps.Free,
	}, nil
}

// Step makes a step.
func (p *pupil) Step(_ int, in []*tensors.Tensor) ([]run.Results, error) {
	p.last = nil
	out, err := p.engine.run("judge", p.engine.learn, in...)
	return []run.Results{{Names: metrics, Tensor: out}}, err
}

// Score verifies the speakers held out by the averaged network.
func (p *pupil) Score() (*run.Scored, error) {
	v, err := p.verify(p.engine.vars)
	if err != nil {
		return nil, err
	}
	p.last = &v
	who := fmt.Sprintf("on %d speakers that it never heard", len(p.speech.heldOut))
	if len(p.speech.heldOut) == 0 {
		who = "on the speakers that it was trained on"
	}
	return &run.Scored{
		Metrics: map[string]float32{
			"valid_pair_eer": float32(v.PairEER), "valid_enrolled_eer": float32(v.EnrolledEER), "valid_threshold": float32(v.Threshold),
			"valid_identified": float32(v.Identified),
		},
		Sum: v.EnrolledEER,
		Line: fmt.Sprintf("equal error rate %s: %.1f %% of pairs of recordings (%d pairs, %d of one speaker); a recording against a speaker's others: %.1f %%, at similarity %.2f; nearest to its own speaker: %.1f %%",
			who, 100*v.PairEER, v.Pairs, v.Same, 100*v.EnrolledEER, v.Threshold, 100*v.Identified),
	}, nil
}

// verify scores the averaged network of variables.
func (p *pupil) verify(vars *mlx.Vars) (v judge.Verification, err error) {
	weights, err := averaged(vars, p.req.Config.Judge)
	if err != nil {
		return v, err
	}
	j, err := judge.New(p.req.Config.Judge, judge.Trained{}, weights)
	if err != nil {
		return v, err
	}
	embeddings := make([][][]float32, len(p.speech.score))
	for i, recordings := range p.speech.score {
		for _, x := range recordings {
			embeddings[i] = append(embeddings[i], j.Forward(x))
		}
	}
	return judge.Verify(embeddings), nil
}

// Export takes the averaged weights out of variables, and says how good they are.
func (p *pupil) Export(vars *mlx.Vars, steps int) (err error) {
	if p.weights, err = averaged(vars, p.req.Config.Judge); err != nil {
		return err
	}
	v := p.last
	if v == nil || vars != p.engine.vars {
		now, err := p.verify(vars)
		if err != nil {
			return err
		}
		v = &now
	}
	p.trained = judge.Trained{
		Steps: steps, Speakers: p.speech.names, Part: p.req.Part, HeldOut: p.speech.heldOut, Program: p.r.Version,
		PairEER: v.PairEER, EnrolledEER: v.EnrolledEER, Threshold: v.Threshold,
	}
	return nil
}

// Report has the scores alone: a judge makes no sound.
func (p *pupil) Report(context.Context) (*run.Report, error) {
	c := p.req.Config
	report := &run.Report{
		Scores: run.Scores{
			About: "Equal error rates, 0 to 1, so less is better; the row in bold is the best snapshot.",
			Columns: []run.Score{
				{Head: "a recording against a speaker's others", Metric: "valid_enrolled_eer"}, {Head: "pairs of recordings", Metric: "valid_pair_eer"},
				{Head: "nearest to its own speaker", Metric: "valid_identified"}, {Head: "similarity at the threshold", Metric: "valid_threshold"},
			},
		},
		Use: "vc eval " + p.r.Names.Of("judge") + " %s",
	}
	for i, name := range p.speech.names {
		frames := 0
		for _, x := range p.speech.classes[i*len(c.Speeds)+slices.Index(c.Speeds, 1)] {
			frames += len(x.mels) / c.Judge.Features.NMels
		}
		report.Voices = append(report.Voices, run.Voice{Name: name, Seconds: float64(frames*c.Judge.Features.Hop) / float64(c.Judge.Features.SampleRate)})
	}
	return report, nil
}

// Write writes the judge.
func (p *pupil) Write(path string) error {
	return atomicfile.Write(path, func(w io.Writer) error { return judge.Write(w, p.req.Config.Judge, p.trained, p.weights) })
}
