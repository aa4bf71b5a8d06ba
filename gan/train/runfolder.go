package train

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/run"
)

// runFolder is everything that a run leaves on disk:
//
//	config.json          the settings, and what was asked for
//	lint.txt             what was found wrong with the recordings
//	metrics.jsonl        a line per step
//	snapshots/           everything that resuming needs
//	losses.png           curves
//	samples/step-N/      converted recordings and their pictures
//	report.html          all of this on one page
//	events.out.*         the same for TensorBoard
//	model.safetensors    the model, unless -o names another place
//	base.safetensors     a copy of the model that voices are added to, if any
//	voices.safetensors   a copy of the model that says a phone network's recordings in other voices, if any
type runFolder struct{ dir string }

func (r runFolder) path(parts ...string) string {
	return filepath.Join(append([]string{r.dir}, parts...)...)
}

// name is what a person calls the folder.
func (r runFolder) name() string {
	whole, err := filepath.Abs(r.dir)
	if err != nil {
		return r.dir
	}
	return filepath.Base(whole)
}

// request is what config.json holds.
type request struct {
	run.Common
	Config Config `json:"config"`
	Init   string `json:"init,omitempty"`
	Phones string `json:"phones,omitempty"`
	Data   string `json:"data,omitempty"` // fingerprint of the prepared recordings

	Voices []gan.SpeakerInfo `json:"voices,omitempty"` // of the model that voices are added to
}

// checkFixed refuses flags that would make another run of the one that is resumed.
func (q request) checkFixed(o Options) error {
	phones := o.Phones
	if phones != "" && phones != noneAtAll {
		whole, err := request{Phones: phones}.withWholePaths()
		if err != nil {
			return err
		}
		phones = whole.Phones
	}
	return run.CheckFixed(
		run.Fixed{Flag: "preset", Was: q.Config.Preset, Now: o.Preset},
		run.Fixed{Flag: "seed", Was: run.Number(q.Config.Seed), Now: run.Number(o.Seed)},
		run.Fixed{Flag: "rate", Was: run.Number(q.Config.Features.SampleRate), Now: run.Number(o.Rate)},
		run.Fixed{Flag: "phones", Was: cmp.Or(q.Phones, noneAtAll), Now: phones},
	)
}

// vacant refuses a folder that holds something: nothing is written over.
func (r runFolder) vacant() error {
	entries, err := os.ReadDir(r.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("run folder: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("run folder %s is not empty: go on with it by --resume, or name another with --run", r.dir)
	}
	return nil
}

// create makes the folder of a new run.
func (r runFolder) create() error {
	if err := r.vacant(); err != nil {
		return err
	}
	if err := os.MkdirAll(r.path("snapshots"), 0o755); err != nil {
		return fmt.Errorf("run folder: %w: name a folder that can be written with --run", err)
	}
	return nil
}

// withWholePaths is the request as config.json keeps it: the run resumes from any folder.
func (q request) withWholePaths() (request, error) {
	q.Speakers = corpus.AbsoluteSpec(q.Speakers)
	for _, path := range []*string{&q.Output, &q.Init, &q.Phones} {
		if *path == "" || *path == builtIn {
			continue
		}
		whole, err := filepath.Abs(*path)
		if err != nil {
			return request{}, fmt.Errorf("run folder: %w", err)
		}
		*path = whole
	}
	return q, nil
}

func (r runFolder) writeRequest(q run.Request) error { return run.WriteRequest(r.dir, q) }

func (r runFolder) readRequest() (q request, err error) {
	err = run.ReadRequest(r.dir, "train", &q)
	return q, err
}

func (r runFolder) kept() run.Snapshots { return run.Snapshots{Dir: r.path("snapshots")} }

func (r runFolder) snapshotPath(step int) string { return r.kept().Path(step) }

// snapshots lists the steps that have one, newest first.
func (r runFolder) snapshots() []int { return r.kept().Steps() }

// save writes the snapshot of a step (that many steps are done) and then removes the oldest beyond keep.
func (r runFolder) save(vars *mlx.Vars, step, keep int) error { return r.kept().Save(vars, step, keep) }

// load reads the newest snapshot that is whole, see run.Snapshots.Load.
func (r runFolder) load(warn func(string, ...any)) (vars *mlx.Vars, step int, err error) {
	return r.kept().Load(warn)
}

type (
	record     = run.Record
	metricsLog = run.MetricsLog
)

// openMetrics opens the log and drops lines at or after step from, which a resumed run will make again.
func (r runFolder) openMetrics(from int) (*metricsLog, error) {
	return run.OpenMetrics(r.path("metrics.jsonl"), from)
}

func readMetrics(path string) ([]record, error) { return run.ReadMetrics(path) }
