package run

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/starvc/vc/internal/mlx"
)

// Snapshots is a folder of snapshots, one file for each step that has one.
type Snapshots struct{ Dir string }

// StepKey is where a snapshot's header has its step.
const StepKey = "step"

// Path is the file of a step.
func (s Snapshots) Path(step int) string {
	return filepath.Join(s.Dir, fmt.Sprintf("step-%08d.safetensors", step))
}

// Steps lists the steps that have a snapshot, newest first.
func (s Snapshots) Steps() []int {
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return nil
	}
	var steps []int
	for _, e := range entries {
		digits := strings.TrimSuffix(strings.TrimPrefix(e.Name(), "step-"), ".safetensors")
		if n, err := strconv.Atoi(digits); err == nil && n >= 0 && e.Name() == filepath.Base(s.Path(n)) {
			steps = append(steps, n)
		}
	}
	slices.Sort(steps)
	slices.Reverse(steps)
	return steps
}

// Save writes the snapshot of a step (that many steps are done) and then removes the oldest beyond keep.
func (s Snapshots) Save(vars *mlx.Vars, step, keep int) error {
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return fmt.Errorf("snapshots: %w", err)
	}
	if err := vars.WriteSnapshot(s.Path(step), map[string]string{StepKey: strconv.Itoa(step)}); err != nil {
		return err
	}
	return s.prune(keep)
}

// prune removes the oldest snapshots beyond keep, and what was made of them.
func (s Snapshots) prune(keep int) error {
	steps := s.Steps()
	for _, old := range steps[min(keep, len(steps)):] {
		if err := os.Remove(s.Path(old)); err != nil {
			return fmt.Errorf("remove old snapshot: %w", err)
		}
		if err := os.Remove(s.ModelPath(old)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove old snapshot: %w", err)
		}
	}
	return nil
}

// Load reads the newest snapshot that is whole. A broken one is named to warn and passed over. Without any, vars is nil; but
// where there are some and none is whole it is an error, for starting again would write over what may be rescued.
func (s Snapshots) Load(warn func(string, ...any)) (vars *mlx.Vars, step int, err error) {
	steps := s.Steps()
	for _, n := range steps {
		vars, meta, err := mlx.ReadSnapshot(s.Path(n))
		if err != nil {
			warn("%v: trying the one before", err)
			continue
		}
		if meta[StepKey] != strconv.Itoa(n) {
			warn("snapshot %s says step %s: trying the one before", s.Path(n), meta[StepKey])
			continue
		}
		return vars, n, nil
	}
	if n := len(steps); n > 0 {
		return nil, 0, fmt.Errorf("%s: none of its %d snapshots can be read: begin a new run, from the model if there is one", s.Dir, n)
	}
	return nil, 0, nil
}

// CheckWritable finds out before hours of work whether a file can be written where it is wanted.
func (n Names) CheckWritable(path string) error {
	dir := filepath.Dir(path)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("output %s is a folder: name a file with %s", path, n.Of("output"))
	}
	for { // the folder itself may not be there yet
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	probe, err := os.CreateTemp(dir, ".vc-probe-*")
	if err != nil {
		return fmt.Errorf("output %s cannot be written: %w: name another place with %s", path, err, n.Of("output"))
	}
	probe.Close()
	return os.Remove(probe.Name())
}

// Holds checks that a snapshot has the variables that are wanted, in the right shapes.
func Holds(vars, want *mlx.Vars) error {
	for _, group := range []string{mlx.GroupWeights, mlx.GroupEMA, mlx.GroupMoment1, mlx.GroupMoment2, mlx.GroupCount} {
		for _, name := range want.Names(group, "") {
			if !vars.Has(group, name) {
				return fmt.Errorf("snapshot: %s/%s is missing: the configuration or the speakers have changed since the run began", group, name)
			}
			_, shape, err := vars.Get(group, name)
			if err != nil {
				return err
			}
			_, wanted, err := want.Get(group, name)
			if err != nil {
				return err
			}
			if !slices.Equal(shape, wanted) {
				return fmt.Errorf("snapshot: %s/%s has shape %v, want %v: the configuration or the speakers have changed since the run began", group, name, shape, wanted)
			}
		}
	}
	return nil
}
