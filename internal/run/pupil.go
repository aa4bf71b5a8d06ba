package run

import (
	"context"
	"time"

	"github.com/starvc/vc/internal/mlx"
)

// Pupil is what is trained; T is what one of its steps takes, on the device. Train calls the methods from one goroutine, but for
// those of Inputs, and in the order in which they stand here: from Take to Step again after a device ran out of memory.
type Pupil[T any] interface {
	// Configure settles the request: that of a new run from its preset, or that of the run which goes on, which Train has read.
	// Both use r.Override.
	Configure(r *Run) error
	// Prepare reads what is learnt from.
	Prepare(ctx context.Context) error
	// Fresh makes the variables that a run begins with.
	Fresh() (*mlx.Vars, error)
	// Check refuses a snapshot's variables that do not fit the settings, see Holds.
	Check(vars *mlx.Vars) error
	// Take begins to work with variables, from step r.First on.
	Take(ctx context.Context, vars *mlx.Vars) error
	// Keep leaves in the run folder, which is there now, what going on needs beside settings and snapshots.
	Keep() error
	// Plan is how the steps from r.First on go.
	Plan() Plan
	// Inputs begins to draw what the steps from r.First on take.
	Inputs() (Inputs[T], error)
	// Step makes a step, and frees its inputs.
	Step(step int, in T) ([]Results, error)
	// Score scores the averaged weights on speech that is held out; nil where there is none.
	Score() (*Scored, error)
	// Export makes what the run is for out of variables that have had so many steps.
	Export(vars *mlx.Vars, steps int) error
	// Report shows what comes out.
	Report(ctx context.Context) (*Report, error)
	// Write writes what Export made.
	Write(path string) error
}

// Inputs draws what steps take. Draw and Free are called beside Step, Draw for one step after the other; Close may be nil.
type Inputs[T any] struct {
	Draw  func(step int) (T, error)
	Free  func(T) error
	Close func()
}

// About is what is always so of a pupil.
type About struct {
	Command string  // "train vocoder"
	What    string  // that is made, for people: "vocoder"
	File    string  // its name in the run folder: "vocoder.safetensors"
	Folder  string  // layout, as of package time, of the name of a run folder: "vocoder-20060102-150405"
	Made    string  // what the run folder has besides: "samples/"; may be empty
	Curves  []Curve // of losses.png
	Even    bool    // a batch is an even number
	Live    bool    // Export and Report are quick enough to be made while it trains
	Least   bool    // the score is what a run is for: the best snapshot is that of the least, see Best
	Request Request // a pointer to what config.json holds, which Common is embedded in
	Config  Config  // a pointer to the settings, which are part of Request
}

// Config is a pointer to the settings of a training. In JSON they have "steps", "batch", "seed" and "snapshotEvery".
type Config interface {
	Validate() error // names the first setting that cannot work
	Settings() Settings
}

// Settings are those that every training has.
type Settings struct {
	Preset                                                       string
	Seed                                                         uint64
	Steps, Batch                                                 int
	ScoreEvery, SnapshotEvery, KeepSnapshots, LogEvery, BestFrom int  // BestFrom is the number of steps from which snapshots stand for election
	ScoreFirst, ScoreLast                                        bool // scored before the first step, where ScoreEvery is set; after the last though it is not
}

// Plan is how steps go.
type Plan struct {
	Phases   []Phase
	Compiles func(step int) bool    // whether a step has a new graph though no phase begins; may be nil
	Compile  time.Duration          // how long the first graph of a phase usually takes to compile on two cores; 0 if that is not known
	Rate     func(step int) float64 // the learning rate
	Lower    func(step int) string  // the setting that lowers it, see Names.Setting
	Smaller  string                 // what makes steps smaller besides a smaller preset: a setting, as above
	Larger   string                 // what gives a card more to do, such as a larger batch
	Broken   string                 // where a broken recording is found; empty for nowhere
	Cost     Cost                   // of the steps from r.First on; nothing for what is not known
	// Blame names the recordings of a step, and what is odd about them, fit to follow a sentence.
	Blame func(step int) (files []string, odd string)
}

// Phase is a part of a training whose steps are alike.
type Phase struct {
	Name  string
	End   int     // the first step after it; the last phase ends with the run
	Cost  float64 // of one of its steps, in the same unit for all phases
	Shown []Shown // what a line of progress has
}

// Shown is a metric in a line of progress, left out while it is 0.
type Shown struct {
	Name, Metric string
	Percent      bool
}

// Scored is what a score is.
type Scored struct {
	Metrics map[string]float32
	Sum     float64 // the less the better: what the best snapshot has least of
	Line    string  // for a person
}

// Report is what report.html has of a pupil.
type Report struct {
	Samples []Sample
	Voices  []Voice
	Scores  Scores // Best is set by Train
	Use     string // what to type next, with %[1]s for the file that was made; may be empty
}
