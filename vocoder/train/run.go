package train

import (
	"cmp"
	"context"
	"fmt"
	"strconv"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/base"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/run"
	"github.com/starvc/vc/vocoder"
)

// Options are the flags of `vc train vocoder`. Zero values leave the preset's settings alone.
type Options struct {
	run.Options        // Preset is tiny, base or large; base if it is empty
	Init        string // a vocoder to start from, "base" for the program's own
	Rate        int    // samples per second, 0 for 16000 or those of Init; one of 16000 goes over into one of 24000
	MelsFrom    string // a voice model whose log-mels to learn from beside the recordings' own; empty for none
	// OpenMels makes the MelMaker of what MelsFrom names, or named when a run that is resumed began, for frames of cfg and for
	// speakers of these names.
	OpenMels func(from string, cfg features.Config, speakers []string) (MelMaker, error)
}

// Run trains a vocoder as `vc train vocoder` does, see run.Train.
func Run(ctx context.Context, o Options) error {
	p := &pupil{o: o}
	return run.Train(ctx, o.Options, p.about(), p)
}

// request is what config.json of a run folder holds.
type request struct {
	run.Common
	Config   Config `json:"config"`
	Init     string `json:"init,omitempty"`
	MelsFrom string `json:"melsFrom,omitempty"`
}

// pupil is the vocoder in training.
type pupil struct {
	o      Options
	r      *run.Run
	req    request
	speech *speech
	engine *engine
	init   *vocoder.Net // that the run begins with, at the run's rate
	net    *vocoder.Net // that comes out
}

func (p *pupil) about() run.About {
	return run.About{
		Command: "train vocoder", What: "vocoder", File: "vocoder.safetensors", Folder: "vocoder-20060102-150405", Made: "samples/",
		Curves: curves, Request: &p.req, Config: &p.req.Config,
	}
}

// Configure settles the request.
func (p *pupil) Configure(r *run.Run) error {
	p.r = r
	q := &p.req
	if r.Resume {
		if p.o.Init != "" {
			return fmt.Errorf("%s starts a new run and %s goes on with an old one: give one of them", r.Names.Of("init"), r.Names.Of("resume"))
		}
	} else if err := p.begin(); err != nil {
		return err
	}
	q.MelsFrom = cmp.Or(p.o.MelsFrom, q.MelsFrom)
	if err := run.Whole(&q.Init, &q.MelsFrom); err != nil {
		return err
	}
	return r.Override(&p.req.Config)
}

// begin settles what a new run begins with.
func (p *pupil) begin() error {
	c, err := DefaultConfig(cmp.Or(p.r.Preset, "base"))
	if err != nil {
		return err
	}
	if p.o.Rate > 0 {
		if c.Net.Features, err = features.ConfigForRate(p.o.Rate); err != nil {
			return fmt.Errorf("%s: %w", p.r.Names.Of("rate"), err)
		}
	}
	if p.o.Init != "" {
		net, err := openWeights(p.o.Init, p.o.Rate)
		if err != nil {
			return fmt.Errorf("%s: %w", p.r.Names.Of("init"), err)
		}
		if p.o.Rate > 0 {
			if net, err = widen(net, c.Net.Features); err != nil {
				return fmt.Errorf("%s: %w", p.r.Names.Of("rate"), err)
			}
		}
		p.init, c.Net = net, net.Config()
		size, err := sizeOf(c.Net)
		if err != nil {
			return err
		}
		if size != "" && p.r.Preset != "" && p.r.Preset != size {
			return fmt.Errorf("%s does not fit the vocoder of %s, whose size is %s: leave %s out",
				p.r.Names.Of("preset", p.r.Preset), p.r.Names.Of("init"), size, p.r.Names.Of("preset"))
		}
		c.Preset = cmp.Or(size, c.Preset)
	}
	p.req.Config, p.req.Init = c, p.o.Init
	return nil
}

// Prepare reads the recordings.
func (p *pupil) Prepare(ctx context.Context) error {
	c, say := p.req.Config, p.r.Say
	mels, err := p.openMels()
	if err != nil {
		return err
	}
	if p.speech, err = readSpeech(ctx, p.req.Speakers, mels, c, p.r.Quiet, say); err != nil {
		return err
	}
	minutes := 0.0
	for _, u := range p.speech.train {
		minutes += float64(len(u.sound)) / float64(c.Net.Features.SampleRate) / 60
	}
	say.Linef("%d speakers, %.1f minutes to train on; %.2f GMAC per second of audio", len(p.speech.speakers), minutes, c.Net.MACs()/1e9)
	return nil
}

// openMels makes the MelMaker that is asked for, nil for none.
func (p *pupil) openMels() (MelMaker, error) {
	switch {
	case p.req.MelsFrom == "":
		return nil, nil
	case p.o.OpenMels == nil:
		return nil, fmt.Errorf("%s: nothing here can open it", p.r.Names.Of("mels-from", p.req.MelsFrom))
	}
	speakers, err := corpus.Scan(p.req.Speakers)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, s := range speakers {
		names = append(names, s.Name)
	}
	m, err := p.o.OpenMels(p.req.MelsFrom, p.req.Config.Net.Features, names)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.r.Names.Of("mels-from"), err)
	}
	return m, nil
}

// openInit reads the vocoder of --init at the run's rate, unless begin has.
func (p *pupil) openInit() error {
	f := p.req.Config.Net.Features
	if p.init != nil && p.init.Features() == f {
		return nil
	}
	net, err := openWeights(p.req.Init, f.SampleRate)
	if err == nil {
		net, err = widen(net, f)
	}
	p.init = net
	return err
}

// Fresh makes the variables that a run begins with: of --init, or new.
func (p *pupil) Fresh() (*mlx.Vars, error) {
	c := p.req.Config
	vars := mlx.NewVars()
	if p.req.Init != "" {
		if err := p.openInit(); err != nil {
			return nil, fmt.Errorf("%s: %w", p.r.Names.Of("init"), err)
		}
		for _, w := range c.Net.Params() {
			if err := vars.Set(mlx.GroupWeights, w.Name, w.Shape, p.init.Tensor(w.Name)); err != nil {
				return nil, err
			}
		}
	}
	return vars, prepare(vars, c)
}

// Check refuses variables of another network.
func (p *pupil) Check(vars *mlx.Vars) error {
	want := mlx.NewVars()
	if err := prepare(want, p.req.Config); err != nil {
		return err
	}
	return run.Holds(vars, want)
}

// Take makes the engine for variables.
func (p *pupil) Take(_ context.Context, vars *mlx.Vars) error {
	p.engine = newEngine(p.req.Config, p.r.Backend, p.r.Device.NativeConv(), vars)
	return p.r.Place(p.engine.steps, p.req.Config.Batch)
}

// Keep leaves lint.txt.
func (p *pupil) Keep() error { return p.r.WriteText("lint.txt", p.speech.lint) }

// Plan is how the steps go.
func (p *pupil) Plan() run.Plan {
	c, native, kind, names := p.req.Config, p.engine.native, p.r.Device.Kind, p.r.Names
	cost := c.expect(p.r.First, native, kind)
	cost.Host += p.speech.bytes()
	draws := newBatcher(c, p.speech.train)
	shown := []run.Shown{{Name: "log-spectrum", Metric: "spectral"}, {Name: "log-mel", Metric: "mel"}, {Name: "D", Metric: "adv_d"}, {Name: "matching", Metric: "matching"}}
	return run.Plan{
		Phases: []run.Phase{
			{Name: "vocoder, spectra", End: c.SpectralSteps(), Cost: 1, Shown: shown},
			{Name: "vocoder, discriminators", End: c.Steps, Cost: c.adversarialCost(native, kind), Shown: shown},
		},
		Rate: c.rate,
		Lower: func(step int) string {
			if step < c.SpectralSteps() {
				return names.Setting("learningRate", c.LearningRate/2)
			}
			return names.Setting("discRate", c.DiscRate/2)
		},
		Smaller: names.Setting("cropFrames", max(c.CropFrames/2, c.minCrop())), Larger: names.Of("batch", 2*c.Batch),
		Cost:  cost,
		Blame: func(step int) ([]string, string) { return draws.files(step), "" },
	}
}

// Inputs draws the batches and puts them on the device, see engine.tensorsOf.
func (p *pupil) Inputs() (run.Inputs[[]*tensors.Tensor], error) {
	return p.engine.inputs(newBatcher(p.req.Config, p.speech.train)), nil
}

// Step makes a step.
func (p *pupil) Step(step int, in []*tensors.Tensor) ([]run.Results, error) {
	return p.engine.step(step, in)
}

// validBatches is how many held-out batches a validation scores.
const validBatches = 4

// Score scores the averaged network on held-out speech.
func (p *pupil) Score() (*run.Scored, error) {
	if len(p.speech.valid) == 0 {
		return nil, nil
	}
	held := newBatcher(p.req.Config, p.speech.valid)
	scores := map[string]float32{}
	b := held.newBatch()
	for i := range validBatches {
		held.fill(b, i)
		values, err := p.engine.score(b)
		if err != nil {
			return nil, err
		}
		for j, v := range values {
			scores[validMetrics[j]] += v / validBatches
		}
	}
	return &run.Scored{
		Metrics: scores, Sum: float64(scores["valid_spectral"]) + float64(scores["valid_mel"]),
		Line: fmt.Sprintf("on held-out speech: log-spectrum %.4f, convergence %.4f, log-mel %.4f", scores["valid_spectral"], scores["valid_convergence"], scores["valid_mel"]),
	}, nil
}

// Export takes the averaged weights out of variables.
func (p *pupil) Export(vars *mlx.Vars, steps int) (err error) {
	c := p.req.Config
	weights := map[string][]float32{}
	for _, w := range c.Net.Params() {
		if weights[w.Name], _, err = vars.Get(mlx.GroupEMA, w.Name); err != nil {
			return err
		}
	}
	p.net, err = vocoder.NewNet(c.Net, map[string]string{"steps": strconv.Itoa(steps), "preset": c.Preset, "program": p.r.Version}, weights)
	return err
}

// Write writes the vocoder.
func (p *pupil) Write(path string) error {
	precision := vocoder.Full
	if p.req.Half {
		precision = vocoder.Half
	}
	return p.net.Save(path, precision)
}

// openWeights reads a vocoder to start from; rate tells which of the program's own, 0 the one of its voices.
func openWeights(path string, rate int) (*vocoder.Net, error) {
	if path != base.Name {
		return vocoder.Load(path)
	}
	r, err := base.Open(base.VocoderAt(rate))
	if err != nil {
		return nil, err
	}
	return vocoder.Read(r)
}

// sizeOf is the preset whose size a network has, or nothing.
func sizeOf(net vocoder.NetConfig) (string, error) {
	for _, preset := range vocoder.NetPresets() {
		n, err := vocoder.NetPreset(preset, net.Features)
		if err != nil {
			return "", err
		}
		if n == net {
			return preset, nil
		}
	}
	return "", nil
}
