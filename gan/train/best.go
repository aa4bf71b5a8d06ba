package train

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strconv"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/runlog"
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

// closeEnough is the factor by which a score may be above the least one. The score is a rough guide, and within so much of it
// a longer training is the better guess; it is there to catch a run that goes wrong.
const closeEnough = 1.05

// best is the best snapshot so far: the last one whose score came near enough to the least. Step 0 is none.
type best struct {
	step  int     // steps done
	score float64 // the least of all
}

// elect is the best after a snapshot of some score more, and whether it is that one.
func (b best) elect(step int, score float64) (best, bool) {
	switch {
	case math.IsNaN(score), b.step > 0 && score > closeEnough*b.score:
		return b, false
	case b.step > 0:
		score = min(score, b.score)
	}
	return best{step, score}, true
}

const scoreKey = "score" // of the best snapshot's header

func (r runFolder) bestPath() string { return r.path("snapshots", "best.safetensors") }

// saveBest writes the best snapshot.
func (r runFolder) saveBest(vars *mlx.Vars, b best) error {
	return vars.WriteSnapshot(r.bestPath(), map[string]string{
		runlog.StepKey: strconv.Itoa(b.step), scoreKey: strconv.FormatFloat(b.score, 'g', -1, 64),
	})
}

// loadBest reads it; without one vars is nil.
func (r runFolder) loadBest() (vars *mlx.Vars, b best, err error) {
	vars, meta, err := mlx.ReadSnapshot(r.bestPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, best{}, nil
	}
	if err != nil {
		return nil, best{}, err
	}
	b.step, err = strconv.Atoi(meta[runlog.StepKey])
	if err == nil {
		b.score, err = strconv.ParseFloat(meta[scoreKey], 64)
	}
	if err != nil {
		return nil, best{}, fmt.Errorf("snapshot %s: its header lacks step and score", r.bestPath())
	}
	return vars, b, nil
}

// recallBest finds the best snapshot of a run that goes on. One that is broken, or of a step that will be made again, goes.
func (r *runner) recallBest() {
	_, b, err := r.folder.loadBest()
	if err != nil || b.step > r.first {
		if err != nil {
			r.say.Linef("warning: %v: it no longer counts as the best", err)
		}
		if err := os.Remove(r.folder.bestPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			r.say.Linef("warning: %v", err)
		}
		b = best{}
	}
	r.best = b
}

// keepBest saves the networks if they are the best so far.
func (r *runner) keepBest(made int, values []float32) error {
	r.lastScore = validScore(values)
	if made < r.req.Config.bestFrom() {
		return nil
	}
	b, elected := r.best.elect(made, r.lastScore)
	if !elected {
		return nil
	}
	if err := r.folder.saveBest(r.engine.vars, b); err != nil {
		r.unsaved(made, err)
		return nil
	}
	r.best = b
	return nil
}

// exportBest makes the model: out of the best snapshot of a finished run, else out of the weights as they are.
func (r *runner) exportBest(done int) (*gan.Model, error) {
	last := done < r.req.Config.Steps || r.o.Last
	if last || r.best.step == 0 || r.best.step == done {
		return r.engine.export(r.set, done, r.o.Version)
	}
	vars, b, err := r.folder.loadBest()
	if err != nil || vars == nil {
		r.say.Linef("warning: the best snapshot cannot be read (%v): the model is that of the last step", err)
		return r.engine.export(r.set, done, r.o.Version)
	}
	r.say.Linef("the model is that of step %d, the best by held-out speech: it got worse since; `--resume --last` takes the last step's instead", b.step)
	e := newEngine(r.engine.cfg, r.engine.backend, r.engine.native, vars, r.engine.speakers, r.engine.phones)
	return e.export(r.set, b.step, r.o.Version)
}
