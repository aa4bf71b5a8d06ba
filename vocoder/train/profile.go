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
	"github.com/starvc/vc/internal/device"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/mlx/profile"
	"github.com/starvc/vc/internal/run"
)

// ProfileOptions are the flags of `vc bench train --vocoder`.
type ProfileOptions struct {
	Preset   string        // tiny, base or large; empty for base
	Set      []string      // name=value, each replacing one setting
	Batch    int           // 0 for the preset's
	Device   string        // see device.Find
	Duration time.Duration // of measuring, compiling not counted; five rounds at least
	// Say is told what comes next; may be nil.
	Say func(what string)
}

// RunProfile measures what one step of the second phase, that of the discriminators and then of the vocoder, spends its time on;
// of the first phase where spectralShare is 1. Each part is compiled and timed as a graph of its own. Recordings are made up,
// and nothing is written. Errors come from settings or a device that cannot work, and from ctx.
func RunProfile(ctx context.Context, o ProfileOptions) (*profile.Report, error) {
	c, err := o.config()
	if err != nil {
		return nil, err
	}
	return profileConfig(ctx, o, c)
}

func (o ProfileOptions) config() (Config, error) {
	c, err := DefaultConfig(cmp.Or(o.Preset, "base"))
	if err != nil {
		return c, err
	}
	return c, run.Options{Set: o.Set, Batch: o.Batch}.Override(&c)
}

func profileConfig(ctx context.Context, o ProfileOptions, c Config) (*profile.Report, error) {
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
	p, err := newProfiler(c, device, backend)
	if err != nil {
		return nil, err
	}
	if err := p.Measure(ctx, o.Duration, o.Say); err != nil {
		return nil, err
	}
	if device.Kind == "cuda" {
		o.Say("watching the card")
		if err := p.watchCard(ctx, device); err != nil {
			return nil, err
		}
	}
	calls := 1
	if p.adversarial {
		calls = 2
	}
	return p.Report, p.Sum(calls, vocoding, comparing, periods, resolutions)
}

// profiler is one call of RunProfile.
type profiler struct {
	*profile.Profiler
	engine      *engine
	batch       *batch
	adversarial bool
}

// newProfiler makes the data and the weights of a profile and lists what is measured; nothing is compiled yet.
func newProfiler(c Config, device device.Device, backend compute.Backend) (*profiler, error) {
	vars := mlx.NewVars()
	if err := prepare(vars, c); err != nil {
		return nil, err
	}
	p := &profiler{engine: newEngine(c, backend, device.NativeConv(), vars), adversarial: c.SpectralSteps() < c.Steps}
	what := "a step by spectra alone"
	if p.adversarial {
		what = "a step of the discriminators and the vocoder"
	}
	var err error
	p.Profiler, err = profile.New(&profile.Report{
		Device: device.String(), Preset: c.Preset, What: what, Batch: c.Batch, CropFrames: c.CropFrames,
		BFloat16: c.BFloat16, NativeConvolution: device.NativeConv(),
	}, vars, p.engine.adam, p.engine.steps.Call)
	if err != nil {
		return nil, err
	}
	batches := newBatcher(c, []utterance{madeUp(c)})
	p.batch = batches.newBatch()
	step := 0
	if p.adversarial {
		step = c.SpectralSteps()
	}
	batches.fill(p.batch, step)
	p.AddBatch(func() error {
		batches.fill(p.batch, step)
		return nil
	})
	return p, p.add()
}

// madeUp is a recording of noise that is said to have a pitch.
func madeUp(c Config) utterance {
	cfg := c.Net.Features
	frames := max(4*cfg.SampleRate/cfg.Hop, 2*c.CropFrames)
	r := rand.New(rand.NewPCG(c.Seed, 1))
	u := utterance{
		frames: features.Frames{NMels: cfg.NMels, LogMel: profile.RandomNumbers(r, frames, cfg.NMels), F0: make([]float32, frames), LogEnergy: make([]float32, frames)},
		sound:  profile.RandomNumbers(r, frames*cfg.Hop), phases: make([]float64, frames),
	}
	for i := range u.sound {
		u.sound[i] *= 0.1
	}
	for t := range frames {
		if t%3 > 0 {
			u.frames.F0[t] = 100 + 100*r.Float32()
		}
	}
	return u
}

// add lists everything that is measured but the batch.
func (p *profiler) add() error {
	e := p.engine
	var recordings pass // whose spectra are compared with the copies'
	for _, way := range e.cfg.passes(p.adversarial, e.native) {
		if way.part == comparing && !way.input {
			recordings = way
			continue
		}
		x := e.part(way)
		if way.part == comparing {
			counts := recordings.counts()
			x.What, x.Counts = "compare the copies with the recordings", append(x.Counts, counts[:]...)
		}
		p.AddPart(x)
	}
	err := errors.Join(p.AddOptimizer("the vocoder", netPrefix), p.AddAverage(netPrefix))
	if p.adversarial {
		err = errors.Join(err, p.AddOptimizer("the discriminators", discPrefix))
	}
	if err != nil {
		return err
	}
	in, err := e.ready(p.batch)
	if err != nil {
		return err
	}
	bytes := 0.0
	for _, t := range in {
		bytes += float64(4 * t.Size())
	}
	if err := e.steps.Free(in); err != nil {
		return err
	}
	p.AddTerm(profile.Uploading, bytes, func() (time.Duration, error) {
		began := time.Now()
		in, err := e.ready(p.batch)
		took := time.Since(began)
		return took, errors.Join(err, e.steps.Free(in))
	})
	p.AddStep(p.steps().Row)
	return nil
}

// part is a pass as a profile measures it.
func (e *engine) part(p pass) profile.Part {
	c, n := e.cfg, int(p.items)
	random := func(shapes ...[]int) func() []*tensors.Tensor {
		return func() (in []*tensors.Tensor) {
			r := rand.New(rand.NewPCG(1, 2))
			for _, s := range shapes {
				in = append(in, profile.Random(r, s...))
			}
			return in
		}
	}
	counts := p.counts()
	x := profile.Part{
		Step: p.step, Term: p.part, Of: p.part, What: p.what, Items: p.items, Learns: p.weights, Counts: counts[:],
		Name: fmt.Sprintf("%s, %d clips of %d frames", p.part, n, c.CropFrames),
	}
	if p.input {
		x.To = []int{0}
	}
	sound := []int{n, samples(c.Net.Features, c.CropFrames)}
	net := func(in []*Node, frozen bool) mlx.Net { return e.net(in[0].Graph(), mlx.GroupWeights, frozen) }
	judges := func(judge func(mlx.Net, *Node) []verdict) {
		x.Inputs = random(sound)
		if p.step == "G" {
			x.Name += ", layers too"
		}
		x.Through = func(in []*Node, frozen bool) *Node { return opinion(judge(net(in, frozen), in[0]), p.step == "G") }
	}
	switch p.part {
	case vocoding:
		spectra := []int{n, c.CropFrames, 2 * c.Net.Features.Bins()}
		x.Prefix, x.Inputs = netPrefix, random([]int{n, c.CropFrames, c.Net.Inputs()}, spectra, spectra)
		x.Through = func(in []*Node, frozen bool) *Node { return e.voice(in, mlx.GroupWeights, frozen) }
	case comparing:
		x.Inputs = random(sound, sound)
		x.Through = func(in []*Node, _ bool) *Node {
			loss, _ := e.reconstruction(in[1], in[0])
			return loss
		}
	case periods:
		x.Prefix = discPrefix + "period."
		judges(judgePeriods)
	default:
		x.Prefix = discPrefix + "window."
		judges(judgeResolutions)
	}
	return x
}

// opinion is a number that depends on all logits and, where the vocoder matches them, on all layers.
func opinion(all []verdict, layers bool) *Node {
	loss := AdversarialLoss(all)
	if layers {
		for _, v := range all {
			for _, l := range v.layers {
				loss = Add(loss, ReduceAllMean(Abs(l)))
			}
		}
	}
	return loss
}

// steps makes steps of the batch.
func (p *profiler) steps() profile.Steps[[]*tensors.Tensor] {
	return profile.Steps[[]*tensors.Tensor]{
		Load: func(n int) (*run.Ahead[[]*tensors.Tensor], error) {
			return run.StartAhead(0, n, func(int) ([]*tensors.Tensor, error) { return p.engine.ready(p.batch) }, p.engine.steps.Free), nil
		},
		Make: func(in []*tensors.Tensor) ([]run.Results, error) { return p.engine.step(p.batch.step, in) },
	}
}

// watchCard makes whole steps for a while and nothing else, see WatchCard.
func (p *profiler) watchCard(ctx context.Context, device device.Device) error {
	return p.steps().Unceasing(func(row func() error) error {
		return p.WatchCard(ctx, device, profile.CardLead, profile.CardWatch, row)
	})
}
