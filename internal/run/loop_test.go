package run

import (
	"strings"
	"testing"
	"time"
)

// In an early phase what is left of all is told: a step of the last one costs half a million of the first.
func TestLeftInAll(t *testing.T) {
	var said strings.Builder
	shown := []Shown{{Name: "right", Metric: "accuracy", Percent: true}, {Name: "cycle", Metric: "cycle"}, {Name: "later", Metric: "later"}}
	p := progress{
		plan:  Plan{Phases: []Phase{{Name: "first", End: 400, Cost: 2, Shown: shown}, {Name: "second", End: 1000, Cost: 1e6}}},
		steps: 1000, say: NewReporter(&said, false), busy: func() string { return "  card busy" },
	}
	m := Record{Metrics: map[string]float32{"accuracy": 0.5, "cycle": 1.25, "later": 0}}
	m.Step = 98
	p.show(m)
	time.Sleep(2 * time.Millisecond)
	m.Step = 99
	p.show(m)
	text := said.String()
	for _, want := range []string{"first step done after", "first 100/1000 [##..................]  ", "  right 50.0 %  cycle 1.250  ", "  card busy\n", " of it for this phase  "} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in %q", want, text)
		}
	}
	if !strings.Contains(text, "days left, ") && !strings.Contains(text, " h left, ") || strings.Contains(text, "later") {
		t.Errorf("said %q", text)
	}
}

// A phase that takes no step is none, and the last one ends with the run.
func TestPhases(t *testing.T) {
	p := Plan{Phases: []Phase{{Name: "a", End: 3}, {Name: "b", End: 9}}}
	for step, want := range map[int]string{0: "a", 2: "a", 3: "b", 8: "b", 20: "b"} {
		if got, _ := p.phase(step); got.Name != want {
			t.Errorf("step %d is of %s, want %s", step, got.Name, want)
		}
	}
}
