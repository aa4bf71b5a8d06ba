package run

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"github.com/starvc/vc/internal/mlx"
)

// closeEnough is the factor by which a rough score may be above the least one. Within so much of it a longer training is the
// better guess; it is there to catch a run that goes wrong.
const closeEnough = 1.05

// Best is the best snapshot so far: the last one whose score is the least, or came near enough to it. Step 0 is none.
type Best struct {
	Step  int     // steps done
	Score float64 // the least of all
}

// Elect is the best after a snapshot of some score more, and whether it is that one. The score is a rough guide: a little above
// the least will do.
func (b Best) Elect(step int, score float64) (Best, bool) { return b.elect(step, score, closeEnough) }

// ElectLeast is Elect for a score that is itself what a run is for: nothing above the least will do.
func (b Best) ElectLeast(step int, score float64) (Best, bool) { return b.elect(step, score, 1) }

func (b Best) elect(step int, score, within float64) (Best, bool) {
	switch {
	case math.IsNaN(score), b.Step > 0 && score > within*b.Score:
		return b, false
	case b.Step > 0:
		score = min(score, b.Score)
	}
	return Best{step, score}, true
}

const scoreKey = "score" // of the best snapshot's header

// BestPath is the file of the best snapshot.
func (s Snapshots) BestPath() string { return filepath.Join(s.Dir, "best.safetensors") }

// SaveBest writes the best snapshot.
func (s Snapshots) SaveBest(vars *mlx.Vars, b Best) error {
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return fmt.Errorf("snapshots: %w", err)
	}
	return vars.WriteSnapshot(s.BestPath(), map[string]string{
		StepKey: strconv.Itoa(b.Step), scoreKey: strconv.FormatFloat(b.Score, 'g', -1, 64),
	})
}

// LoadBest reads it; without one vars is nil.
func (s Snapshots) LoadBest() (vars *mlx.Vars, b Best, err error) {
	vars, meta, err := mlx.ReadSnapshot(s.BestPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Best{}, nil
	}
	if err != nil {
		return nil, Best{}, err
	}
	b.Step, err = strconv.Atoi(meta[StepKey])
	if err == nil {
		b.Score, err = strconv.ParseFloat(meta[scoreKey], 64)
	}
	if err != nil {
		return nil, Best{}, fmt.Errorf("snapshot %s: its header lacks step and score", s.BestPath())
	}
	return vars, b, nil
}

// RecallBest finds the best snapshot of a run that goes on after first steps. One that is broken, or of a step that will be made
// again, goes.
func (s Snapshots) RecallBest(first int, warn func(string, ...any)) Best {
	_, b, err := s.LoadBest()
	if err == nil && b.Step <= first {
		return b
	}
	if err != nil {
		warn("%v: it no longer counts as the best", err)
	}
	if err := os.Remove(s.BestPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		warn("%v", err)
	}
	return Best{}
}
