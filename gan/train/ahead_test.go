package train

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/device"
	"github.com/starvc/vc/internal/run"
)

// While a step is made, the next one's inputs are built and put on the device. What comes of it is what comes of steps that are
// made on the spot, and inputs are freed.
func TestStepsReadyAhead(t *testing.T) {
	cfg := microConfig(t)
	ahead, spot := testEngine(t, cfg, "go", false, 3), testEngine(t, cfg, "go", false, 3)
	running, asked := make(chan bool), make(chan int, cfg.Steps)
	drawn := 0
	draw := func() (*corpus.Batch, error) {
		if drawn == 1 { // the second step waits until the first is being made
			<-running
		}
		asked <- drawn
		drawn++
		return randomBatch(cfg, 3, drawn-1), nil
	}
	waited := false
	ahead.steps.Refuse = func(string) error { // called when a graph of a step is about to run
		if waited {
			return nil
		}
		waited = true
		close(running)
		for {
			select {
			case step := <-asked:
				if step == 2 { // so step 1 is ready
					return nil
				}
			case <-time.After(10 * time.Second):
				return errors.New("nothing is made ready while a step runs")
			}
		}
	}
	if err := ahead.begin(); err != nil {
		t.Fatal(err)
	}
	steps := run.StartAhead(0, cfg.Steps, func(int) (readyStep, error) {
		batch, err := draw()
		if err != nil {
			return readyStep{}, err
		}
		return ahead.ready(batch)
	}, func(s readyStep) error { return ahead.steps.Free(s.inputs) })
	for step := range cfg.Steps {
		next, err := steps.Next()
		if err != nil {
			t.Fatal(err)
		}
		for i, in := range next.inputs {
			if !in.IsOnDevice(0) {
				t.Errorf("step %d: input %d is not on the device", step, i)
			}
		}
		got, err := ahead.make(next)
		if err != nil {
			t.Fatal(err)
		}
		freed(t, next.inputs)
		want, err := spot.step(randomBatch(cfg, 3, step))
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if g, w := got[i].Fetch(), want[i].Fetch(); !slices.Equal(g, w) || !slices.Equal(got[i].Names, want[i].Names) {
				t.Errorf("step %d: %v ahead, %v on the spot", step, g, w)
			}
		}
	}
	if err := steps.Close(); err != nil {
		t.Error(err)
	}
	all := variables(t, ahead.vars)
	for name, w := range variables(t, spot.vars) {
		if !slices.Equal(w, all[name]) {
			t.Errorf("%s differs", name)
		}
	}
}

func freed(t *testing.T, inputs []*tensors.Tensor) {
	t.Helper()
	for i, in := range inputs {
		if in.Ok() {
			t.Errorf("input %d is not freed", i)
		}
	}
}

// A step that fails in its first or second graph frees its inputs too.
func TestFailedStepFreesItsInputs(t *testing.T) {
	cfg := microConfig(t)
	e := testEngine(t, cfg, "go", false, 3)
	for _, graph := range []string{"discriminator", "generator"} {
		e.steps.Refuse = func(name string) error {
			if name == graph {
				return errors.New("RESOURCE_EXHAUSTED: Out of memory")
			}
			return nil
		}
		s, err := e.ready(randomBatch(cfg, 3, cfg.WarmUpSteps()))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.make(s); !device.OutOfMemory(err) {
			t.Errorf("%s: error %v", graph, err)
		}
		freed(t, s.inputs)
	}
}
