package train

import (
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/distributed"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/core/tensors/dtensor"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/mlx"
)

// TestWarmUpOverTwoDevices makes warm-up steps on one device and, with the same weights and batches, on two, which share the
// items of the batch: GoMLX's AutoSharding, with every variable on both. XLA's CPU plugin stands for a host with two cards.
// It starts a process of its own, since the plugin reads its flags once. Compiling takes half a minute of a core, so it runs
// only where VC_SHARDING is set.
func TestWarmUpOverTwoDevices(t *testing.T) {
	if os.Getenv("VC_SHARDING") == "" {
		t.Skip("set VC_SHARDING=1 to compare one device with two")
	}
	d, err := mlx.FindDevice("cpu")
	if err != nil || d.Kind != "xla-cpu" {
		t.Skip("needs XLA's CPU plugin")
	}
	if os.Getenv("VC_TWO_DEVICES") == "" {
		test := exec.Command(os.Args[0], "-test.run=^TestWarmUpOverTwoDevices$", "-test.v")
		test.Env = append(os.Environ(), "VC_TWO_DEVICES=1", "XLA_FLAGS=--xla_force_host_platform_device_count=2", "GOMLX_NO_AUTO_INSTALL=1")
		out, err := test.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if strings.Contains(string(out), "SKIP") {
			t.Skipf("%s", out)
		}
		t.Logf("%s", out)
		return
	}
	cfg := microConfig(t)
	cfg.RampSteps = 0
	one, two := testEngine(t, cfg, "cpu", false, 3), testEngine(t, cfg, "cpu", false, 3)
	if n := two.backend.NumDevices(); n < 2 {
		t.Skipf("SKIP: the plugin offers %d device", n)
	}
	run, err := sharded(two, two.warmUp, 2, []bool{true, true, true, true, true, true, true, true, false, false})
	if err != nil {
		t.Fatal(err)
	}
	for step := range 3 {
		batch := randomBatch(cfg, 3, step)
		batch.Step = 0
		want, err := one.step(batch)
		if err != nil {
			t.Fatal(err)
		}
		got, err := run(warmUpInputs(two, batch))
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range want[0].fetch() {
			t.Logf("step %d: %s is %g on one device, %g on two", step, warmUpMetrics[i], v, got[i])
			if math.Abs(float64(v-got[i])) > 1e-4*math.Max(1, math.Abs(float64(v))) {
				t.Errorf("step %d: %s is %g on one device, %g on two", step, warmUpMetrics[i], v, got[i])
			}
		}
	}
	before := variables(t, one.vars)
	for name, got := range variables(t, two.vars) {
		if d := meanDistance(before[name], got); d > 1e-4 {
			t.Errorf("%s differs by %g", name, d)
		}
	}
	if w, _, _ := two.vars.Get(mlx.GroupWeights, "gen.out.w"); slices.Equal(w, before[mlx.GroupEMA+"/gen.out.w"]) {
		t.Error("nothing was learnt")
	}
}

func warmUpInputs(e *engine, batch *corpus.Batch) []*tensors.Tensor {
	f := feed{cfg: e.cfg, speakers: e.speakers, batch: batch}
	warp, tilt := f.disturbance()
	return []*tensors.Tensor{
		f.x(), f.same(), f.controls(batch.Y), f.oneHot(batch.Y), f.latent(batch.Z1), f.latent(batch.Z2), warp, tilt, f.taps(),
		f.schedule(e.cfg.schedule(batch.Step, false)),
	}
}

// sharded runs a step on several devices: inputs that are split give each its part of the batch, others go to all.
func sharded(e *engine, build func([]*Node) []*Node, devices int, split []bool) (func([]*tensors.Tensor) ([]float32, error), error) {
	mesh, err := distributed.NewDeviceMesh([]int{devices}, []string{"batch"})
	if err != nil {
		return nil, err
	}
	whole := distributed.NewReplicatedShardingSpec(mesh)
	part, err := distributed.BuildSpec(mesh).S("batch").Done()
	if err != nil {
		return nil, err
	}
	specs := make([]*distributed.ShardingSpec, len(split))
	for i, s := range split {
		specs[i] = whole
		if s {
			specs[i] = part
		}
	}
	step, err := model.NewExec(e.backend, e.vars.Store(), func(_ *model.Scope, in []*Node) []*Node { return build(in) })
	if err != nil {
		return nil, err
	}
	step = step.AutoSharding(mesh).WithInputShardingSpecs(specs...).WithOutputShardingSpecs(whole)
	if err := step.SetDefaultShardingSpec(whole); err != nil {
		return nil, err
	}
	return func(in []*tensors.Tensor) ([]float32, error) {
		args := make([]any, len(in))
		for i, x := range in {
			if args[i], err = dtensor.ShardTensor(specs[i], x); err != nil {
				return nil, err
			}
		}
		outs, err := step.DistributedExec(args...)
		if err != nil {
			return nil, err
		}
		return tensors.MustCopyFlatData[float32](outs[0].Shards()[0]), nil
	}, nil
}
