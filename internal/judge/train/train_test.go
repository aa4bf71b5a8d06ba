package train

import (
	"context"
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
	device, err := mlx.FindDevice("go")
	if err != nil {
		t.Fatal(err)
	}
	backend, err := device.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(backend.Finalize)
	e, err := newEngine(c, classes, backend)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestParity: the CPU forward is the training graph.
func TestParity(t *testing.T) {
	c := small()
	c.Judge.Blocks = 2
	e := pureGo(t, c, 3)
	weights, err := e.weights()
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

// brief is a folder of two speakers of one recording each.
func brief(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for v := 1; v <= 2; v++ {
		dir := filepath.Join(root, fmt.Sprintf("v%d", v))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := audio.WriteFile(filepath.Join(dir, "u.wav"), buzz(v, 0)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestRun(t *testing.T) {
	var said strings.Builder
	o := Options{Speakers: voices(t), HoldOut: []string{"v2", "v4"}, Part: "2/2", Output: filepath.Join(t.TempDir(), "judge.safetensors"),
		Device: "go", Stderr: &said, Version: "test"}
	if err := run(context.Background(), o, small()); err != nil {
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
	for _, want := range []string{"3 speakers at 1 speeds", "never heard", "step 40/40"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("no %q in:\n%s", want, said.String())
		}
	}
}

func TestRunRefuses(t *testing.T) {
	root := voices(t)
	out := filepath.Join(t.TempDir(), "judge.safetensors")
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"no such part", Options{Speakers: root, Part: "3/2", Output: out}, "--part"},
		{"an empty part", Options{Speakers: root, Part: "1/9", Output: out}, "v1"},
		{"unknown speaker", Options{Speakers: root, HoldOut: []string{"v9"}, Output: out}, "v9"},
		{"nobody left", Options{Speakers: root, HoldOut: []string{"v1", "v2", "v3", "v4"}, Output: out}, "2 or more"},
		{"nowhere to write", Options{Speakers: root, Output: filepath.Join(root, "v1", "u0.wav", "judge")}, "-o"},
		{"one speaker held out", Options{Speakers: root, HoldOut: []string{"v5"}, Output: out}, "of v5, 1 have recordings"},
		{"a recording each", Options{Speakers: brief(t), Output: out}, "0 have two of them"},
	} {
		c.o.Device = "go"
		if err := run(context.Background(), c.o, small()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a refused training has left a file")
	}
	ended, end := context.WithCancel(context.Background())
	end()
	if err := run(ended, Options{Speakers: root, Output: out, Device: "go"}, small()); err == nil {
		t.Error("runs although cancelled")
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
		s.classes = append(s.classes, [][]float32{x})
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
