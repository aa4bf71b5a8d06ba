package train

import (
	"github.com/starvc/vc/gan"
)

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

// keepBest saves the networks if they are the best so far.
func (r *runner) keepBest(made int, values []float32) {
	r.lastScore = validScore(values)
	if made < r.req.Config.bestFrom() {
		return
	}
	b, elected := r.best.Elect(made, r.lastScore)
	if !elected {
		return
	}
	if err := r.folder.kept().SaveBest(r.engine.vars, b); err != nil {
		r.unsaved.Note(r.say, made, err)
		return
	}
	r.best = b
}

// exportBest makes the model: out of the best snapshot of a finished run, else out of the weights as they are.
func (r *runner) exportBest(done int) (*gan.Model, error) {
	last := done < r.req.Config.Steps || r.o.Last
	if last || r.best.Step == 0 || r.best.Step == done {
		return r.engine.export(r.set, done, r.o.Version)
	}
	vars, b, err := r.folder.kept().LoadBest()
	if err != nil || vars == nil {
		r.say.Linef("warning: the best snapshot cannot be read (%v): the model is that of the last step", err)
		return r.engine.export(r.set, done, r.o.Version)
	}
	r.say.Linef("the model is that of step %d, the best by held-out speech: it got worse since; `--resume --last` takes the last step's instead", b.Step)
	e := newEngine(r.engine.cfg, r.engine.backend, r.engine.native, vars, r.engine.speakers, r.engine.phones)
	return e.export(r.set, b.Step, r.o.Version)
}
