package train

import (
	"fmt"
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
	want := request{Config: microConfig(t), Speakers: "a=b,c=d", Output: "x.safetensors", Init: "y", Phones: "z", Data: "abc"}
	want.Config.Seed = math.MaxUint64
	if err := r.writeRequest(want); err != nil {
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

func TestMetricsLines(t *testing.T) {
	nan32 := float32(math.NaN())
	for _, m := range []record{
		{Step: 0, Rate: 0.5, Metrics: map[string]float32{}},
		{Step: 12, Rate: 1.25e-4, Metrics: map[string]float32{"cycle": 0.1, "adv_g": -3, "ok": 1, "big": 3.4e38, "small": 1e-45, "third": 1.0 / 3}},
		{Step: 1 << 30, Rate: 1.0 / 3, Metrics: map[string]float32{"norm_g": nan32, "loss": float32(math.Inf(1))}},
	} {
		r := newRunFolder(t)
		path := r.path("metrics.jsonl")
		if err := os.WriteFile(path, m.line(), 0o600); err != nil {
			t.Fatal(err)
		}
		back, err := readMetrics(path)
		if err != nil || len(back) != 1 {
			t.Fatalf("%s: %v, %v", m.line(), back, err)
		}
		if got := back[0].line(); string(got) != string(m.line()) {
			t.Errorf("read and written again: %s, was %s", got, m.line())
		}
		for name, v := range m.Metrics {
			if got := back[0].Metrics[name]; got != v && v-v == 0 {
				t.Errorf("%s comes back as %g, was %g", name, got, v)
			}
		}
	}
}

func TestOpenMetricsDropsWhatWillBeMadeAgain(t *testing.T) {
	line := func(step int, name string, v float32) string {
		return string(record{Step: step, Rate: 0.1, Metrics: map[string]float32{name: v}}.line())
	}
	whole := line(0, "cycle", 1) + line(1, "cycle", 2) + line(1, "valid_cycle", 3) + line(2, "cycle", 4)
	for _, c := range []struct {
		name, old string
		from      int
		want      string
	}{
		{"new", "", 0, ""},
		{"kept", whole, 3, whole},
		{"cut", whole, 2, line(0, "cycle", 1) + line(1, "cycle", 2) + line(1, "valid_cycle", 3)},
		{"from the start", whole, 0, ""},
		{"half a line at the end", whole + `{"step":3,"cyc`, 9, whole},
		{"half a line where it was cut", whole + line(3, "cycle", 5)[:20], 2, line(0, "cycle", 1) + line(1, "cycle", 2) + line(1, "valid_cycle", 3)},
		{"no metrics", "nonsense\n" + whole, 9, ""},
	} {
		r := newRunFolder(t)
		if c.old != "" {
			if err := os.WriteFile(r.path("metrics.jsonl"), []byte(c.old), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		log, err := r.openMetrics(c.from)
		if err != nil {
			t.Fatal(err)
		}
		if err := log.add([]record{{Step: 7, Metrics: map[string]float32{"x": 1}}, {Step: 8, Metrics: map[string]float32{"x": 2}}}); err != nil {
			t.Fatal(err)
		}
		if err := log.close(); err != nil {
			t.Fatal(err)
		}
		got, _ := os.ReadFile(r.path("metrics.jsonl"))
		want := c.want + `{"step":7,"rate":0,"x":1}` + "\n" + `{"step":8,"rate":0,"x":2}` + "\n"
		if string(got) != want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, want)
		}
	}
}

// Lines that cannot be written wait for the next time, and none is lost or doubled.
func TestMetricsWait(t *testing.T) {
	r := newRunFolder(t)
	log, err := r.openMetrics(0)
	if err != nil {
		t.Fatal(err)
	}
	whole := log.file
	if log.file, err = os.Open(r.path("metrics.jsonl")); err != nil { // not for writing
		t.Fatal(err)
	}
	if err := log.add([]record{{Step: 0}, {Step: 1}}); err == nil || !strings.Contains(err.Error(), "metrics") {
		t.Errorf("error %v", err)
	}
	log.file.Close()
	log.file = whole
	if err := log.add([]record{{Step: 2}}); err != nil {
		t.Fatal(err)
	}
	if err := log.close(); err != nil {
		t.Fatal(err)
	}
	if got, want := read(t, r.path("metrics.jsonl")), "{\"step\":0,\"rate\":0}\n{\"step\":1,\"rate\":0}\n{\"step\":2,\"rate\":0}\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
