package run

import (
	"errors"
	"strings"
	"testing"
)

type fixed struct{}

func (fixed) Validate() error    { return nil }
func (fixed) Settings() Settings { return Settings{Steps: 5000} }

// A run half of whose samples are no speech fails, and says what to do.
func TestVerdict(t *testing.T) {
	d := driver[int]{Run: &Run{Say: NewReporter(nil, true), Folder: Folder{"there"}}, about: About{What: "model", Config: fixed{}}}
	d.plan.Lower = func(int) string { return "--set learningRate=1" }
	for _, c := range []struct {
		faults, samples int
		suspect         bool
	}{{0, 4, false}, {1, 4, false}, {2, 4, true}, {4, 4, true}, {0, 0, false}, {1, 1, true}} {
		samples := make([]Sample, c.samples)
		for i := range c.faults {
			samples[i].Fault, samples[i].Brief = "silent", "ann to bob"
		}
		err := d.verdict(samples)
		if errors.Is(err, ErrSuspect) != c.suspect {
			t.Errorf("%d faults in %d samples: %v", c.faults, c.samples, err)
		}
		if err != nil && (!strings.Contains(err.Error(), "ann to bob is silent") || !strings.Contains(err.Error(), "learningRate=1") || !strings.Contains(err.Error(), "there/samples")) {
			t.Errorf("error %v", err)
		}
	}
}
