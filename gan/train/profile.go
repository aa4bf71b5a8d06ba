package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/device"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/mlx/gannet"
	"github.com/starvc/vc/internal/mlx/profile"
	"github.com/starvc/vc/internal/phones"
	"github.com/starvc/vc/internal/run"
)

// ProfileOptions are the flags of `vc bench train`.
type ProfileOptions struct {
	Preset     string        // tiny, small, medium, live or hq; empty for medium
	ConfigFile string        // JSON with settings that replace the preset's
	Set        []string      // name=value, each replacing one setting
	Batch      int           // 0 for the preset's
	Device     string        // see device.Find
	Duration   time.Duration // of measuring, compiling not counted; five rounds at least
	// Say is told what comes next; may be nil.
	Say func(what string)
}

// profileSpeakers is how many voices the made-up recordings have.
const profileSpeakers = 10

// RunProfile measures what one step of the star, D's and G's together with C and P, spends its time on. Each pass through a
// network is compiled and timed as a graph of its own; so are the optimizer, the average, the building of the batch and its
// way to the device. Recordings are made up, and nothing is written. Errors come from settings or a device that cannot work, and
// from ctx.
func RunProfile(ctx context.Context, o ProfileOptions) (*profile.Report, error) {
	cfg, err := o.config()
	if err != nil {
		return nil, err
	}
	return profileConfig(ctx, o, cfg)
}

func (o ProfileOptions) config() (Config, error) {
	cfg, err := DefaultConfig(cmp.Or(o.Preset, usualPreset))
	if err != nil {
		return Config{}, err
	}
	if err := (run.Options{ConfigFile: o.ConfigFile, Set: o.Set, Batch: o.Batch}).Override(&cfg); err != nil {
		return Config{}, err
	}
	if cfg.AddVoice.On || cfg.StyleLabels {
		return Config{}, errors.New("a profile is of the step of the star, which addVoice.on and styleLabels change: leave them out")
	}
	return cfg, nil
}

func profileConfig(ctx context.Context, o ProfileOptions, cfg Config) (*profile.Report, error) {
	if o.Say == nil {
		o.Say = func(string) {}
	}
	device, err := device.Find(o.Device)
	if err != nil {
		return nil, err
	}
	backend, err := mlx.Open(device)
	if err != nil {
		return nil, err
	}
	defer backend.Finalize()
	p, err := newProfiler(cfg, device, backend)
	if err != nil {
		return nil, err
	}
	if err := p.add(); err != nil {
		return nil, err
	}
	if err := p.Measure(ctx, o.Duration, o.Say); err != nil {
		return nil, err
	}
	if device.Kind == "cuda" {
		o.Say("watching the card")
		if err := p.watchCard(ctx, device, profile.CardLead, profile.CardWatch); err != nil {
			return nil, err
		}
	}
	return p.Report, p.Sum(2, termOrder...)
}

// profiler is one call of RunProfile.
type profiler struct {
	*profile.Profiler
	cfg     Config
	backend compute.Backend
	engine  *engine
	batcher *corpus.Batcher
}

// newProfiler makes the data and the weights of a profile; nothing is compiled yet.
func newProfiler(cfg Config, device device.Device, backend compute.Backend) (*profiler, error) {
	set := madeUpSet(cfg)
	vars := mlx.NewVars()
	if err := prepare(vars, cfg, len(set.Speakers)); err != nil {
		return nil, err
	}
	if err := gannet.Initialise(vars, phones.EncoderParams(cfg.GAN), cfg.Seed); err != nil { // a phone network that knows nothing
		return nil, err
	}
	p := &profiler{cfg: cfg, backend: backend, engine: newEngine(cfg, backend, device.NativeConv(), vars, set.Speakers, true)}
	var err error
	p.Profiler, err = profile.New(&profile.Report{
		Device: device.String(), Preset: cfg.Preset, What: "a step of the star with C and P", Batch: cfg.Batch, CropFrames: cfg.CropFrames,
		StyleFrames: cfg.StyleFrames, Speakers: len(set.Speakers), BFloat16: cfg.BFloat16, NativeConvolution: device.NativeConv(),
	}, vars, p.engine.adam, p.engine.steps.Call)
	if err != nil {
		return nil, err
	}
	p.batcher, err = corpus.NewBatcher(set, corpus.BatchConfig{
		Size: cfg.Batch, CropFrames: cfg.CropFrames, StyleFrames: cfg.StyleFrames, LatentDim: cfg.GAN.LatentDim,
		MaxLookAhead: cfg.GAN.StemFuture,
	}, cfg.Seed)
	return p, err
}

// madeUpSet is a set of recordings, four of four seconds for each speaker, of noise.
func madeUpSet(cfg Config) *corpus.Set {
	const takes, seconds = 4, 4
	frames := max(seconds*cfg.Features.SampleRate/cfg.Features.Hop, 2*max(cfg.CropFrames, cfg.StyleFrames))
	r := rand.New(rand.NewPCG(cfg.Seed, 1))
	set := &corpus.Set{Features: cfg.Features}
	for i := range profileSpeakers {
		set.Speakers = append(set.Speakers, corpus.SpeakerInfo{Name: fmt.Sprint("speaker", i), LogF0Mean: 4.7 + 0.05*float64(i), LogF0Std: 0.2})
		for range takes {
			f := features.Frames{
				NMels: cfg.Features.NMels, LogMel: profile.RandomNumbers(r, frames, cfg.Features.NMels),
				F0: make([]float32, frames), LogEnergy: make([]float32, frames),
			}
			for t := range frames {
				f.LogEnergy[t] = -3
				if t%3 > 0 {
					f.F0[t] = 100 + 100*r.Float32()
				}
			}
			set.Train = append(set.Train, corpus.Utterance{Speaker: i, Frames: f})
		}
	}
	return set
}

// termOrder is the order of the networks in a report.
var termOrder = []string{"D", "G", "E", "F", "C", "P", augmentation}

// add lists everything that is measured.
func (p *profiler) add() error {
	e, batch := p.engine, p.batcher.At(p.cfg.sourceStep())
	for _, way := range p.cfg.starPasses(true) {
		p.AddPart(e.part(way))
	}
	err := errors.Join(
		p.AddOptimizer("D and C", "disc.", "cls."),
		p.AddOptimizer("G, F and E", append([]string{"map.", "sty."}, generatorParts...)...),
		p.AddAverage("gen.", "map.", "sty."),
	)
	if err != nil {
		return err
	}
	step := p.cfg.sourceStep()
	p.AddBatch(func() error {
		step++
		p.batcher.At(step)
		return nil
	})
	bytes := 0.0
	inputs := e.starInputs(batch)
	for _, t := range inputs {
		bytes += float64(4 * t.Size())
	}
	if err := e.steps.Free(inputs); err != nil {
		return err
	}
	p.AddTerm(profile.Feeding, bytes, func() (time.Duration, error) {
		began := time.Now()
		inputs := e.starInputs(batch)
		took := time.Since(began)
		return took, e.steps.Free(inputs)
	})
	p.AddTerm(profile.Uploading, bytes, func() (time.Duration, error) {
		inputs := e.starInputs(batch)
		began := time.Now()
		for _, t := range inputs {
			if _, err := t.Buffer(p.backend, 0); err != nil {
				return 0, err
			}
		}
		took := time.Since(began)
		return took, e.steps.Free(inputs)
	})
	p.AddStep(p.steps(batch).Row)
	return nil
}

// steps makes steps of one batch.
func (p *profiler) steps(batch *corpus.Batch) profile.Steps[readyStep] {
	return profile.Steps[readyStep]{
		Load: func(n int) (*run.Ahead[readyStep], error) {
			if err := p.engine.begin(); err != nil {
				return nil, err
			}
			return run.StartAhead(0, n, func(int) (readyStep, error) { return p.engine.ready(batch) }, func(s readyStep) error { return p.engine.steps.Free(s.inputs) }), nil
		},
		Make: p.engine.make,
	}
}

// watchCard makes whole steps for a while and nothing else, see WatchCard.
func (p *profiler) watchCard(ctx context.Context, device device.Device, lead, watch time.Duration) error {
	return p.steps(p.batcher.At(p.cfg.sourceStep())).Unceasing(func(row func() error) error {
		return p.WatchCard(ctx, device, lead, watch, row)
	})
}

// starInputs are all tensors of a step of the star.
func (e *engine) starInputs(batch *corpus.Batch) []*tensors.Tensor {
	f := feed{cfg: e.cfg, speakers: e.speakers, batch: batch}
	return f.star(f.schedule(e.cfg.schedule(batch.Step, e.encoderFromP))).all
}

// part is a pass as a profile measures it.
func (e *engine) part(p pass) profile.Part {
	of := p.network
	if p.decoder {
		of += "'s decoder"
	}
	name := fmt.Sprintf("%s, %.0f clips", of, p.items)
	if p.frames > 0 {
		name += fmt.Sprintf(" of %d frames", p.frames)
	}
	x := profile.Part{
		Step: p.step, Term: p.network, Of: of, What: p.what, Items: p.items, Name: name, Prefix: p.prefix(), Learns: p.weights,
		Inputs: func() []*tensors.Tensor { return e.probeInputs(p) },
		Through: func(in []*Node, frozen bool) *Node {
			return p.through(e.over(in[0].Graph(), mlx.GroupWeights, frozen), in)
		},
		Counts: []run.Pass{p.with(p.cost(e.cfg, len(e.speakers), e.native))},
	}
	if p.weights && p.network == "G" { // to F or E
		x.To = append(x.To, 2)
	}
	if p.input {
		x.To = append(x.To, 0)
	}
	return x
}

// prefix of the network's weights.
func (p pass) prefix() string {
	return map[string]string{"G": "gen.", "F": "map.", "E": "sty.", "D": "disc.", "C": "cls.", "P": "pho."}[p.network]
}

// probeInputs are random inputs of a pass, the one that takes a gradient first.
func (e *engine) probeInputs(p pass) []*tensors.Tensor {
	c, n := e.cfg.GAN, int(p.items)
	r := rand.New(rand.NewPCG(uint64(n), uint64(p.frames)))
	random := func(dims ...int) *tensors.Tensor { return profile.Random(r, dims...) }
	y := make([]int32, n)
	for i := range y {
		y[i] = int32(i % len(e.speakers))
	}
	f := feed{cfg: e.cfg, speakers: e.speakers}
	switch p.network {
	case "G":
		in := random(n, p.frames, c.NMels)
		if p.decoder {
			in = random(n, p.frames, c.Bottleneck)
		}
		return []*tensors.Tensor{in, random(n, p.frames, gan.Controls), random(n, c.StyleDim), random(c.StemTaps())}
	case "F":
		return []*tensors.Tensor{random(n, c.LatentDim), f.oneHot(y)}
	case augmentation:
		return []*tensors.Tensor{random(n, p.frames, c.NMels), random(n, c.NMels, c.NMels), random(n, 1, 1), random(n, p.frames, c.NMels)}
	}
	return []*tensors.Tensor{random(n, p.frames, c.NMels), f.oneHot(y)}
}

// through sends probeInputs through the network.
func (p pass) through(net networks, in []*Node) *Node {
	switch p.network {
	case "G":
		if p.decoder {
			return net.decode(in[0], in[1], in[2])
		}
		return net.generate(in[0], in[1], in[2], in[3])
	case "F":
		return net.mapLatent(in[0], in[1])
	case "E":
		style, common := net.encodeStyle(in[0], in[1])
		return Add(style, common)
	case "D":
		return net.judge(in[0], in[1])
	case "C":
		return net.classifySource(in[0])
	case "P":
		return mlx.Float(gannet.Encode(net.net, net.cfg, "pho", in[0], nil))
	}
	return augment(in[0], in[1], in[2], in[3])
}
