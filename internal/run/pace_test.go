package run

import (
	"testing"
	"time"
)

// TestPaceForgetsCompiling: the interval in which a phase begins, where its graph is compiled, counts only until the next one.
func TestPaceForgetsCompiling(t *testing.T) {
	var p Pace
	p.Mark("warm-up", 1)
	mark := func(phase string, made int, seconds float64) float64 {
		p.at = p.at.Add(time.Since(p.at) - time.Duration(seconds*float64(time.Second)))
		return p.Mark(phase, made)
	}
	near := func(got, want float64) bool { return got > 0.9*want && got < 1.1*want+0.05 }
	mark("warm-up", 11, 50)
	if got := mark("warm-up", 21, 10); !near(got, 1) {
		t.Errorf("after an interval of 50 s and one of 10 s: %.2f s a step, want 1", got)
	}
	if got := mark("star", 31, 100); !near(got, 10) {
		t.Errorf("the first interval of the star: %.2f s a step, want 10: nothing better is known", got)
	}
	if got := mark("star", 41, 20); !near(got, 2) {
		t.Errorf("the second interval of the star: %.2f s a step, want 2", got)
	}
}

func TestCheckFixed(t *testing.T) {
	if err := dashed.CheckFixed(Fixed{"preset", "tiny", ""}, Fixed{"seed", "7", "7"}); err != nil {
		t.Errorf("what was not given, or is as before: %v", err)
	}
	err := dashed.CheckFixed(Fixed{"preset", "tiny", "hq"})
	if want := "--preset hq: the run began with tiny, and keeps it: leave --preset out, or begin a new run"; err == nil || err.Error() != want {
		t.Errorf("another preset: %v, want %q", err, want)
	}
}
