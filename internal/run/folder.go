package run

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/starvc/vc/internal/atomicfile"
	"github.com/starvc/vc/internal/base"
)

// Folder is everything that a run leaves on disk:
//
//	config.json          the command, the settings, and what was asked for
//	lint.txt             what was found wrong with the recordings
//	metrics.jsonl        a line per step
//	snapshots/           everything that resuming needs
//	losses.png           curves
//	samples/step-N/      what comes out, and pictures of it
//	report.html          all of this on one page
//	events.out.*         the same for TensorBoard
//	*.safetensors        what was made, unless another place is asked for, and copies of the models that going on needs
type Folder struct{ Dir string }

// Path is a file of the folder.
func (f Folder) Path(parts ...string) string {
	return filepath.Join(append([]string{f.Dir}, parts...)...)
}

// Name is what a person calls the folder.
func (f Folder) Name() string {
	whole, err := filepath.Abs(f.Dir)
	if err != nil {
		return f.Dir
	}
	return filepath.Base(whole)
}

// making is the name of an empty file that is in the folder while it is made, until config.json is written. A folder with this file and
// without config.json is one of a run that was killed then: there is nothing in it to go on with.
const making = ".vc-making"

// Vacant refuses a folder that holds something, so that nothing is written over. What a run has left that was killed while it made its
// folder is nothing.
func (f Folder) Vacant(n Names) error {
	entries, err := os.ReadDir(f.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("run folder: %w", err)
	}
	has := func(name string) bool {
		return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == name })
	}
	if len(entries) > 0 && (!has(making) || has(requestName)) {
		return fmt.Errorf("run folder %s is not empty: go on with it by %s, or name another with %s", f.Dir, n.Of("resume"), n.Of("run"))
	}
	return nil
}

// Create makes the folder of a new run; Made ends that.
func (f Folder) Create(n Names) error {
	if err := f.Vacant(n); err != nil {
		return err
	}
	err := os.MkdirAll(f.Dir, 0o755)
	if err == nil {
		err = os.WriteFile(f.Path(making), nil, 0o644)
	}
	if err == nil {
		err = os.MkdirAll(f.Path("snapshots"), 0o755)
	}
	if err != nil {
		return fmt.Errorf("run folder: %w: name a folder that can be written with %s", err, n.Of("run"))
	}
	return nil
}

// Made says that config.json is written: from here on the run can be gone on with.
func (f Folder) Made() error {
	if err := os.Remove(f.Path(making)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("run folder: %w", err)
	}
	return nil
}

// Tidy removes the temporary files that a run left when it was killed while it wrote: each may be as large as a snapshot. No other
// run may be at work in the folder.
func (f Folder) Tidy() error {
	return filepath.WalkDir(f.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !isLeftover(e) {
			return err
		}
		return os.Remove(path)
	})
}

func isLeftover(e fs.DirEntry) bool {
	leftover, _ := filepath.Match(atomicfile.Leftovers, e.Name()) // the pattern is a good one
	return leftover && e.Type().IsRegular()
}

// Snapshots are those of the run.
func (f Folder) Snapshots() Snapshots { return Snapshots{Dir: f.Path("snapshots")} }

// WriteText writes a file of the folder.
func (f Folder) WriteText(name string, text io.WriterTo) error {
	return atomicfile.Write(f.Path(name), func(w io.Writer) error {
		_, err := text.WriteTo(w)
		return err
	})
}

// Whole makes paths fit for a run that goes on in another folder: those that are not empty, and do not name what comes with the
// program.
func Whole(paths ...*string) error {
	for _, path := range paths {
		if *path == "" || *path == base.Name {
			continue
		}
		whole, err := filepath.Abs(*path)
		if err != nil {
			return fmt.Errorf("run folder: %w", err)
		}
		*path = whole
	}
	return nil
}
