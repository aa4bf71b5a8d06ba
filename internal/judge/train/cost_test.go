package train

import (
	"testing"
	"time"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/starvc/vc/internal/mlx/mlxtest"
)

// What is counted is what the graph is made of, but for the depthwise convolutions, which are no products.
func TestCostOfTheGraph(t *testing.T) {
	c := DefaultConfig()
	c.Batch, c.CropFrames = 2, 32
	const classes = 5
	e := pureGo(t, c, classes)
	b := batch{x: make([]float32, c.Batch*c.CropFrames*c.Judge.Features.NMels), target: make([]float32, c.Batch*classes)}
	for i := range b.x {
		b.x[i] = float32(i%7) - 3
	}
	b.target[0], b.target[classes+1] = 1, 1
	in, err := e.ready(b, 0)
	if err != nil {
		t.Fatal(err)
	}
	counted := 0.0
	out, err := e.run("judge", func(in []*Node) []*Node {
		out := e.learn(in)
		counted = mlxtest.Products(out[0])
		return out
	}, in...)
	if err != nil {
		t.Fatal(err)
	}
	out.MustFinalizeAll()
	j := c.Judge
	counted += 2 * float64(c.Batch*c.CropFrames/2*j.StemTaps*2*j.Features.NMels*j.Width) // the first layer's input wants no gradient
	got := c.stepPass(classes).Operations()
	t.Logf("%g counted, %g in the graph", got, counted)
	if got < counted || got > 1.05*counted {
		t.Errorf("%g operations, the graph has %g", got, counted)
	}
}

// Larger batches and more steps take more, pure Go much longer; a run that is over nothing.
func TestExpectations(t *testing.T) {
	c := DefaultConfig()
	whole, slow := c.expect(0, 60, "xla-cpu"), c.expect(0, 60, "go")
	t.Logf("%v through XLA, %v in pure Go, %.2f GB", whole.Time.Round(time.Second), slow.Time.Round(time.Second), whole.Bytes/1e9)
	if slow.Time < 5*whole.Time {
		t.Errorf("%v in pure Go, %v through XLA", slow.Time, whole.Time)
	}
	double := c
	double.Batch *= 2
	if d := double.expect(0, 60, "go"); d.Time < 2*slow.Time-time.Second || d.Bytes < 1.8*slow.Bytes {
		t.Errorf("twice the batch: %+v, once %+v", d, slow)
	}
	if half := c.expect(c.Steps/2, 60, "go"); half.Time >= slow.Time {
		t.Errorf("the second half: %+v, all %+v", half, slow)
	}
	if over := c.expect(c.Steps, 60, "go"); over.Time != 0 || over.Bytes != 0 {
		t.Errorf("a run that is over: %+v", over)
	}
}
