package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/internal/judge"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/mlx/mlxtest"
	"github.com/starvc/vc/internal/run"
	"github.com/starvc/vc/internal/run/runtest"
)

// small is small enough for pure Go.
func small() Config {
	c := DefaultConfig()
	c.Judge.Width, c.Judge.Hidden, c.Judge.Kernel, c.Judge.Blocks, c.Judge.Embedding = 16, 24, 3, 1, 8
	c.Steps, c.Batch, c.CropFrames, c.RampSteps, c.LogEvery = 40, 8, 40, 4, 10
	c.Speeds, c.VocodedShare = []float64{1}, 0.2
	return c
}

func pureGo(t *testing.T, c Config, classes int) *engine {
	t.Helper()
	vars := mlx.NewVars()
	if err := prepare(vars, c, classes); err != nil {
		t.Fatal(err)
	}
	return newEngine(c, mlxtest.OpenGo(t), vars)
}

// TestParity: the CPU forward is the training graph.
func TestParity(t *testing.T) {
	c := small()
	c.Judge.Blocks = 2
	e := pureGo(t, c, 3)
	weights, err := averaged(e.vars, c.Judge)
	if err != nil {
		t.Fatal(err)
	}
	j, err := judge.New(c.Judge, judge.Trained{}, weights)
	if err != nil {
		t.Fatal(err)
	}
	const frames = 300 // more than the CPU takes at once
	r := rand.New(rand.NewPCG(1, 2))
	x := make([]float32, frames*c.Judge.Features.NMels)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	out, err := e.run("embedding", func(in []*Node) []*Node {
		net := mlx.Net{Weights: e.vars.Frozen(in[0].Graph(), mlx.GroupEMA)}
		return []*Node{embed(c.Judge, net, in[0])}
	}, tensors.FromFlatDataAndDimensions(x, 1, frames, c.Judge.Features.NMels))
	if err != nil {
		t.Fatal(err)
	}
	want, got := tensors.MustCopyFlatData[float32](out), j.Forward(x)
	for i := range want {
		if math.Abs(float64(got[i]-want[i])) > 1e-4 {
			t.Errorf("number %d: %g, the graph has %g", i, got[i], want[i])
		}
	}
}

// buzz is a voice by formula: a buzz through two resonances, which differ from voice to voice.
func buzz(voice, take int) audio.Clip {
	r := rand.New(rand.NewPCG(uint64(voice), uint64(take)))
	f0 := 90 + 35*float64(voice)
	formants := []float64{500 + 90*float64(voice), 1300 + 260*float64(voice)}
	x := make([]float32, 16000*6/5)
	move, phase := 0.8+0.4*r.Float64(), 6*r.Float64()
	for i := range x {
		at := float64(i) / 16000
		var v float64
		for h := 1.0; h*f0 < 6000; h++ {
			gain := 0.02
			for _, f := range formants {
				d := (h*f0 - f*(1+0.1*math.Sin(2*math.Pi*move*at+phase))) / 120
				gain += 1 / (1 + d*d)
			}
			v += gain / h * math.Sin(2*math.Pi*h*f0*at)
		}
		x[i] = float32(0.08*v + 0.001*r.NormFloat64())
	}
	return audio.Clip{Samples: x, Rate: 16000}
}

// voices is a folder of speakers v1 to v5 with four recordings each.
func voices(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for v := 1; v <= 5; v++ {
		dir := filepath.Join(root, fmt.Sprintf("v%d", v))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for take := range 4 {
			if err := audio.WriteFile(filepath.Join(dir, fmt.Sprintf("u%d.wav", take)), buzz(v, take)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

func TestRun(t *testing.T) {
	var said strings.Builder
	dir := t.TempDir()
	folder := run.Folder{Dir: filepath.Join(dir, "run")}
	o := Options{
		Options: run.Options{
			Names:    runtest.Dashed,
			Speakers: voices(t), RunDir: folder.Dir, Output: filepath.Join(dir, "new", "judge.safetensors"), Device: "go", Stderr: &said, Version: "test",
		},
		HoldOut: []string{"v2", "v4"}, Part: "2/2",
	}
	if err := train(context.Background(), o, small()); err != nil {
		t.Fatal(err)
	}
	j, err := judge.Load(o.Output)
	if err != nil {
		t.Fatal(err)
	}
	got := j.Trained()
	if got.Steps != 40 || strings.Join(got.Speakers, " ") != "v1 v3 v5" || strings.Join(got.HeldOut, " ") != "v2 v4" || got.Part != "2/2" {
		t.Errorf("%+v", got)
	}
	if got.EnrolledEER > 0.2 {
		t.Errorf("equal error rate %g on two voices by formula:\n%s", got.EnrolledEER, said.String())
	}
	for _, want := range []string{"3 speakers at 1 speeds", "never heard", "judge: " + o.Output + ", of step 40 of 40"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("no %q in:\n%s", want, said.String())
		}
	}
	for name, want := range map[string]string{
		"config.json": `"command": "train judge"`, "metrics.jsonl": `"valid_enrolled_eer"`, "losses.png": "PNG", "report.html": "v3",
		"events.out.tfevents.*": "accuracy", "snapshots/best.safetensors": "jud.stem.w",
	} {
		found, err := filepath.Glob(folder.Path(name))
		if err != nil || len(found) == 0 || !strings.Contains(read(t, found[0]), want) {
			t.Errorf("%s lacks %q: %v, %v", name, want, found, err)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A run that was stopped and goes on is the run that was not, bit for bit; and one that ran out of memory ends with a smaller batch.
func TestResume(t *testing.T) {
	root, dir := voices(t), t.TempDir()
	options := func(name string) Options {
		return Options{
			Options: run.Options{
				Names:    runtest.Dashed,
				Speakers: root, RunDir: filepath.Join(dir, name), Output: filepath.Join(dir, "made", name, name+".safetensors"), Device: "go",
				Set: []string{"steps=12", "scoreEvery=4", "snapshotEvery=4", "logEvery=2"},
			},
			HoldOut: []string{"v2", "v4"},
		}
	}
	whole, part := options("whole"), options("part")
	if err := train(context.Background(), whole, small()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	told := runtest.Stopper{After: "step 4: equal error rate", Stop: cancel}
	part.Stderr = &told
	if err := train(ctx, part, small()); !errors.Is(err, run.ErrStopped) {
		t.Fatalf("error %v, want ErrStopped", err)
	}
	if j, err := judge.Load(part.Output); err != nil || j.Trained().Steps != 4 {
		t.Errorf("the judge so far: %+v, %v", j, err)
	}
	if err := os.RemoveAll(filepath.Dir(part.Output)); err != nil { // it is made again
		t.Fatal(err)
	}
	resume := func(o Options) error {
		o.RunDir, o.Resume, o.Device, o.Names = part.RunDir, true, "go", runtest.Dashed
		return train(context.Background(), o, DefaultConfig())
	}
	if err := resume(Options{}); err != nil {
		t.Fatal(err)
	}
	if read(t, whole.Output) != read(t, part.Output) {
		t.Error("the judges differ")
	}
	for want, o := range map[string]Options{
		"the run began with v2,v4 held out": {HoldOut: []string{"v1"}},
		"--part 1/2: the run began with":    {Part: "1/2"},
		"--steps 11: the run has made 12":   {Options: run.Options{Steps: 11}},
		"--seed 9: the run began with 1":    {Options: run.Options{Seed: 9}},
	} {
		if err := resume(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	halved := options("halved")
	halved.Refuse = func(_ string, batch int) error {
		if batch > 4 {
			return errors.New("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 81604378624 bytes")
		}
		return nil
	}
	if err := train(context.Background(), halved, small()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(read(t, filepath.Join(halved.RunDir, "config.json")), `"batch": 4`) {
		t.Error("config.json has another batch: going on would fail again")
	}
}

// What is refused leaves neither a run folder nor an empty file.
func TestRunRefuses(t *testing.T) {
	root := voices(t)
	dir := t.TempDir()
	out, file := filepath.Join(dir, "judge.safetensors"), filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	short := filepath.Join(t.TempDir(), "short") // of v2 there is one recording, too short to be heard
	if err := os.CopyFS(short, os.DirFS(root)); err != nil {
		t.Fatal(err)
	}
	for take := range 4 {
		path := filepath.Join(short, "v2", fmt.Sprintf("u%d.wav", take))
		clip := buzz(2, take)
		clip.Samples = clip.Samples[:3200]
		if err := audio.WriteFile(path, clip); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"no such part", Options{Options: run.Options{Names: runtest.Dashed, Speakers: root}, Part: "3/2"}, "--part"},
		{"an empty part", Options{Options: run.Options{Names: runtest.Dashed, Speakers: root}, Part: "1/9"}, "v1"},
		{"unknown speaker", Options{Options: run.Options{Names: runtest.Dashed, Speakers: root}, HoldOut: []string{"v9"}}, "v9"},
		{"nobody left", Options{Options: run.Options{Names: runtest.Dashed, Speakers: root}, HoldOut: []string{"v1", "v2", "v3", "v4"}}, "2 or more"},
		{"nowhere to write", Options{Options: run.Options{Names: runtest.Dashed, Speakers: root, Output: filepath.Join(file, "deeper", "judge")}}, "-o"},
		{"one voice to score", Options{Options: run.Options{Names: runtest.Dashed, Speakers: root}, HoldOut: []string{"v2"}}, "too little to score"},
		{"too little speech to score", Options{Options: run.Options{Names: runtest.Dashed, Speakers: short}, HoldOut: []string{"v2", "v4"}}, "too little to score"},
		{"an unknown setting", Options{Options: run.Options{Names: runtest.Dashed, Speakers: root, Set: []string{"noise=1"}}}, `unknown field "noise"`},
		{"no speed of the recording's own", Options{Options: run.Options{Names: runtest.Dashed, Speakers: root, Set: []string{"speeds=[0.9]"}}}, "want 1 among them"},
	} {
		c.o.Device, c.o.RunDir, c.o.Output = "go", filepath.Join(dir, "run"), cmp.Or(c.o.Output, out)
		if err := train(context.Background(), c.o, small()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	ended, end := context.WithCancel(context.Background())
	end()
	if err := train(ended, Options{Options: run.Options{Names: runtest.Dashed, Speakers: root, RunDir: filepath.Join(dir, "run"), Output: out, Device: "go"}}, small()); err == nil {
		t.Error("runs although cancelled")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestBatch: a batch is a function of the step, and each recording stays within its class.
func TestBatch(t *testing.T) {
	c := small()
	c.NoiseShare, c.MaskShare, c.TiltRange = 0, 0, 0
	m := c.Judge.Features.NMels
	s := &speech{}
	for class := range 3 {
		x := make([]float32, 60*m)
		for i := range x {
			x[i] = float32(class) * float32(i%m)
		}
		s.classes = append(s.classes, []recording{{mels: x}})
	}
	a, b := s.at(c, 5), s.at(c, 5)
	for i := range c.Batch {
		var class float32
		for k, v := range a.target[i*3 : (i+1)*3] {
			class += v * float32(k)
		}
		row := a.x[i*c.CropFrames*m:][:m]
		if got := row[1] - row[0]; got != class {
			t.Errorf("item %d: slope %g, want that of class %g", i, got, class)
		}
	}
	for i, v := range a.x {
		if b.x[i] != v {
			t.Fatal("the same step gives another batch")
		}
	}
}
