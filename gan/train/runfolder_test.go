package train

import (
	"fmt"
	"github.com/starvc/vc/internal/run"
	"math"
	"os"
	"path/filepath"
	"reflect"
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

func newRunFolder(t *testing.T) runFolder {
	t.Helper()
	r := runFolder{filepath.Join(t.TempDir(), "run")}
	if err := r.create(); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRequestRoundTrip(t *testing.T) {
	r := newRunFolder(t)
	want := request{Common: run.Common{Command: "train", Speakers: "a=b,c=d", Output: "x.safetensors"}, Config: microConfig(t), Init: "y", Phones: "z", Data: "abc"}
	want.Config.Seed = math.MaxUint64
	if err := r.writeRequest(&want); err != nil {
		t.Fatal(err)
	}
	got, err := r.readRequest()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("config.json comes back as %+v, %v", got, err)
	}
	if err := os.WriteFile(r.path("config.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.readRequest(); err == nil || !strings.Contains(err.Error(), "config.json") {
		t.Errorf("cut short: error %v, want one that names config.json", err)
	}
	if _, err := (runFolder{t.TempDir()}).readRequest(); err == nil || !strings.Contains(err.Error(), "holds no run") {
		t.Errorf("an empty folder: error %v", err)
	}
}

func TestRunFolderIsNotWrittenOver(t *testing.T) {
	r := newRunFolder(t)
	if err := r.create(); err == nil || !strings.Contains(err.Error(), "--resume") {
		t.Errorf("a run folder made twice: error %v, want one that offers --resume", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "below")} {
		if err := (runFolder{path}).create(); err == nil || !strings.HasPrefix(err.Error(), "run folder") {
			t.Errorf("%s: error %v", path, err)
		}
	}
	if err := (runFolder{t.TempDir()}).create(); err != nil {
		t.Errorf("an empty folder that is there: %v", err)
	}
}

func TestSnapshotsInFolder(t *testing.T) {
	r := newRunFolder(t)
	var warnings []string
	warn := func(format string, a ...any) { warnings = append(warnings, fmt.Sprintf(format, a...)) }
	if vars, step, err := r.load(warn); vars != nil || step != 0 || err != nil || len(warnings) > 0 {
		t.Errorf("without a snapshot: %v %d %v, warnings %v", vars, step, err, warnings)
	}
	for step := 1; step <= 5; step++ {
		if err := r.save(tinyVars(t, float32(step)), step*10, 3); err != nil {
			t.Fatal(err)
		}
	}
	// What else may lie there: a temporary file of a run that was killed, and a user's own copy.
	for _, name := range []string{".vc-abc.tmp", "step-00000099.safetensors.bak", "step-99.safetensors", "step-0000009x.safetensors"} {
		if err := os.WriteFile(r.path("snapshots", name), []byte("junk"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.snapshots(); !slices.Equal(got, []int{50, 40, 30}) {
		t.Fatalf("snapshots %v, want the newest three, newest first", got)
	}
	loads := func(want int, value float32, wantWarnings int) {
		t.Helper()
		warnings = nil
		vars, step, err := r.load(warn)
		if err != nil || step != want || len(warnings) != wantWarnings {
			t.Errorf("loads step %d (%v) with warnings %q, want step %d and %d warnings", step, err, warnings, want, wantWarnings)
			return
		}
		if data, _, _ := vars.Get(mlx.GroupWeights, "gen.out.b"); data[0] != value {
			t.Errorf("loads %v, want %g first", data, value)
		}
	}
	loads(50, 5, 0)
	if err := os.Truncate(r.snapshotPath(50), 60); err != nil {
		t.Fatal(err)
	}
	loads(40, 4, 1)
	// A file under another step's name is not what it says.
	b, _ := os.ReadFile(r.snapshotPath(30))
	if err := os.WriteFile(r.snapshotPath(40), b, 0o600); err != nil {
		t.Fatal(err)
	}
	loads(30, 3, 2)
	if err := r.save(tinyVars(t, 10), 10000000000, 1); err != nil { // more digits than the name is padded to
		t.Fatal(err)
	}
	if got := r.snapshots(); !slices.Equal(got, []int{10000000000}) {
		t.Errorf("snapshots %v, want the last alone", got)
	}
	loads(10000000000, 10, 0)
}
