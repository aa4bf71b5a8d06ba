package mlx

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/internal/device"
)

// TestShare learns on one device and on two, with what our steps do to a batch: parts joined along it, halves of it taken
// apart, an input that two graphs take. XLA's CPU plugin stands for a host with two cards; the test starts a process of its own,
// since the plugin reads its flags once.
func TestShare(t *testing.T) {
	d, err := device.Find("cpu")
	if err != nil || d.Kind != "xla-cpu" {
		t.Skip("needs XLA's CPU plugin")
	}
	if os.Getenv("VC_TWO_DEVICES") == "" {
		test := exec.Command(os.Args[0], "-test.run=^TestShare$")
		test.Env = append(os.Environ(), "VC_TWO_DEVICES=1", "XLA_FLAGS=--xla_force_host_platform_device_count=2")
		if out, err := test.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	if d, err = d.WithCards(2, 8); err != nil {
		t.Fatal(err)
	}
	backend, err := Open(d)
	if err != nil {
		t.Fatal(err)
	}
	defer backend.Finalize()

	const batch, frames, in, out = 8, 3, 4, 2
	learner := func(vars *Vars, devices int) func(step int) []float32 {
		steps := NewSteps(backend, vars)
		if err := steps.Share(devices); err != nil {
			t.Fatal(err)
		}
		build := func(sign float64) func(args []*Node) []*Node {
			return func(args []*Node) []*Node {
				x, rates := args[0], args[1]
				w := vars.Node(x.Graph(), GroupWeights, "w")
				y := Einsum("bti,io->bto", x, w)
				joined := Concatenate([]*Node{y, AddScalar(y, sign), Square(y)}, 0)
				halves := Sub(SliceAxis(y, 0, AxisRange(0, batch/2)), SliceAxis(y, 0, AxisRange(batch/2, batch)))
				third := SliceAxis(joined, 0, AxisRange(2*batch, 3*batch))
				loss := Add(ReduceAllMean(Square(joined)), Add(ReduceAllMean(Square(halves)), ReduceAllMean(Abs(third))))
				slope := Gradient(loss, w)[0]
				vars.Update(GroupWeights, "w", Sub(w, Mul(slope, BroadcastToShape(At(rates, 1), w.Shape()))))
				return Results(loss, ReduceAllMean(y), At(rates, 0))
			}
		}
		return func(step int) []float32 {
			x := make([]float32, batch*frames*in)
			for i := range x {
				x[i] = float32(math.Sin(float64(i*i + step)))
			}
			inputs := []*tensors.Tensor{
				tensors.FromFlatDataAndDimensions(x, batch, frames, in), tensors.FromFlatDataAndDimensions([]float32{float32(step), 0.1}, 2),
			}
			if step%2 == 0 { // ahead, or by the call
				if err := steps.Upload(inputs); err != nil {
					t.Fatal(err)
				}
			}
			var got []float32
			for _, graph := range []struct {
				name string
				sign float64
			}{{"up", 1}, {"down", -1}} {
				result, err := steps.Call(graph.name, build(graph.sign), inputs...)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, tensors.MustCopyFlatData[float32](result)...)
			}
			if err := steps.Free(inputs); err != nil {
				t.Fatal(err)
			}
			return got
		}
	}
	fresh := func() *Vars {
		vars := NewVars()
		w := make([]float32, in*out)
		for i := range w {
			w[i] = float32(math.Cos(float64(i)))
		}
		if err := vars.Set(GroupWeights, "w", []int{in, out}, w); err != nil {
			t.Fatal(err)
		}
		return vars
	}
	reread := func(vars *Vars) *Vars {
		path := filepath.Join(t.TempDir(), "snapshot")
		if err := vars.WriteSnapshot(path, nil); err != nil {
			t.Fatal(err)
		}
		again, _, err := ReadSnapshot(path)
		if err != nil {
			t.Fatal(err)
		}
		return again
	}
	same := func(what string, want, got []float32) {
		t.Helper()
		for i := range want {
			if !(math.Abs(float64(want[i]-got[i])) < 1e-5) {
				t.Errorf("%s: %v on one device, %v on two", what, want, got)
				return
			}
		}
	}
	weights := func(vars *Vars) []float32 {
		w, _, err := vars.Get(GroupWeights, "w")
		if err != nil {
			t.Fatal(err)
		}
		return w
	}

	ones, twos := fresh(), fresh()
	one, two := learner(ones, 1), learner(twos, 2)
	for step := range 4 {
		same("results", one(step), two(step))
		if step == 1 { // read in the middle of a run
			same("weights", weights(ones), weights(twos))
		}
	}
	same("weights", weights(ones), weights(twos))

	// Each goes on from the other's snapshot.
	ones, twos = reread(twos), reread(ones)
	one, two = learner(ones, 1), learner(twos, 2)
	for step := range 2 {
		same("results after a change", one(step), two(step))
	}
	same("weights after a change", weights(ones), weights(twos))
}

func TestShareWantsDevices(t *testing.T) {
	s := NewSteps(openGo(t), NewVars())
	if err := s.Share(1); err != nil {
		t.Error(err)
	}
	if err := s.Share(2); err == nil {
		t.Error("pure Go shared a batch between two devices")
	}
}
