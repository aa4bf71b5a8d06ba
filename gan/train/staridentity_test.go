package train

import "testing"

// starIdentity has G say x in its own style during the star, and learn it; without it the term is nought.
func TestStarIdentity(t *testing.T) {
	cfg := microConfig(t)
	cfg.LearningRate, cfg.RampSteps = 3e-3, 0
	const speakers = 2
	learn := func(weight float64) (first, last float32) {
		cfg.Loss.StarIdentity = weight
		e := testEngine(t, cfg, "go", false, speakers)
		batch := randomBatch(cfg, speakers, cfg.WarmUpSteps())
		batch.Step = cfg.WarmUpSteps()
		for i := range 6 {
			last = e.halfStep(t, true, batch)["identity"]
			if i == 0 {
				first = last
			}
		}
		return first, last
	}
	if first, last := learn(0); first != 0 || last != 0 {
		t.Errorf("without a weight identity is %g and %g, want 0", first, last)
	}
	if first, last := learn(100); first <= 0 || last >= 0.98*first {
		t.Errorf("identity went from %g to %g, want it to fall", first, last)
	}
}
