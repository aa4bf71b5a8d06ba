package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gomlx/compute"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/base"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/run"
	"github.com/starvc/vc/vocoder"
)

// Options are the flags of `vc train vocoder`. Zero values leave the preset's settings alone.
type Options struct {
	Speakers string   // folder with a folder per speaker, or name=folder,name=folder
	Preset   string   // tiny, base or large; empty for base
	Set      []string // name=value, each replacing one setting of Config
	Steps    int
	Batch    int
	Seed     uint64

	Init     string // a vocoder to start from, "base" for the program's own
	MelsFrom string // a voice model whose log-mels to learn from beside the recordings' own; empty for none
	// OpenMels makes the MelMaker of what MelsFrom names, or named when a run that is resumed began, for frames of cfg and for
	// speakers of these names.
	OpenMels func(from string, cfg features.Config, speakers []string) (MelMaker, error)

	Output  string // the vocoder; empty for vocoder.safetensors in the run folder
	Half    bool   // write float16
	RunDir  string // empty for a new one under runs/
	Resume  bool
	Last    bool   // take the last weights for the vocoder, not those of the best snapshot
	Device  string // see mlx.FindDevice
	GPUs    int    // cards of one host that share each batch, from Device's on; 0 for one
	Quiet   bool
	Stderr  io.Writer
	Version string // of the program

	refuse func(graph string, batch int) error // for tests, see engine.refuse
}

// ErrStopped is what Run returns after it was told to stop and has saved.
var ErrStopped = errors.New("stopped")

// Run trains a vocoder as `vc train vocoder` does. When ctx is cancelled the run is saved, the vocoder written as it is then, and
// ErrStopped returned.
func Run(ctx context.Context, o Options) error {
	r := &runner{o: o, say: newReporter(o.Stderr, o.Quiet)}
	return r.run(ctx)
}

type reporter = run.Reporter

func newReporter(w io.Writer, quiet bool) *reporter { return run.NewReporter(w, quiet) }

// request is what config.json of a run folder holds.
type request struct {
	Config   Config `json:"config"`
	Speakers string `json:"speakers"`
	Output   string `json:"output"`
	Half     bool   `json:"float16,omitempty"`
	Init     string `json:"init,omitempty"`
	MelsFrom string `json:"melsFrom,omitempty"`
}

type runner struct {
	o       Options
	say     *reporter
	dir     string
	req     request
	speech  *speech
	device  mlx.Device
	engine  *engine
	first   int      // the first step to make
	best    run.Best // of the snapshots
	unsaved run.Unsaved
}

func (r *runner) snapshots() run.Snapshots {
	return run.Snapshots{Dir: filepath.Join(r.dir, "snapshots")}
}

func (r *runner) run(ctx context.Context) error {
	if err := r.configure(); err != nil {
		return err
	}
	if err := run.CheckWritable(r.req.Output); err != nil {
		return err
	}
	device, err := mlx.FindDevice(r.o.Device)
	if err != nil {
		return err
	}
	c := r.req.Config
	if r.device, err = device.WithCards(r.o.GPUs, c.Batch); err != nil {
		return err
	}
	mels, err := r.openMels()
	if err != nil {
		return err
	}
	if r.speech, err = readSpeech(ctx, r.req.Speakers, mels, c, r.o.Quiet, r.say); err != nil {
		return err
	}
	minutes := 0.0
	for _, u := range r.speech.train {
		minutes += float64(len(u.sound)) / float64(c.Net.Features.SampleRate) / 60
	}
	r.say.Linef("%d speakers, %.1f minutes to train on; %.2f GMAC per second of audio", len(r.speech.speakers), minutes, c.Net.MACs()/1e9)
	backend, err := r.device.Open()
	if err != nil {
		return err
	}
	defer backend.Finalize()
	r.say.Linef("training on %s", r.device)
	vars, err := r.weights()
	if err != nil {
		return err
	}
	if err := r.begin(); err != nil {
		return err
	}
	if err := r.equip(backend, vars); err != nil {
		return err
	}
	r.foretell()
	done, err := r.loop(ctx)
	for err != nil {
		if err := r.smaller(err); err != nil {
			return err
		}
		done, err = r.loop(ctx)
	}
	return r.finish(done)
}

// equip makes the engine for weights, once r.first says which step comes next.
func (r *runner) equip(backend compute.Backend, vars *mlx.Vars) error {
	r.engine = newEngine(r.req.Config, backend, r.device.NativeConv(), vars)
	r.engine.refuse = r.o.refuse
	r.best = r.snapshots().RecallBest(r.first, r.warn)
	return r.engine.share(r.device.Cards)
}

func (r *runner) warn(format string, a ...any) { r.say.Linef("warning: "+format, a...) }

// smaller makes ready to go on with half the batch after a device ran out of memory: from the newest snapshot, or from the
// beginning. It returns the error that it was given where that is no way out.
func (r *runner) smaller(cause error) error {
	c := &r.req.Config
	half, err := run.HalfBatch(r.device, c.Batch, r.device.BatchUnit(false), cause, fmt.Sprintf("--set cropFrames=%d", max(c.CropFrames/2, c.minCrop())), r.say)
	if err != nil {
		return err
	}
	c.Batch = half
	r.engine.vars.Store().Finalize() // before the new ones go to the device
	vars, step, err := r.snapshots().Load(r.warn)
	if err != nil {
		return err
	}
	if vars == nil {
		vars, err = r.freshWeights()
	} else {
		err = prepare(vars, *c)
	}
	if err != nil {
		return err
	}
	r.first = step
	if err := r.equip(r.engine.backend, vars); err != nil {
		return err
	}
	r.say.Linef("going on after step %d with a batch of %d", step, half)
	return r.writeRequest()
}

// finish writes the vocoder and the report, and judges what was learnt.
func (r *runner) finish(done int) error {
	c, output := r.req.Config, r.req.Output
	weights, steps, err := r.chosen(done)
	if err != nil {
		return err
	}
	write := func() error {
		about := map[string]string{"steps": strconv.Itoa(steps), "preset": c.Preset, "program": r.o.Version}
		return audio.WriteAtomic(output, func(w io.Writer) error { return vocoder.WriteNet(w, c.Net, weights, about, r.req.Half) })
	}
	if done < c.Steps {
		if err := write(); err != nil {
			return err
		}
		r.say.Linef("stopped after step %d of %d; the vocoder so far is %s; go on with: vc train vocoder --run %s --resume", done, c.Steps, output, r.dir)
		return ErrStopped
	}
	net, err := vocoder.NetOf(c.Net, weights)
	if err != nil {
		return err
	}
	faults, samples, err := r.report(net, done)
	if err != nil {
		return errors.Join(err, write()) // hours of training are not lost for want of a picture
	}
	suspect := r.verdict(faults, samples)
	if suspect != nil {
		output = run.SuspectName(output)
	}
	if err := write(); err != nil {
		return err
	}
	r.say.Linef("vocoder: %s", output)
	r.say.Linef("run folder: %s (report.html, losses.png, samples/, metrics.jsonl; tensorboard --logdir shows it too)", r.dir)
	return suspect
}

// configure settles the configuration and the run folder.
func (r *runner) configure() error {
	r.dir = r.o.RunDir
	if r.o.Resume {
		if r.dir == "" {
			return errors.New("--resume: which run? name its folder with --run")
		}
		if err := run.ReadRequest(r.dir, "vc train vocoder", &r.req); err != nil {
			return err
		}
		c := &r.req.Config
		if err := run.CheckFixed(
			run.Fixed{Flag: "preset", Was: c.Preset, Now: r.o.Preset},
			run.Fixed{Flag: "seed", Was: run.Number(c.Seed), Now: run.Number(r.o.Seed)},
		); err != nil {
			return err
		}
		if r.o.Init != "" {
			return errors.New("--init starts a new run and --resume goes on with an old one: give one of them")
		}
		began := *c
		c.Steps, c.Batch = cmp.Or(r.o.Steps, c.Steps), cmp.Or(r.o.Batch, c.Batch)
		r.req.Speakers = corpus.AbsoluteSpec(cmp.Or(r.o.Speakers, r.req.Speakers))
		for _, s := range r.o.Set {
			if err := r.req.Config.applySet(s); err != nil {
				return err
			}
		}
		if err := run.CheckFixed(run.Fixed{Flag: "set seed", Was: run.Number(began.Seed), Now: run.Number(c.Seed)}); err != nil {
			return err
		}
		if r.o.Output != "" {
			r.req.Output = r.o.Output
		}
		r.req.Half = r.req.Half || r.o.Half
		r.req.MelsFrom = cmp.Or(r.o.MelsFrom, r.req.MelsFrom)
		if err := r.absolute(); err != nil {
			return err
		}
		return r.req.Config.Validate()
	}
	preset := r.o.Preset
	if preset == "" {
		preset = "base"
	}
	c, err := DefaultConfig(preset)
	if err != nil {
		return err
	}
	if r.o.Init != "" {
		if c.Net, _, err = openWeights(r.o.Init); err != nil {
			return fmt.Errorf("--init: %w", err)
		}
		size, err := sizeOf(c.Net)
		if err != nil {
			return err
		}
		if size != "" && r.o.Preset != "" && r.o.Preset != size {
			return fmt.Errorf("--preset %s does not fit the vocoder of --init, whose size is %s: leave --preset out", r.o.Preset, size)
		}
		c.Preset = cmp.Or(size, c.Preset)
	}
	if r.o.Steps > 0 {
		c.Steps = r.o.Steps
	}
	if r.o.Batch > 0 {
		c.Batch = r.o.Batch
	}
	if r.o.Seed > 0 {
		c.Seed = r.o.Seed
	}
	for _, s := range r.o.Set {
		if err := c.applySet(s); err != nil {
			return err
		}
	}
	if err := c.Validate(); err != nil {
		return err
	}
	if r.dir == "" {
		r.dir = filepath.Join("runs", "vocoder-"+time.Now().Format("20060102-150405"))
	}
	if entries, err := os.ReadDir(r.dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("run folder %s is not empty: go on with it by --resume, or name another with --run", r.dir)
	}
	r.req = request{Config: c, Speakers: corpus.AbsoluteSpec(r.o.Speakers), Output: r.o.Output, Half: r.o.Half, Init: r.o.Init, MelsFrom: r.o.MelsFrom}
	if r.req.Output == "" {
		r.req.Output = filepath.Join(r.dir, "vocoder.safetensors")
	}
	return r.absolute()
}

// absolute makes the paths of the request fit for a resume in another folder.
func (r *runner) absolute() (err error) {
	for _, path := range []*string{&r.req.Output, &r.req.Init, &r.req.MelsFrom} {
		if *path == "" || *path == builtIn {
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil {
			return fmt.Errorf("run folder: %w", err)
		}
	}
	return nil
}

// builtIn names what comes with the program in place of a file; a file of that name is ./base.
const builtIn = "base"

// openWeights reads a vocoder to start from.
func openWeights(path string) (vocoder.NetConfig, map[string][]float32, error) {
	if path != builtIn {
		return vocoder.LoadWeights(path)
	}
	r, err := base.Open(base.Vocoder)
	if err != nil {
		return vocoder.NetConfig{}, nil, err
	}
	return vocoder.ReadWeights(r)
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

// openMels makes the MelMaker that is asked for, nil for none.
func (r *runner) openMels() (MelMaker, error) {
	switch {
	case r.req.MelsFrom == "":
		return nil, nil
	case r.o.OpenMels == nil:
		return nil, fmt.Errorf("--mels-from %s: nothing here can open it", r.req.MelsFrom)
	}
	speakers, err := corpus.Scan(r.req.Speakers)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, s := range speakers {
		names = append(names, s.Name)
	}
	m, err := r.o.OpenMels(r.req.MelsFrom, r.req.Config.Net.Features, names)
	if err != nil {
		return nil, fmt.Errorf("--mels-from: %w", err)
	}
	return m, nil
}

// weights are those of the newest snapshot, or a new run's.
func (r *runner) weights() (*mlx.Vars, error) {
	if r.o.Resume {
		vars, step, err := r.snapshots().Load(r.warn)
		if err != nil {
			return nil, err
		}
		if vars != nil {
			if err := run.CheckSteps(step, r.req.Config.Steps); err != nil {
				return nil, err
			}
			r.first = step
			r.say.Linef("going on after step %d", step)
			return vars, prepare(vars, r.req.Config)
		}
		r.say.Linef("no snapshot yet: starting from the beginning")
	}
	return r.freshWeights()
}

// freshWeights are those that a run begins with: of --init, or new.
func (r *runner) freshWeights() (*mlx.Vars, error) {
	c := r.req.Config
	vars := mlx.NewVars()
	if r.req.Init != "" {
		_, weights, err := openWeights(r.req.Init)
		if err != nil {
			return nil, fmt.Errorf("--init: %w", err)
		}
		for _, p := range c.Net.Params() {
			if err := vars.Set(mlx.GroupWeights, p.Name, p.Shape, weights[p.Name]); err != nil {
				return nil, err
			}
		}
	}
	return vars, prepare(vars, c)
}

// begin makes the run folder, or brings an old one's config.json up to date.
func (r *runner) begin() error {
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return fmt.Errorf("run folder: %w: name a folder that can be written with --run", err)
	}
	if err := r.writeRequest(); err != nil {
		return err
	}
	return audio.WriteAtomic(filepath.Join(r.dir, "lint.txt"), func(w io.Writer) error {
		_, err := r.speech.lint.WriteTo(w)
		return err
	})
}

func (r *runner) writeRequest() error { return run.WriteRequest(r.dir, r.req) }
