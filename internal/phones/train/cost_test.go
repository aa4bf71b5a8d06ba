package train

import (
	"testing"
	"time"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/starvc/vc/internal/mlx/mlxtest"
	"github.com/starvc/vc/internal/run"
)

// What is counted is what the graph is made of, but for the depthwise convolutions, which are no products.
func TestCostOfTheGraph(t *testing.T) {
	t.Parallel()
	for _, teacher := range []int{0, 40} {
		c, err := DefaultConfig("tiny")
		if err != nil {
			t.Fatal(err)
		}
		c.Batch, c.CropFrames, c.TeacherDims = 2, 32, teacher
		e := phoneEngine(t, c)
		counted := 0.0
		out, err := e.run("phone", func(in []*Node) []*Node {
			out := e.phoneStep(in, c.Smoothing, c.TeacherWeight)
			counted = mlxtest.Products(out[0])
			return out
		}, phoneInputs(c, newBatcher(c, []labelled{chart(c, 100, 4, 1)}).at(0), 0)...)
		if err != nil {
			t.Fatal(err)
		}
		out.MustFinalizeAll()
		counted += 2 * float64(c.Batch*c.CropFrames*c.GAN.HeardMels()*c.GAN.StemTaps()*c.GAN.Width) // the first layer's input wants no gradient
		got := c.stepPass().Operations()
		t.Logf("%d of a teacher: %g counted, %g in the graph", teacher, got, counted)
		if got < counted || got > 1.05*counted {
			t.Errorf("%d of a teacher: %g operations, the graph has %g", teacher, got, counted)
		}
	}
}

// Larger networks and more steps take more, pure Go much longer; a run that is over nothing.
func TestExpectations(t *testing.T) {
	last := run.Cost{}
	for _, preset := range []string{"tiny", "small", "medium", "hq"} {
		c, err := DefaultConfig(preset)
		if err != nil {
			t.Fatal(err)
		}
		const scored = 4 * 5 * 60 * 100 // five minutes under each of four conditions
		whole, slow := c.expect(0, scored, "xla-cpu"), c.expect(0, scored, "go")
		if whole.Time <= last.Time || whole.Bytes <= last.Bytes {
			t.Errorf("%s: %+v after %+v", preset, whole, last)
		}
		if preset != "tiny" && slow.Time < 5*whole.Time {
			t.Errorf("%s: %v in pure Go, %v through XLA", preset, slow.Time, whole.Time)
		}
		if half := c.expect(c.Steps/2, scored, "xla-cpu"); half.Time >= whole.Time {
			t.Errorf("%s: the second half: %+v, all %+v", preset, half, whole)
		}
		if over := c.expect(c.Steps, scored, "xla-cpu"); over.Time != 0 || over.Bytes != 0 {
			t.Errorf("%s: a run that is over: %+v", preset, over)
		}
		t.Logf("%s: %v through XLA, %v in pure Go, %.2f GB", preset, whole.Time.Round(time.Second), slow.Time.Round(time.Second), whole.Bytes/1e9)
		last = whole
	}
}
