package train

import (
	"testing"
)

// A chosen item comes in as another voice would say it, and the step learns from it; one that is not chosen comes in as it is.
func TestBackTranslation(t *testing.T) {
	cfg := microConfig(t)
	const speakers = 2
	identity := func(share float64) float32 {
		cfg.BackTranslation = share
		e := testEngine(t, cfg, "go", false, speakers)
		batch := randomBatch(cfg, speakers, 0)
		batch.Step = cfg.WarmUpSteps() - 1
		results, err := e.step(batch)
		if err != nil {
			t.Fatal(err)
		}
		m := named(t, results...)
		if m["ok"] != 1 || m["norm_g"] <= 0 || m["norm_e"] <= 0 {
			t.Errorf("share %g: %v", share, m)
		}
		return m["identity"]
	}
	none, rare, all := identity(0), identity(1e-9), identity(1)
	if rare != none {
		t.Errorf("identity %g where no item is chosen, want %g as without back-translation", rare, none)
	}
	if all == none {
		t.Error("back-translation of all items changes nothing")
	}
	// The choice is the same whenever the step is drawn, and near the share.
	cfg.BackTranslation = 0.3
	chosen, n := 0.0, 0
	for step := range 200 {
		batch := randomBatch(cfg, speakers, step)
		batch.Step = step
		f := feed{cfg: cfg, speakers: markedSet(cfg, 20, 20).Speakers, batch: batch}
		first, again := f.translation()[1].Value().([][][]float32), f.translation()[1].Value().([][][]float32)
		for i := range first {
			if first[i][0][0] != again[i][0][0] {
				t.Fatalf("step %d: item %d is chosen in one drawing only", step, i)
			}
			chosen += float64(first[i][0][0])
			n++
		}
	}
	if share := chosen / float64(n); share < 0.25 || share > 0.35 {
		t.Errorf("%.2f of the items were chosen, want about 0.3", share)
	}
}

// It comes at the end of the warm-up and never in its first half.
func TestTranslatedSteps(t *testing.T) {
	for _, c := range []struct {
		warmUp, steps, first int // first step with it
	}{
		{8000, 1000, 7000}, {1500, 1000, 750}, {1500, 0, 750}, {1501, 0, 751}, {1, 1000, 1}, {0, 1000, 0},
	} {
		cfg := Config{Steps: 10000, WarmUpShare: float64(c.warmUp) / 10000, BackTranslation: 0.5, BackTranslationSteps: c.steps}
		if cfg.translates(c.first-1) || !cfg.translates(c.first) {
			t.Errorf("warm-up of %d steps, %d of back-translation: not from step %d on", c.warmUp, c.steps, c.first)
		}
		if cfg.BackTranslation = 0; cfg.translates(c.warmUp) {
			t.Error("back-translation that is off")
		}
	}
}
