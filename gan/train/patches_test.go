package train

import (
	"context"
	"math"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/starvc/vc/internal/mlx"
)

// A patch's logit depends on what is near it in time, and on which bands it lies in.
func TestPatchesAreLocal(t *testing.T) {
	cfg, err := DefaultConfig("tiny")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Patches = 2
	e := testEngine(t, cfg, "go", false, 3)
	const frames = 96
	n := cfg.GAN.NMels
	logits := func(x []float32) []float32 {
		t.Helper()
		out, err := model.CallOnce(e.backend, e.vars.Store(), func(_ *model.Scope, in []*Node) *Node {
			return e.over(in[0].Graph(), mlx.GroupWeights, true).judge(in[0], in[1])
		}, tensors.FromFlatDataAndDimensions(x, 1, frames, n), tensors.FromFlatDataAndDimensions([]float32{0, 1, 0}, 1, 3))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := out.Shape().Dimensions, []int{1, frames / 4 * (n / 4)}; got[0] != want[0] || got[1] != want[1] {
			t.Fatalf("logits %v, want %v", got, want)
		}
		return tensors.MustCopyFlatData[float32](out)
	}
	x := make([]float32, frames*n)
	before := logits(x)
	for i := range n { // the last frame
		x[(frames-1)*n+i] = 3
	}
	after := logits(x)
	bands := n / 4
	for i := range before {
		if at := i / bands; at < frames/4-8 && before[i] != after[i] {
			t.Fatalf("the patch at %d of %d changes with the last frame", at, frames/4)
		}
	}
	last := (frames/4 - 1) * bands
	if before[last] == after[last] {
		t.Error("the last patch does not see the last frame")
	}
	middle := frames / 8 * bands
	if math.Abs(float64(before[middle+5]-before[middle+12])) < 1e-6 {
		t.Error("patches of other bands are judged alike where all bands are equal")
	}
}

func TestRunWithPatches(t *testing.T) {
	o := microOptions(t, speech(t, "ann", "bob"))
	o.Set = append(o.Set, "patches=2")
	if err := Run(context.Background(), o); err != nil && !strings.Contains(err.Error(), "suspect") {
		t.Fatal(err)
	}
	if log := read(t, o.RunDir+"/metrics.jsonl"); !strings.Contains(log, `"adv_d"`) || strings.Contains(log, `"ok_d":0`) {
		t.Errorf("D has not learnt:\n%s", log)
	}
}
