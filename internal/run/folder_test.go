package run

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/internal/mlx"
)

func tinyVars(t *testing.T, value float32) *mlx.Vars {
	t.Helper()
	v := mlx.NewVars()
	if err := v.Set(mlx.GroupWeights, "gen.out.b", []int{3}, []float32{value, 2, 3}); err != nil {
		t.Fatal(err)
	}
	return v
}

func newFolder(t *testing.T) Folder {
	t.Helper()
	r := Folder{Dir: filepath.Join(t.TempDir(), "run")}
	if err := r.Create(nil); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRunFolderIsNotWrittenOver(t *testing.T) {
	r := newFolder(t)
	if err := WriteRequest(r.Dir, &Common{Command: "train"}); err != nil {
		t.Fatal(err)
	}
	if err := r.Made(); err != nil {
		t.Fatal(err)
	}
	if err := r.Create(dashed); err == nil || !strings.Contains(err.Error(), "--resume") {
		t.Errorf("a run folder made twice: error %v, want one that offers --resume", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "below")} {
		if err := (Folder{Dir: path}).Create(nil); err == nil || !strings.HasPrefix(err.Error(), "run folder") {
			t.Errorf("%s: error %v", path, err)
		}
	}
	if err := (Folder{Dir: t.TempDir()}).Create(nil); err != nil {
		t.Errorf("an empty folder that is there: %v", err)
	}
}

// A run that was killed while it made its folder has left nothing to go on with, so that a new one may take the folder; after config.json is
// written it is a run.
func TestRunFolderThatWasNotFinished(t *testing.T) {
	r := newFolder(t)
	if err := os.WriteFile(r.Path("init.safetensors"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.Create(nil); err != nil {
		t.Errorf("a folder whose making was cut short: %v", err)
	}
	if err := WriteRequest(r.Dir, &Common{Command: "train"}); err != nil {
		t.Fatal(err)
	}
	if err := r.Create(dashed); err == nil || !strings.Contains(err.Error(), "--resume") {
		t.Errorf("a folder with config.json: error %v, want one that offers --resume", err)
	}
	if err := r.Made(); err != nil {
		t.Error(err)
	}
	if err := r.Made(); err != nil {
		t.Errorf("made twice, as by going on: %v", err)
	}
	entries, err := os.ReadDir(r.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() == making {
			t.Errorf("%s is still there", making)
		}
	}
}

// A run that was killed leaves temporary files, which the one that goes on removes, and nothing else.
func TestKilledRunLeavesNothing(t *testing.T) {
	r := newFolder(t)
	left := []string{r.Path(".vc-1a2b.tmp"), r.Path("snapshots", ".vc-3c.tmp")}
	keep := []string{r.Path("snapshots", "step-00000001.safetensors"), r.Path("my.tmp"), r.Path(".vc-notes")}
	write := func(paths ...string) {
		for _, path := range paths {
			if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(left...)
	write(keep...)
	if err := r.Tidy(); err != nil {
		t.Fatal(err)
	}
	for _, path := range left {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s is still there", path)
		}
	}
	for _, path := range keep {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

func TestSnapshotsInFolder(t *testing.T) {
	r := newFolder(t)
	var warnings []string
	warn := func(format string, a ...any) { warnings = append(warnings, fmt.Sprintf(format, a...)) }
	if vars, step, err := r.Snapshots().Load(warn); vars != nil || step != 0 || err != nil || len(warnings) > 0 {
		t.Errorf("without a snapshot: %v %d %v, warnings %v", vars, step, err, warnings)
	}
	for step := 1; step <= 5; step++ {
		if err := r.Snapshots().Save(tinyVars(t, float32(step)), step*10, 3); err != nil {
			t.Fatal(err)
		}
	}
	// What else may lie there: a temporary file of a run that was killed, and a user's own copy.
	for _, name := range []string{".vc-abc.tmp", "step-00000099.safetensors.bak", "step-99.safetensors", "step-0000009x.safetensors"} {
		if err := os.WriteFile(r.Path("snapshots", name), []byte("junk"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.Snapshots().Steps(); !slices.Equal(got, []int{50, 40, 30}) {
		t.Fatalf("snapshots %v, want the newest three, newest first", got)
	}
	loads := func(want int, value float32, wantWarnings int) {
		t.Helper()
		warnings = nil
		vars, step, err := r.Snapshots().Load(warn)
		if err != nil || step != want || len(warnings) != wantWarnings {
			t.Errorf("loads step %d (%v) with warnings %q, want step %d and %d warnings", step, err, warnings, want, wantWarnings)
			return
		}
		if data, _, _ := vars.Get(mlx.GroupWeights, "gen.out.b"); data[0] != value {
			t.Errorf("loads %v, want %g first", data, value)
		}
	}
	loads(50, 5, 0)
	if err := os.Truncate(r.Snapshots().Path(50), 60); err != nil {
		t.Fatal(err)
	}
	loads(40, 4, 1)
	// A file under another step's name is not what it says.
	b, _ := os.ReadFile(r.Snapshots().Path(30))
	if err := os.WriteFile(r.Snapshots().Path(40), b, 0o600); err != nil {
		t.Fatal(err)
	}
	loads(30, 3, 2)
	if err := r.Snapshots().Save(tinyVars(t, 10), 10000000000, 1); err != nil { // more digits than the name is padded to
		t.Fatal(err)
	}
	if got := r.Snapshots().Steps(); !slices.Equal(got, []int{10000000000}) {
		t.Errorf("snapshots %v, want the last alone", got)
	}
	loads(10000000000, 10, 0)
}
