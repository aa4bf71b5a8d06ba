package train

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/base"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/mlx/mlxtest"
	"github.com/starvc/vc/internal/run"
	"github.com/starvc/vc/internal/run/runtest"
	"github.com/starvc/vc/vocoder"
)

// call2 runs a graph that lets new discriminators judge.
func call2(t *testing.T, c Config, build func(judges func(*Node) []verdict, in []*Node) []*Node, args ...*tensors.Tensor) []float32 {
	t.Helper()
	vars := mlx.NewVars()
	if err := prepare(vars, c); err != nil {
		t.Fatal(err)
	}
	e := newEngine(c, mlxtest.OpenGo(t), false, vars)
	list := make([]any, len(args))
	for i, a := range args {
		list[i] = a
	}
	out, err := model.CallOnce(e.backend, vars.Store(), func(_ *model.Scope, in []*Node) *Node {
		return mlx.Results(build(func(x *Node) []verdict { return judge(e.net(x.Graph(), mlx.GroupWeights, true), x) }, in)...)[0]
	}, list...)
	if err != nil {
		t.Fatal(err)
	}
	return tensors.MustCopyFlatData[float32](out)
}

// The pulses of a training crop stand where the recording has its own.
func TestSteering(t *testing.T) {
	c := microConfig(t)
	cfg := c.Net.Features
	u := sung(cfg, 40, 9)
	s := steering{pull: 1, phases: u.phases}
	for f := 3; f < 37; f++ {
		steer := s.at(f, float64(u.frames.F0[f]))
		if steer == nil {
			t.Fatalf("frame %d: no phase found", f)
		}
		turn := steer(0.3)
		// The note is a sum of cosines, so the sample at a frame's centre is highest where the phase is 0.
		phase := turn - math.Floor(turn+0.5)
		predicted := 0.0
		for h := 1; h <= 12; h++ {
			predicted += 0.1 / float64(h) * math.Cos(2*math.Pi*phase*float64(h))
		}
		if d := math.Abs(predicted - float64(u.sound[f*cfg.Hop])); d > 0.08 {
			t.Errorf("frame %d: the phase %g makes %g, the recording has %g", f, phase, predicted, u.sound[f*cfg.Hop])
		}
	}
}

func TestBatchesAreAFunctionOfTheStep(t *testing.T) {
	c := microConfig(t)
	us := []utterance{sung(c.Net.Features, 40, 1), sung(c.Net.Features, 60, 2), sung(c.Net.Features, 10, 3)}
	a, b := drawn(newBatcher(c, us), 5), drawn(newBatcher(c, us), 5)
	for name, pair := range map[string][2][]float32{"input": {a.input, b.input}, "harmonics": {a.harmonics, b.harmonics}, "noise": {a.noise, b.noise}, "sound": {a.sound, b.sound}} {
		for i := range pair[0] {
			if pair[0][i] != pair[1][i] {
				t.Fatalf("%s differs", name)
			}
		}
	}
	if other := drawn(newBatcher(c, us), 6); other.sound[0] == a.sound[0] {
		t.Error("step 6 has step 5's crop")
	}
}

// voices is a folder of a few short recordings of two speakers.
func voices(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	for _, path := range []string{"lj/LJ001-0165.flac", "lj/LJ001-0061.flac", "lj/LJ002-0007.flac", "kathleen/arctic_a0231.flac", "kathleen/arctic_b0183.flac", "kathleen/arctic_a0039.flac"} {
		b, err := os.ReadFile(filepath.Join("..", "..", "testdata", "voices", path))
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, "voices", path)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "voices")
}

func options(speakers, dir string) Options {
	return Options{
		Options: run.Options{
			Names:    runtest.Dashed,
			Speakers: speakers,
			Preset:   "tiny",
			RunDir:   dir,
			Device:   "go",
			Quiet:    true,
			Steps:    6,
			Batch:    2,
			Set: []string{
				"net.width=12", "net.hidden=16", "net.blocks=1", "net.kernel=3", "cropFrames=20", "discWidth=4", "rampSteps=2", "validEvery=3",
				"snapshotEvery=2", "logEvery=1", "spectralShare=0.5", "validFraction=0.3",
			},
		},
	}
}

// stopAfter runs until so many steps are in the log, then as Ctrl-C does.
func stopAfter(t *testing.T, o Options, steps int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	log := filepath.Join(o.RunDir, "metrics.jsonl")
	go func() {
		for ctx.Err() == nil {
			if records, err := run.ReadMetrics(log); err == nil && len(records) >= steps {
				cancel()
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	if err := Run(ctx, o); !errors.Is(err, run.ErrStopped) {
		t.Fatalf("error %v, want ErrStopped", err)
	}
}

// A run that was stopped and resumed is the run that was not, bit for bit.
func TestResume(t *testing.T) {
	speakers, dir := voices(t), t.TempDir()
	whole, part := options(speakers, filepath.Join(dir, "whole")), options(speakers, filepath.Join(dir, "part"))
	whole.Steps, part.Steps = 12, 12
	whole.Half, part.Half = true, true // which the run remembers
	if err := Run(context.Background(), whole); err != nil {
		t.Fatal(err)
	}
	stopAfter(t, part, 4)
	stopped := (run.Snapshots{Dir: filepath.Join(part.RunDir, "snapshots")}).Steps()
	if len(stopped) == 0 || stopped[0] < 4 || stopped[0] >= 12 {
		t.Fatalf("snapshots of steps %v after a stop behind step 4", stopped)
	}
	if err := Run(context.Background(), Options{Options: run.Options{Names: runtest.Dashed, RunDir: part.RunDir, Resume: true, Device: "go", Quiet: true}}); err != nil {
		t.Fatal(err)
	}
	read := func(dir, name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if a, b := read(whole.RunDir, "vocoder.safetensors"), read(part.RunDir, "vocoder.safetensors"); !bytes.Equal(a, b) {
		t.Error("the vocoders differ")
	}
	x, y := losses(t, whole.RunDir), losses(t, part.RunDir)
	if len(x) != 12 || !slices.Equal(x, y) {
		t.Errorf("losses\n%v\nand, resumed,\n%v", x, y)
	}
	net, err := vocoder.Load(filepath.Join(whole.RunDir, "vocoder.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if net.Trained()["steps"] != "12" {
		t.Errorf("trained: %v", net.Trained())
	}

	again := options(speakers, filepath.Join(dir, "again")) // what came out can be trained further
	again.Init, again.Steps = filepath.Join(whole.RunDir, "vocoder.safetensors"), 1
	if err := Run(context.Background(), again); err != nil {
		t.Error(err)
	}
}

func losses(t *testing.T, dir string) []float32 {
	t.Helper()
	records, err := run.ReadMetrics(filepath.Join(dir, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var out []float32
	for _, m := range records {
		if v, ok := m.Metrics["spectral"]; ok {
			out = append(out, v)
		}
	}
	return out
}

func TestRefusals(t *testing.T) {
	speakers := voices(t)
	for _, c := range []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"unknown setting", func(o *Options) { o.Set = []string{"colour=1"} }, "colour"},
		{"setting out of range", func(o *Options) { o.Set = []string{"steer=2"} }, "steer"},
		{"crop too short for the losses", func(o *Options) { o.Set = []string{"cropFrames=5"} }, "cropFrames"},
		{"crop longer than every recording", func(o *Options) { o.Set = []string{"cropFrames=9999"} }, "no recording is as long"},
		{"run folder in use", func(o *Options) { o.RunDir = filepath.Join("..", "..", "testdata") }, "not empty"},
		{"nothing to resume", func(o *Options) { o.Resume, o.RunDir = true, filepath.Join(t.TempDir(), "none") }, "holds no run"},
		{"another size than that of --init", func(o *Options) { o.Init, o.Preset = "base", "large" }, "--preset large does not fit the vocoder of --init, whose size is base"},
		{"no vocoder to start from", func(o *Options) { o.Init = filepath.Join(t.TempDir(), "none") }, "--init"},
	} {
		o := options(speakers, filepath.Join(t.TempDir(), "run"))
		c.change(&o)
		if err := Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

// What a run learns from and with is remembered, and can be changed where that makes sense: another batch, recordings that have moved.
func TestResumeRemembers(t *testing.T) {
	o := options(voices(t), filepath.Join(t.TempDir(), "run"))
	var opened []string
	o.MelsFrom = "model.safetensors"
	o.Output = filepath.Join(t.TempDir(), "new", "v.safetensors") // whose folder is not there yet
	o.OpenMels = func(from string, _ features.Config, _ []string) (MelMaker, error) {
		opened = append(opened, from)
		return func(_ string, f features.Frames) ([]float32, error) { return f.LogMel, nil }, nil
	}
	if err := Run(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	if _, err := vocoder.Load(o.Output); err != nil {
		t.Error(err)
	}
	moved := filepath.Join(t.TempDir(), "moved")
	if err := os.CopyFS(moved, os.DirFS(o.Speakers)); err != nil {
		t.Fatal(err)
	}
	again := Options{Options: run.Options{Names: runtest.Dashed, RunDir: o.RunDir, Resume: true, Device: "go", Quiet: true, Steps: 8, Batch: 3, Speakers: moved}, OpenMels: o.OpenMels}
	if err := Run(context.Background(), again); err != nil {
		t.Fatal(err)
	}
	whole, err := filepath.Abs(o.MelsFrom)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(opened, []string{whole, whole}) {
		t.Errorf("mels of %q, want %s twice", opened, whole)
	}
	var q request
	if err := run.Names(nil).ReadRequest(o.RunDir, "train vocoder", &q); err != nil {
		t.Fatal(err)
	}
	if q.Config.Batch != 3 || q.Config.Steps != 8 || q.Speakers != moved {
		t.Errorf("batch %d, %d steps, speakers %s, want 3, 8, %s", q.Config.Batch, q.Config.Steps, q.Speakers, moved)
	}
	for _, c := range []struct {
		change func(*Options)
		want   string
	}{
		{func(o *Options) { o.Preset = "large" }, "--preset large: the run began with tiny"},
		{func(o *Options) { o.Seed = 99 }, "--seed 99: the run began with"},
		{func(o *Options) { o.Set = []string{"seed=99"} }, "--set seed 99: the run began with"},
		{func(o *Options) { o.Init = "base" }, "--init starts a new run"},
		{func(o *Options) { o.Steps = 7 }, "--steps 7: the run has made 8 already"},
	} {
		o := again
		c.change(&o)
		if err := Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
	again.Steps, again.OpenMels = 9, func(string, features.Config, []string) (MelMaker, error) { return nil, errors.New("no such model") }
	if err := Run(context.Background(), again); err == nil || !strings.Contains(err.Error(), "--mels-from: no such model") {
		t.Errorf("error %v", err)
	}
}

// The program's own vocoder can be named to start from, as a file can.
func TestBuiltInWeights(t *testing.T) {
	if !base.Has(base.Vocoder) {
		t.Skip("built without weights")
	}
	for _, rate := range []int{16000, 24000, 0} {
		net, err := openWeights(base.Name, rate)
		if err != nil {
			t.Fatal(err)
		}
		c, err := DefaultConfig("base")
		if err != nil {
			t.Fatal(err)
		}
		if c.Net.Features, err = features.ConfigForRate(cmp.Or(rate, 24000)); err != nil {
			t.Fatal(err)
		}
		if net.Config() != c.Net {
			t.Errorf("%d: %+v, want the preset's %+v", rate, net.Config(), c.Net)
		}
	}
	if _, err := openWeights("./base", 0); err == nil {
		t.Error("a file that is not there is opened")
	}
}
