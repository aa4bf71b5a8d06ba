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

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/run"
	"github.com/starvc/vc/internal/run/runtest"
)

// What cannot work is refused before hours of work, in words that name the way out, and nothing is lost.
func TestRunRefuses(t *testing.T) {
	dir := speech(t, "ann", "bob")
	alone := filepath.Join(t.TempDir(), "alone")
	addSpeech(t, alone, "ann")
	scratch := t.TempDir()
	file := filepath.Join(scratch, "file")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	used := filepath.Join(scratch, "used")
	if err := os.MkdirAll(used, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(used, "thesis.txt"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(o *Options)
		want   string
	}{
		{"one speaker", func(o *Options) { o.Speakers = alone }, "two or more"},
		{"no folder", func(o *Options) { o.Speakers = filepath.Join(scratch, "none") }, "none"},
		{"run folder in use", func(o *Options) { o.RunDir = used }, "--resume"},
		{"run folder is a file", func(o *Options) { o.RunDir = file }, "run folder"},
		{"output below a file", func(o *Options) { o.Output = filepath.Join(file, "m.safetensors") }, "-o"},
		{"output is a folder", func(o *Options) { o.Output = used }, "-o"},
		{"preset", func(o *Options) { o.Preset = "huge" }, `"huge"`},
		{"setting", func(o *Options) { o.Set = append(o.Set, "cycle=3") }, "cycle"},
		{"voices added to nothing", func(o *Options) { o.Set = append(o.Set, "addVoice.on=true") }, "--init"},
		{"setting out of range", func(o *Options) { o.Set = append(o.Set, "batch=3") }, "batch"},
		{"configuration file", func(o *Options) { o.ConfigFile = file }, "config file"},
		{"device", func(o *Options) { o.Device = "abacus" }, "abacus"},
		{"model to start from", func(o *Options) { o.Init = file }, "--init"},
		{"phone network", func(o *Options) { o.Phones = file }, "--phones"},
		{"nothing to go on with", func(o *Options) { o.RunDir, o.Resume = used, true }, "holds no run"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := microOptions(t, dir)
			c.change(&o)
			err := Run(context.Background(), o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if _, err := os.Stat(o.RunDir); err == nil && o.RunDir != used && o.RunDir != file {
				t.Errorf("it left %v behind, so that the name cannot be used again", files(t, o.RunDir))
			}
		})
	}
	if read(t, file) != "mine" || read(t, filepath.Join(used, "thesis.txt")) != "mine" || len(files(t, scratch)) != 2 {
		t.Errorf("the user's files are no longer what they were: %v", files(t, scratch))
	}
}

// A run goes on with what it began with; other networks or speakers do not fit its snapshots.
func TestResumeRefusesAnotherRun(t *testing.T) {
	dir := speech(t, "ann", "bob")
	o := microOptions(t, dir)
	o.Set = append(o.Set, "steps=3")
	if err := Run(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	before := map[string]string{}
	for _, name := range []string{"model.safetensors", "snapshots/step-00000003.safetensors", "metrics.jsonl"} {
		before[name] = read(t, filepath.Join(o.RunDir, name))
	}
	more := filepath.Join(t.TempDir(), "more")
	addSpeech(t, more, "ann", "bob", "eve")
	for _, c := range []struct {
		name   string
		change func(o *Options)
		want   string
	}{
		{"wider networks", func(o *Options) { o.Set = []string{"gan.width=10"} }, "have changed"},
		{"more blocks", func(o *Options) { o.Set = []string{"gan.decoderBlocks=2"} }, "have changed"},
		{"one speaker more", func(o *Options) { o.Speakers = more }, "have changed"},
		{"output cannot be written", func(o *Options) { o.Output = filepath.Join(o.RunDir, "config.json", "m") }, "-o"},
	} {
		t.Run(c.name, func(t *testing.T) {
			again := Options{Options: run.Options{Names: runtest.Dashed, RunDir: o.RunDir, Resume: true, Device: "go", Steps: 5}}
			c.change(&again)
			config := read(t, filepath.Join(o.RunDir, "config.json"))
			if err := Run(context.Background(), again); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			for name, was := range before {
				if read(t, filepath.Join(o.RunDir, name)) != was {
					t.Errorf("%s is no longer what it was", name)
				}
			}
			if read(t, filepath.Join(o.RunDir, "config.json")) != config {
				t.Error("a refused run changed config.json, so that going on as before no longer works")
			}
		})
	}
	if err := Run(context.Background(), Options{Options: run.Options{Names: runtest.Dashed, RunDir: o.RunDir, Resume: true, Device: "go", Steps: 4}}); err != nil {
		t.Errorf("the run cannot go on after refusals: %v", err)
	}
}

// Starting from a model keeps its voices and adds a new one.
func TestInitAddsASpeaker(t *testing.T) {
	dir := speech(t, "ann", "bob")
	o := microOptions(t, dir)
	if err := Run(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	addSpeech(t, dir, "eve")
	first := filepath.Join(o.RunDir, "model.safetensors")
	next := Options{
		Options: run.Options{
			Names:    runtest.Dashed,
			Speakers: dir,
			Preset:   "tiny",
			Device:   "go",
			RunDir:   filepath.Join(t.TempDir(), "run"),
			Set:      []string{"steps=2", "batch=4", "cropFrames=12", "styleFrames=10", "warmUpShare=0", "rampSteps=0", "learningRate=0", "validEvery=0"},
		},
		Init: first,
	}
	var said bytes.Buffer
	next.Stderr = &said
	if err := Run(context.Background(), next); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said.String(), "new: eve; the ") {
		t.Errorf("nothing is said of the new voice:\n%s", said.String())
	}
	old, err := gan.Load(first)
	if err != nil {
		t.Fatal(err)
	}
	m, err := gan.Load(filepath.Join(next.RunDir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Speakers) != 3 || m.Speakers[2].Name != "eve" || m.Config.Width != 8 {
		t.Fatalf("model of %+v", m.Speakers)
	}
	// With a learning rate of 0 the networks stay the first model's.
	for _, name := range []string{"gen.out.w", "gen.enc.0.up.w", "sty.common.w"} {
		near(t, name, m.Tensor(name), old.Tensor(name))
	}
	near(t, "ann's and bob's heads", m.Tensor("map.head.w")[:len(old.Tensor("map.head.w"))], old.Tensor("map.head.w"))
	near(t, "ann's style", m.Style(0), old.Style(0))

	for name, change := range map[string]func(o *Options){
		"features": func(o *Options) { o.Set = append(slices.Clone(o.Set), "features.melMean=-3") },
		"networks": func(o *Options) { o.Set = append(slices.Clone(o.Set), "gan.width=9") },
	} {
		other := next
		other.RunDir = filepath.Join(t.TempDir(), "run")
		change(&other)
		if err := Run(context.Background(), other); err == nil || !strings.Contains(err.Error(), "--init") {
			t.Errorf("other %s: error %v, want one that names --init", name, err)
		}
	}
}

// A rate that drives the numbers out of range must not go on for hours, and must leave the last sound state.
func TestRunStopsWhenNothingIsFinite(t *testing.T) {
	dir := speech(t, "ann", "bob")
	o := microOptions(t, dir)
	// Two sound steps of warm-up, then a star whose loss is out of range at once.
	o.Set = append(o.Set, "steps=200", "warmUpShare=0.01", "learningRate=1", "loss.r1=1e38", "snapshotEvery=2", "logEvery=1", "validEvery=0")
	var said bytes.Buffer
	o.Stderr = &said
	err := Run(context.Background(), o)
	if err == nil || !strings.Contains(err.Error(), "10 steps in a row") || !strings.Contains(err.Error(), "learningRate=0.5") {
		t.Fatalf("error %v, want one that counts 10 steps and offers a lower rate", err)
	}
	if errors.Is(err, run.ErrStopped) {
		t.Error("it is called stopped")
	}
	if n := strings.Count(said.String(), "was skipped"); n != run.MaxSkipped {
		t.Errorf("%d warnings of skipped steps, want %d", n, run.MaxSkipped)
	}
	records, err := run.ReadMetrics(filepath.Join(o.RunDir, "metrics.jsonl"))
	if err != nil || len(records) != 2+run.MaxSkipped {
		t.Errorf("%d lines of metrics, %v, want %d", len(records), err, 2+run.MaxSkipped)
	}
	vars, step, err := run.Folder{Dir: o.RunDir}.Snapshots().Load(func(format string, a ...any) { t.Errorf(format, a...) })
	if err != nil || vars == nil || step < 2 {
		t.Fatalf("snapshot of step %d, %v", step, err)
	}
	for name, v := range variables(t, vars) {
		for _, x := range v {
			if x-x != 0 {
				t.Fatalf("%s holds %g", name, x)
			}
		}
	}
}

// A cancelled context during the reading of the recordings leaves no run behind.
func TestCancelledBeforeTheFirstStep(t *testing.T) {
	o := microOptions(t, speech(t, "ann", "bob"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
	if _, err := os.Stat(o.RunDir); err == nil {
		t.Error("it left a run folder")
	}
}

// An output in a folder that is not there yet must not cost the user the training.
func TestOutputInNewFolder(t *testing.T) {
	o := microOptions(t, speech(t, "ann", "bob"))
	o.Set = append(o.Set, "steps=1", "validEvery=0")
	o.Output = filepath.Join(t.TempDir(), "new", "folder", "m.safetensors")
	if err := Run(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	if _, err := gan.Load(o.Output); err != nil {
		t.Error(err)
	}
}

// Recordings are held out as the setting says, and 0 says none.
func TestNothingHeldOut(t *testing.T) {
	o := microOptions(t, speech(t, "ann", "bob"))
	o.Set = append(o.Set, "steps=1", "validFraction=0", "validEvery=1")
	if err := Run(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	if text := read(t, filepath.Join(o.RunDir, "metrics.jsonl")); strings.Contains(text, "valid_") {
		t.Errorf("validated on nothing:\n%s", text)
	}
}

// Where every snapshot is broken, starting again would write over what may be rescued.
func TestResumeWithBrokenSnapshotsAlone(t *testing.T) {
	o := microOptions(t, speech(t, "ann", "bob"))
	o.Set = append(o.Set, "steps=4")
	if err := Run(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	folder := run.Folder{Dir: o.RunDir}
	for _, step := range folder.Snapshots().Steps() {
		if err := os.Truncate(folder.Snapshots().Path(step), 1000); err != nil {
			t.Fatal(err)
		}
	}
	before := read(t, folder.Path("metrics.jsonl"))
	err := Run(context.Background(), Options{Options: run.Options{Names: runtest.Dashed, RunDir: o.RunDir, Resume: true, Device: "go", Quiet: true}})
	if err == nil || !strings.Contains(err.Error(), "none of its 3 snapshots") || !strings.Contains(err.Error(), "begin a new run") {
		t.Errorf("error %v, want one that counts the snapshots and names a way out", err)
	}
	if read(t, folder.Path("metrics.jsonl")) != before {
		t.Error("the metrics were written over")
	}
}

// In the warm-up another rate counts.
func TestWarmUpNamesItsRate(t *testing.T) {
	o := microOptions(t, speech(t, "ann", "bob"))
	o.Set = append(o.Set, "steps=100", "warmUpShare=1", "warmUpRate=0.5", "loss.identity=1e38", "validEvery=0")
	if err := Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), "--set warmUpRate=0.25") {
		t.Errorf("error %v, want one that offers a lower warmUpRate", err)
	}
}

// Options without a place to report to must not fail either.
func TestRunWithoutStderr(t *testing.T) {
	o := microOptions(t, speech(t, "ann", "bob"))
	o.Set = append(o.Set, "steps=1", "validEvery=0")
	o.Stderr = nil
	if err := Run(context.Background(), o); err != nil {
		t.Fatal(err)
	}
}
