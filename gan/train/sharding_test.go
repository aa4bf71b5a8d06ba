package train

import (
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/internal/device"
	"github.com/starvc/vc/internal/mlx"
)

// TestStepsOverTwoDevices makes steps of all kinds on one device and, with the same weights and batches, on two, which share
// the items of each batch. XLA's CPU plugin stands for a host with two cards. It starts a process of its own, since the plugin
// reads its flags once. Compiling takes minutes of a core, so it runs only where VC_SHARDING is set.
func TestStepsOverTwoDevices(t *testing.T) {
	if os.Getenv("VC_SHARDING") == "" {
		t.Skip("set VC_SHARDING=1 to compare one device with two")
	}
	d, err := device.Find("cpu")
	if err != nil || d.Kind != "xla-cpu" {
		t.Skip("needs XLA's CPU plugin")
	}
	if os.Getenv("VC_TWO_DEVICES") == "" {
		test := exec.Command(os.Args[0], "-test.run=^TestStepsOverTwoDevices$", "-test.v")
		test.Env = append(os.Environ(), "VC_TWO_DEVICES=1", "XLA_FLAGS=--xla_force_host_platform_device_count=2 "+os.Getenv("XLA_FLAGS"))
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
	if err := two.steps.Share(2); err != nil {
		t.Fatal(err)
	}
	before := variables(t, one.vars)
	compare := func(step int, names []string, want, got []float32) {
		t.Helper()
		for i, name := range names {
			t.Logf("step %d: %s is %g on one device, %g on two", step, name, want[i], got[i])
			if !(math.Abs(float64(want[i]-got[i])) <= 1e-3*math.Max(1, math.Abs(float64(want[i])))) {
				t.Errorf("step %d: %s is %g on one device, %g on two", step, name, want[i], got[i])
			}
		}
	}
	for i, step := range []int{0, 0, cfg.sourceStep(), cfg.sourceStep()} {
		batch := randomBatch(cfg, 3, i)
		batch.Step = step
		want, err := one.step(batch)
		if err != nil {
			t.Fatal(err)
		}
		got, err := two.step(batch)
		if err != nil {
			t.Fatal(err)
		}
		for k := range want {
			compare(step, want[k].Names, want[k].Fetch(), got[k].Fetch())
		}
	}
	held := randomBatch(cfg, 3, 9)
	want, err := one.score(held)
	if err != nil {
		t.Fatal(err)
	}
	got, err := two.score(held)
	if err != nil {
		t.Fatal(err)
	}
	compare(-1, starValidMetrics, want, got)

	after := variables(t, one.vars)
	for name, got := range variables(t, two.vars) {
		if d := meanDistance(after[name], got); !(d <= 1e-4) {
			t.Errorf("%s differs by %g", name, d)
		}
	}
	for _, name := range []string{"gen.out.w", "disc.stem.w", "cls.stem.w"} {
		if w := after[mlx.GroupWeights+"/"+name]; w == nil || slices.Equal(w, before[mlx.GroupWeights+"/"+name]) {
			t.Errorf("%s: nothing was learnt", name)
		}
	}
}
