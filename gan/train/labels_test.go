package train

import (
	"slices"
	"testing"
)

// With labels in place of styles a run makes all its steps, the losses of styles are 0, and the model's stored styles are
// the labels.
func TestStyleLabels(t *testing.T) {
	cfg := microConfig(t)
	cfg.StyleLabels = true
	const speakers = 3
	e := testEngine(t, cfg, "go", false, speakers)
	for _, step := range []int{0, cfg.WarmUpSteps(), cfg.sourceStep()} {
		batch := randomBatch(cfg, speakers, step)
		batch.Step = step
		all, err := e.step(batch)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range all {
			for i, v := range r.Fetch() {
				switch name := r.Names[i]; {
				case slices.Contains([]string{"ok", "ok_d"}, name) && v != 1:
					t.Errorf("step %d: %s is %g", step, name, v)
				case slices.Contains([]string{"style", "diversity", "common", "norm_e"}, name) && v != 0:
					t.Errorf("step %d: %s is %g, want 0", step, name, v)
				}
			}
		}
	}
	styles, err := e.speakerStyles(markedSet(cfg, 20, 20, 20))
	if err != nil {
		t.Fatal(err)
	}
	for y := range speakers {
		for i, v := range styles[y*cfg.GAN.StyleDim : (y+1)*cfg.GAN.StyleDim] {
			if (v != 0) != (i == y) {
				t.Errorf("speaker %d: number %d of the label is %g", y, i, v)
			}
		}
	}
}
