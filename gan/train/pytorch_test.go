package train

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/safetensors"
)

// TestWriteStarStep writes the weights, the inputs and the losses of one star step, D's and G's, for bench/pytorch to compare
// its own with. It runs only where VC_STAR_STEP names the file.
func TestWriteStarStep(t *testing.T) {
	path := os.Getenv("VC_STAR_STEP")
	if path == "" {
		t.Skip("set VC_STAR_STEP to a file's name to write it")
	}
	const speakers = 3
	cfg := microConfig(t)
	cfg.CropFrames, cfg.StyleFrames = 20, 17
	e := testEngine(t, cfg, "go", false, speakers)
	batch := randomBatch(cfg, speakers, cfg.sourceStep())
	var list []safetensors.Tensor
	add := func(name string, x *tensors.Tensor) {
		list = append(list, safetensors.Tensor{Name: name, Shape: x.Shape().Dimensions, Data: tensors.MustCopyFlatData[float32](x)})
	}
	for _, name := range e.vars.Names(mlx.GroupWeights, "") {
		data, shape, err := e.vars.Get(mlx.GroupWeights, name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, safetensors.Tensor{Name: name, Shape: shape, Data: data})
	}
	f := feed{cfg: e.cfg, speakers: e.speakers, batch: batch}
	shift, gain := f.shifts()
	s := cfg.schedule(batch.Step, false)
	for _, in := range []struct {
		name string
		x    *tensors.Tensor
	}{
		{"x", f.x()}, {"ref", f.ref()}, {"ref2", f.ref2()}, {"own", f.controls(batch.Y)}, {"moved", f.controls(batch.Target)},
		{"y", f.oneHot(batch.Y)}, {"target", f.oneHot(batch.Target)}, {"z1", f.latent(batch.Z1)}, {"z2", f.latent(batch.Z2)},
		{"noise", f.noise()}, {"shift", shift}, {"gain", gain}, {"mask", f.mask()}, {"taps", f.taps()},
	} {
		add("in."+in.name, in.x)
	}

	// G's losses are wanted at the same weights as D's, so D must not learn before.
	still := cfg.schedule(batch.Step, false)
	still.Rate, still.MapRate, still.EncoderRate = 0, 0, 0
	losses := map[string]float32{}
	for _, half := range []struct {
		names []string
		build func([]*Node) []*Node
		in    []*tensors.Tensor
	}{
		{discriminatorMetrics, func(in []*Node) []*Node { return e.discriminator(in, true) }, []*tensors.Tensor{
			f.x(), f.ref(), f.controls(batch.Target), f.oneHot(batch.Y), f.oneHot(batch.Target), f.latent(batch.Z1), f.noise(),
			shift, gain, f.mask(), f.taps(), f.schedule(still)}},
		{generatorMetrics, func(in []*Node) []*Node { return e.generator(in, true) }, []*tensors.Tensor{
			f.x(), f.ref(), f.ref2(), f.controls(batch.Y), f.controls(batch.Target), f.oneHot(batch.Y), f.oneHot(batch.Target),
			f.latent(batch.Z1), f.latent(batch.Z2), nil, nil, f.mask(), f.taps(), f.schedule(still)}},
	} {
		for i, x := range half.in {
			if x == nil { // run takes its inputs' memory back
				sh, g := f.shifts()
				half.in[i], half.in[i+1] = sh, g
				break
			}
		}
		out, err := e.run("written", half.build, half.in...)
		e.steps = mlx.NewSteps(e.backend, e.vars) // the graph differs
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range named(t, results{Names: half.names, Tensor: out}) {
			losses[name] = v
		}
	}
	meta := map[string]string{}
	for key, v := range map[string]any{"gan": cfg.GAN, "losses": losses, "diversity": s.Diversity} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		meta[key] = string(b)
	}
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := safetensors.Write(out, list, meta); err != nil {
		t.Fatal(err)
	}
}
