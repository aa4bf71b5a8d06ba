package train

import (
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/internal/device"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/run"
)

// TestStepsOverTwoDevices makes steps of both phases on one device and, with the same weights and batches, on two, which share
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
	backend, err := mlx.Open(d)
	if err != nil {
		t.Fatal(err)
	}
	defer backend.Finalize()
	if n := backend.NumDevices(); n < 2 {
		t.Skipf("SKIP: the plugin offers %d device", n)
	}
	c := microConfig(t)
	c.Batch, c.SpectralShare = 4, 0.5
	engineOn := func(cards int) *engine {
		vars := mlx.NewVars()
		if err := prepare(vars, c); err != nil {
			t.Fatal(err)
		}
		e := newEngine(c, backend, d.NativeConv(), vars)
		if err := e.steps.Share(cards); err != nil {
			t.Fatal(err)
		}
		return e
	}
	engines := []*engine{engineOn(1), engineOn(2)}
	us := []utterance{sung(c.Net.Features, 40, 1), sung(c.Net.Features, 60, 2)}
	compare := func(step int, names []string, values [][]float32) {
		t.Helper()
		for i, name := range names {
			want, got := float64(values[0][i]), float64(values[1][i])
			t.Logf("step %d: %s is %g on one device, %g on two", step, name, want, got)
			if !(math.Abs(want-got) <= 1e-3*math.Max(1, math.Abs(want))) {
				t.Errorf("step %d: %s is %g on one device, %g on two", step, name, want, got)
			}
		}
	}
	before := weightsOf(t, engines[0].vars)
	var loaders []*run.Ahead[[]*tensors.Tensor]
	for _, e := range engines {
		in := e.inputs(newBatcher(c, us))
		l := run.StartAhead(0, c.Steps, in.Draw, in.Free)
		defer l.Close()
		loaders = append(loaders, l)
	}
	for step := range c.Steps {
		var names [][]string
		var values [][][]float32
		for i, e := range engines {
			in, err := loaders[i].Next()
			if err != nil {
				t.Fatal(err)
			}
			results, err := e.step(step, in)
			if err != nil {
				t.Fatal(err)
			}
			for k, r := range results {
				if i == 0 {
					names, values = append(names, r.Names), append(values, nil)
				}
				values[k] = append(values[k], r.Fetch())
			}
		}
		for k := range names {
			compare(step, names[k], values[k])
		}
	}
	held := drawn(newBatcher(c, us), 99)
	var scores [][]float32
	for _, e := range engines {
		v, err := e.score(held)
		if err != nil {
			t.Fatal(err)
		}
		scores = append(scores, v)
	}
	compare(-1, validMetrics, scores)

	after := weightsOf(t, engines[0].vars)
	for name, got := range weightsOf(t, engines[1].vars) {
		var d float64
		for i, v := range after[name] {
			d += math.Abs(float64(v-got[i])) / float64(len(got))
		}
		if !(d <= 1e-4) {
			t.Errorf("%s differs by %g", name, d)
		}
	}
	for _, name := range []string{"voc.head.w", "voc.stem.w", discParams(c.DiscWidth)[0].Name} {
		if slices.Equal(after[name], before[name]) {
			t.Errorf("%s: nothing was learnt", name)
		}
	}
}

func weightsOf(t *testing.T, vars *mlx.Vars) map[string][]float32 {
	t.Helper()
	all := map[string][]float32{}
	for _, name := range vars.Names(mlx.GroupWeights, "") {
		data, _, err := vars.Get(mlx.GroupWeights, name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = slices.Clone(data)
	}
	return all
}
