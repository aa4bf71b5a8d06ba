package train

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/run"
	"github.com/starvc/vc/internal/run/runtest"
	"github.com/starvc/vc/internal/safetensors"
)

// phoneRun is a run of twelve tiny steps.
func phoneRun(t *testing.T, recordings, labels string) Options {
	dir := t.TempDir()
	return Options{
		Options: run.Options{
			Names:    runtest.Dashed,
			Speakers: recordings,
			Preset:   "tiny",
			Steps:    12,
			Batch:    4,
			Device:   "go",
			RunDir:   filepath.Join(dir, "run"),
			Output:   filepath.Join(dir, "phones.safetensors"),
			Set: []string{
				"gan.width=8", "gan.hidden=12", "gan.encoderBlocks=1", "gan.bottleneck=4", "gan.stemFuture=2", "cropFrames=16", "rampSteps=2",
				"scoreEvery=3", "snapshotEvery=4", "logEvery=2",
			},
		},
		Labels:  labels,
		HoldOut: []string{"eve"},
	}
}

func hiddenSpeech(t *testing.T) (recordings, labels string) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	return writePhoneSpeech(t, "ann", "eve")
}

// A run that was stopped and resumed is the run that was not, bit for bit.
func TestPhonesResume(t *testing.T) {
	recordings, labels := hiddenSpeech(t)
	whole, part := phoneRun(t, recordings, labels), phoneRun(t, recordings, labels)
	if err := Run(context.Background(), whole); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	told := runtest.Stopper{After: "step 6: on other speakers", Stop: cancel}
	part.Stderr = &told
	if err := Run(ctx, part); !errors.Is(err, run.ErrStopped) {
		t.Fatalf("error %v, want ErrStopped", err)
	}
	folder := run.Folder{Dir: part.RunDir}
	if got := folder.Snapshots().Steps(); !slices.Equal(got, []int{6, 4}) {
		t.Fatalf("snapshots of steps %v after a stop behind step 6", got)
	}
	if err := os.Remove(folder.Snapshots().Path(6)); err != nil { // as a power cut leaves it
		t.Fatal(err)
	}
	if err := Run(context.Background(), Options{Options: run.Options{Names: runtest.Dashed, RunDir: part.RunDir, Resume: true, Device: "go"}}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Options: run.Options{Names: runtest.Dashed, Preset: "hq"}}, "--preset hq: the run began with tiny"},
		{Options{Options: run.Options{Names: runtest.Dashed, Seed: 99}}, "--seed 99: the run began with"},
		{Options{Options: run.Options{Names: runtest.Dashed, Steps: 11}}, "--steps 11: the run has made 12 already"},
	} {
		c.o.RunDir, c.o.Resume, c.o.Device = part.RunDir, true, "go"
		if err := Run(context.Background(), c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
	for _, name := range []string{"snapshots/step-00000012.safetensors", "snapshots/best.safetensors", "../phones.safetensors", "scores.txt"} {
		if read(t, filepath.Join(whole.RunDir, name)) != read(t, filepath.Join(part.RunDir, name)) {
			t.Errorf("%s differs", name)
		}
	}
	a, b := phoneLines(t, whole.RunDir), phoneLines(t, part.RunDir)
	if len(a) != 12+4 || !slices.EqualFunc(a, b, func(x, y run.Record) bool { return x.Step == y.Step && x.Metrics["loss"] == y.Metrics["loss"] }) {
		t.Errorf("metrics\n%v\nand, resumed,\n%v", a, b)
	}
	for name, want := range map[string]string{"losses.png": "PNG", "events.out.tfevents.*": "valid_phone_errors", "scores.txt": "  eve  ", "report.html": "  eve  "} {
		found, err := filepath.Glob(folder.Path(name))
		if err != nil || len(found) == 0 || !strings.Contains(read(t, found[len(found)-1]), want) {
			t.Errorf("%s lacks %q: %v, %v", name, want, found, err)
		}
	}
}

func phoneLines(t *testing.T, dir string) []run.Record {
	t.Helper()
	records, err := run.ReadMetrics(filepath.Join(dir, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// The network is that with the fewest phone errors, or the last if that is asked for.
func TestBestPhones(t *testing.T) {
	recordings, labels := hiddenSpeech(t)
	o := phoneRun(t, recordings, labels)
	if err := Run(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	want := run.Best{}
	for _, m := range phoneLines(t, o.RunDir) {
		if e, ok := m.Metrics["valid_mean_phone_errors"]; ok && (want.Step == 0 || float64(e) <= want.Score) {
			want = run.Best{Step: m.Step + 1, Score: float64(e)}
		}
	}
	kept := run.Folder{Dir: o.RunDir}.Snapshots()
	if _, b, err := kept.LoadBest(); err != nil || b.Step != want.Step {
		t.Errorf("best %+v, %v, want %+v", b, err, want)
	}
	check := func(name string, step int) {
		t.Helper()
		vars, _, err := mlx.ReadSnapshot(kept.Path(step))
		if err != nil {
			t.Fatal(err)
		}
		stem, shape, err := vars.Get(mlx.GroupEMA, "pho.stem.w") // which scaling leaves alone
		if err != nil {
			t.Fatal(err)
		}
		f, err := safetensors.ReadFile(o.Output)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := f.Tensor("pho.stem.w", shape...); err != nil || !slices.Equal(got, stem) {
			t.Errorf("%s: the network is not that of step %d, %v", name, step, err)
		}
	}
	vars, _, err := mlx.ReadSnapshot(kept.Path(4))
	if err != nil {
		t.Fatal(err)
	}
	if err := kept.SaveBest(vars, run.Best{Step: 4, Score: 1e-9}); err != nil { // as if it had got worse afterwards
		t.Fatal(err)
	}
	for _, c := range []struct {
		last bool
		step int
		want string
	}{
		{false, 4, "of step 4 of 12, the best by held-out speech"},
		{true, 12, "of step 12 of 12, the last\n"},
	} {
		var said bytes.Buffer
		if err := Run(context.Background(), Options{Options: run.Options{Names: runtest.Dashed, RunDir: o.RunDir, Resume: true, Last: c.last, Device: "go", Stderr: &said}}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(said.String(), c.want) {
			t.Errorf("%q is not said:\n%s", c.want, said.String())
		}
		check(c.want, c.step)
	}
}

// What goes wrong around a run: no memory for the batch, no room for a snapshot.
func TestPhonesEndure(t *testing.T) {
	recordings, labels := hiddenSpeech(t)
	o := phoneRun(t, recordings, labels)
	o.Refuse = func(graph string, batch int) error {
		if graph == "phone" && batch > 2 {
			return errors.New("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 81604378624 bytes")
		}
		return nil
	}
	folder := run.Folder{Dir: o.RunDir}
	b := &runtest.Blocked{Folder: folder, From: "step 3: on other", Until: "warning: after step 4"}
	o.Stderr = b
	if err := Run(context.Background(), o); err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	for _, want := range []string{"too small for a batch of 4", "going on after step 0 with a batch of 2", "tried again"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not said:\n%s", want, b.String())
		}
	}
	if got := folder.Snapshots().Steps(); !slices.Equal(got, []int{12, 8}) {
		t.Errorf("snapshots %v", got)
	}
	if !strings.Contains(read(t, folder.Path("config.json")), `"batch": 2`) {
		t.Error("config.json has another batch: going on would fail again")
	}

	for name, c := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"no run":         {func(o *Options) { o.RunDir = t.TempDir() }, "holds no run"},
		"another layer":  {func(o *Options) { o.Set = []string{"gan.width=16"} }, "has shape"},
		"others held":    {func(o *Options) { o.HoldOut = []string{"ann"} }, "the run began with eve held out"},
		"of voices":      {func(o *Options) { o.RunDir = otherRun(t, `{"config": {"loss": {}}, "phones": "base"}`) }, "is of `vc train`, not of `vc train phones`"},
		"of the vocoder": {func(o *Options) { o.RunDir = otherRun(t, `{"config": {"net": {}}}`) }, "is of `vc train vocoder`, not"},
	} {
		o := Options{Options: run.Options{Names: runtest.Dashed, RunDir: o.RunDir, Resume: true, Device: "go"}}
		c.change(&o)
		if err := Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

func otherRun(t *testing.T, config string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}
