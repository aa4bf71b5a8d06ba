package train

// The model of a run is that of its best snapshot. Plain rebuilding errors will not do to find it: they are least at the end
// of the warm-up and rise while conversions become clear. So what counts is how near the mel bands of held-out conversions
// come to the target's own recordings in mean and spread, and how much survives the way there and back; and only the second
// half of the last phase, since a network that has not learnt to convert yet is good at the latter.

// bestFrom is the number of steps after which snapshots stand for election.
func (c Config) bestFrom() int {
	w := c.WarmUpSteps()
	if w >= c.Steps || c.AddVoice.On {
		return c.Steps / 2
	}
	return w + (c.Steps-w)/2
}

// validScore is the score that the best snapshot has least of, from the values of a validation: colour, spread and cycle,
// all L1 in normalised log-mel units, or, in a run without the star's values, rebuilding and cycle.
func validScore(values []float32) float64 {
	v := make(map[string]float64, len(values))
	for i, x := range values {
		v[starValidMetrics[i]] = float64(x)
	}
	if len(values) < len(starValidMetrics) {
		return v["valid_identity"] + v["valid_cycle"]
	}
	return v["valid_colour"] + v["valid_spread"] + v["valid_cycle"]
}
