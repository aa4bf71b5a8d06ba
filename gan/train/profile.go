package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/runlog"
)

// ProfileOptions are the flags of `vc bench train`.
type ProfileOptions struct {
	Preset     string        // tiny, small, medium, live or hq; empty for medium
	ConfigFile string        // JSON with settings that replace the preset's
	Set        []string      // name=value, each replacing one setting
	Batch      int           // 0 for the preset's
	Device     string        // see mlx.FindDevice
	Duration   time.Duration // of measuring, compiling not counted; five rounds at least
	// Say is told what comes next; may be nil.
	Say func(what string)
}

// profileSpeakers is how many voices the made-up recordings have.
const profileSpeakers = 10

// The rounds of a profile: in each, everything is measured once, so that a disturbance from outside meets all alike.
const (
	leastRounds = 5
	mostRounds  = 50
	rowSteps    = 3 // steps that are made without waiting in between
)

// RunProfile measures what one step of the star, D's and G's together with C and P, spends its time on. Each pass through a
// network is compiled and timed as a graph of its own; so are the optimizer, the average, the building of the batch and its
// way to the device. Recordings are made up, and nothing is written. Errors come from settings or a device that cannot work, and
// from ctx.
func RunProfile(ctx context.Context, o ProfileOptions) (*Profile, error) {
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
	r := runner{o: Options{ConfigFile: o.ConfigFile, Set: o.Set, Batch: o.Batch}, req: request{Config: cfg}}
	if err := r.override(); err != nil {
		return Config{}, err
	}
	cfg = r.req.Config
	if cfg.AddVoice.On || cfg.StyleLabels {
		return Config{}, errors.New("a profile is of the step of the star, which addVoice.on and styleLabels change: leave them out")
	}
	return cfg, nil
}

func profileConfig(ctx context.Context, o ProfileOptions, cfg Config) (*Profile, error) {
	if o.Say == nil {
		o.Say = func(string) {}
	}
	device, err := mlx.FindDevice(o.Device)
	if err != nil {
		return nil, err
	}
	backend, err := device.Open()
	if err != nil {
		return nil, err
	}
	defer backend.Finalize()
	p, err := newProfiler(cfg, device, backend)
	if err != nil {
		return nil, err
	}
	if err := p.measure(ctx, o); err != nil {
		return nil, err
	}
	if device.Kind == "cuda" {
		o.Say("watching the card")
		if err := p.watchCard(ctx, device, cardLead, cardWatch); err != nil {
			return nil, err
		}
	}
	return p.report, p.sum()
}

// newProfiler makes the data and the weights of a profile; nothing is compiled yet.
func newProfiler(cfg Config, device mlx.Device, backend compute.Backend) (*profiler, error) {
	set := madeUpSet(cfg)
	vars := mlx.NewVars()
	if err := prepare(vars, cfg, len(set.Speakers)); err != nil {
		return nil, err
	}
	if err := prepareProbes(vars, cfg); err != nil {
		return nil, err
	}
	p := &profiler{
		cfg: cfg, backend: backend, byName: map[string]*timer{},
		engine: newEngine(cfg, backend, device.NativeConv(), vars, set.Speakers, true),
		report: &Profile{
			Device: device.String(), Preset: cfg.Preset, Batch: cfg.Batch, CropFrames: cfg.CropFrames, StyleFrames: cfg.StyleFrames,
			Speakers: len(set.Speakers), BFloat16: cfg.BFloat16, NativeConvolution: device.NativeConv(),
		},
	}
	var err error
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
				NMels: cfg.Features.NMels, LogMel: randomNumbers(r, frames, cfg.Features.NMels),
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

// profiler is one call of RunProfile.
type profiler struct {
	cfg     Config
	backend compute.Backend
	engine  *engine
	batcher *corpus.Batcher
	timers  []*timer
	byName  map[string]*timer
	product floor
	memory  floor
	report  *Profile
}

// timer is something that is measured once a round.
type timer struct {
	name  string
	run   func() (time.Duration, error)
	times []time.Duration
}

func (t *timer) measure() error {
	d, err := t.run()
	t.times = append(t.times, d)
	return err
}

// median in milliseconds.
func (t *timer) median() float64 {
	sorted := slices.Sorted(slices.Values(t.times))
	return sorted[len(sorted)/2].Seconds() * 1000
}

// add makes a timer of something that is timed whole.
func (p *profiler) add(name string, do func() error) {
	p.addTimed(name, func() (time.Duration, error) {
		began := time.Now()
		err := do()
		return time.Since(began), err
	})
}

func (p *profiler) addTimed(name string, run func() (time.Duration, error)) {
	t := &timer{name: name, run: run}
	p.timers, p.byName[name] = append(p.timers, t), t
}

// graph makes a timer of a graph whose inputs stay on the device. Fetching the result waits for the device.
func (p *profiler) graph(name string, build func([]*Node) []*Node, inputs ...*tensors.Tensor) *timer {
	return &timer{name: name, run: func() (time.Duration, error) {
		began := time.Now()
		out, err := p.engine.call(name, build, inputs...)
		if err != nil {
			return 0, err
		}
		results{Tensor: out}.Fetch()
		return time.Since(began), nil
	}}
}

func (p *profiler) addGraph(name string, build func([]*Node) []*Node, inputs ...*tensors.Tensor) {
	t := p.graph(name, build, inputs...)
	p.timers, p.byName[name] = append(p.timers, t), t
}

// vector is an input that stands for the schedule: a rate and a decay of 0.
func (p *profiler) vector() *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(make([]float32, scheduleLength), scheduleLength)
}

// Names of the timers that are not passes.
const (
	timeCall       = "a call that does nothing"
	timeStep       = "a whole step"
	timeRow        = "steps in a row"
	timeBatch      = "batch"
	timeFeed       = "inputs"
	timeUpload     = "upload"
	timeOptimizerD = "optimizer of D and C"
	timeOptimizerG = "optimizer of G, F and E"
	timeAverage    = "average"
)

// Names of the terms that are not networks.
const (
	optimizing = "optimizer"
	averaging  = "average of the weights"
	feeding    = "inputs, on the host"
	uploading  = "upload to the device"
	calling    = "calls of the device"
)

// termOrder is the order of the terms in a report.
var termOrder = []string{"D", "G", "E", "F", "C", "P", augmentation, optimizing, averaging, feeding, uploading, calling}

var (
	discriminatorPrefixes = []string{"disc.", "cls."}
	starPrefixes          = append([]string{"map.", "sty."}, generatorParts...)
	averagePrefixes       = []string{"gen.", "map.", "sty."}
)

// prepareTimers lists everything that is measured.
func (p *profiler) prepareTimers() {
	e, batch := p.engine, p.batcher.At(p.cfg.sourceStep())
	p.addGraph(timeCall, callProbe, p.vector())
	for _, way := range p.cfg.starPasses(true) {
		for _, w := range []pass{way.forwardOnly(), way} {
			if p.byName[w.name()] == nil {
				p.addGraph(w.name(), e.probe(w), e.probeInputs(w)...)
			}
		}
	}
	p.addGraph(timeOptimizerD, e.optimizerProbe(discriminatorPrefixes...), p.vector())
	p.addGraph(timeOptimizerG, e.optimizerProbe(starPrefixes...), p.vector())
	p.addGraph(timeAverage, e.averageProbe, p.vector())

	step := p.cfg.sourceStep()
	p.add(timeBatch, func() error {
		step++
		p.batcher.At(step)
		return nil
	})
	p.addTimed(timeFeed, func() (time.Duration, error) {
		began := time.Now()
		inputs := e.starInputs(batch)
		took := time.Since(began)
		return took, e.free(inputs)
	})
	p.addTimed(timeUpload, func() (time.Duration, error) {
		inputs := e.starInputs(batch)
		began := time.Now()
		for _, t := range inputs {
			if _, err := t.Buffer(p.backend, 0); err != nil {
				return 0, err
			}
		}
		took := time.Since(began)
		return took, e.free(inputs)
	})
	p.add(timeStep, func() error { return p.steps(batch, 1) })
	p.add(timeRow, func() error { return p.steps(batch, rowSteps) })
}

// steps makes some whole steps, as a run does: the inputs of all but the first can be made beside the step before.
func (p *profiler) steps(batch *corpus.Batch, n int) (err error) {
	ready, err := p.load(batch, n)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ready.Close()) }()
	return p.row(ready, n)
}

func (p *profiler) load(batch *corpus.Batch, n int) (*runlog.Ahead[readyStep], error) {
	return p.engine.load(func() (*corpus.Batch, error) { return batch, nil }, 0, n)
}

// row makes some steps and waits for the last.
func (p *profiler) row(ready *runlog.Ahead[readyStep], n int) error {
	var pending []results
	for range n {
		next, err := ready.Next()
		if err != nil {
			return err
		}
		rs, err := p.engine.make(next)
		if err != nil {
			return err
		}
		pending = append(pending, rs...)
	}
	for _, r := range pending {
		r.Fetch()
	}
	return nil
}

// The card is watched for cardWatch, after cardLead in which nvidia-smi starts and its first line still looks back on other work.
const cardLead, cardWatch = 3 * time.Second, 6 * time.Second

// watchCard makes whole steps for a while and nothing else, and reports how busy the card is meanwhile: a line a second would not
// tell them from the parts that are measured in turn with them.
func (p *profiler) watchCard(ctx context.Context, device mlx.Device, lead, watch time.Duration) (err error) {
	use := mlx.WatchUse(device)
	defer use.Close()
	ready, err := p.load(p.batcher.At(p.cfg.sourceStep()), math.MaxInt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ready.Close()) }()
	for _, d := range []time.Duration{lead, watch} {
		use.Take()
		for began := time.Now(); time.Since(began) < d; {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := p.row(ready, rowSteps); err != nil {
				return err
			}
		}
	}
	p.report.CardUse = use.Take().Busy
	return nil
}

// starInputs are all tensors of a step of the star.
func (e *engine) starInputs(batch *corpus.Batch) []*tensors.Tensor {
	f := feed{cfg: e.cfg, speakers: e.speakers, batch: batch}
	return f.star(f.schedule(e.cfg.schedule(batch.Step, e.encoderFromP))).all
}

// measure compiles everything, and then measures in rounds.
func (p *profiler) measure(ctx context.Context, o ProfileOptions) error {
	began := time.Now()
	o.Say("what the device can do at best")
	var err error
	if p.product, err = p.productFloor(); err != nil {
		return err
	}
	if p.memory, err = p.memoryFloor(); err != nil {
		return err
	}
	p.prepareTimers()
	p.timers = append(p.timers, p.product.timer, p.memory.timer)
	for i, t := range p.timers {
		if err := ctx.Err(); err != nil {
			return err
		}
		o.Say(fmt.Sprintf("compiling %d of %d: %s", i+1, len(p.timers), t.name))
		if err := t.measure(); err != nil {
			return err
		}
		t.times = nil
	}
	p.report.CompileSeconds = time.Since(began).Seconds()
	o.Say("measuring")
	began = time.Now()
	for p.report.Rounds = 0; p.report.Rounds < mostRounds; p.report.Rounds++ {
		if p.report.Rounds >= leastRounds && time.Since(began) > o.Duration {
			break
		}
		for _, t := range p.timers {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := t.measure(); err != nil {
				return err
			}
		}
	}
	return nil
}
