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
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/device"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/run"
	"github.com/starvc/vc/internal/run/runtest"
)

// A device without memory left, as XLA says it: the batch is halved and the run goes on, from its newest snapshot or from
// the beginning.
func TestHalvedBatch(t *testing.T) {
	dir := speech(t, "ann", "bob")
	exhausted := errors.New("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 81604378624 bytes\nBufferAssignment: ...")
	for _, c := range []struct {
		graph string // that asks for too much
		said  string
	}{
		{"warm-up", "going on after step 0 with a batch of 4"},
		{"generator", "going on after step 3 with a batch of 4"},
	} {
		o := microOptions(t, dir)
		o.Set, o.Last = append(o.Set, "batch=8"), true
		var said bytes.Buffer
		o.Stderr = &said
		o.Refuse = func(graph string, batch int) error {
			if strings.HasPrefix(graph, c.graph) && batch > 4 {
				return exhausted
			}
			return nil
		}
		if err := Run(context.Background(), o); err != nil {
			t.Fatalf("%s: %v\n%s", c.graph, err, said.String())
		}
		if !strings.Contains(said.String(), c.said) || !strings.Contains(said.String(), "too small for a batch of 8") {
			t.Errorf("%s: said\n%s", c.graph, said.String())
		}
		records, err := run.ReadMetrics(filepath.Join(o.RunDir, "metrics.jsonl"))
		steps := 0
		for _, m := range records {
			if _, ok := m.Metrics["ok"]; ok {
				steps++
			}
		}
		if err != nil || steps != 9 {
			t.Errorf("%s: %d lines of steps, %v", c.graph, steps, err)
		}
		var q request
		if err := run.Names(nil).ReadRequest(o.RunDir, "train", &q); err != nil || q.Config.Batch != 4 {
			t.Errorf("%s: config.json has a batch of %d, %v: going on would fail again", c.graph, q.Config.Batch, err)
		}
		if m, err := gan.Load(filepath.Join(o.RunDir, "model.safetensors")); err != nil || m.Trained.Steps != 9 {
			t.Errorf("%s: model %+v, %v", c.graph, m, err)
		}
	}
	o := microOptions(t, dir)
	o.Refuse = func(string, int) error { return exhausted }
	err := Run(context.Background(), o)
	if err == nil || !strings.Contains(err.Error(), "batch of 2") || !strings.Contains(err.Error(), "smaller preset") || !device.OutOfMemory(err) {
		t.Errorf("where no batch fits: %v", err)
	}
}

// A snapshot that cannot be written does not end a run; a later one may succeed. The last one must.
func TestSnapshotsThatCannotBeWritten(t *testing.T) {
	dir := speech(t, "ann", "bob")
	o := microOptions(t, dir)
	folder := run.Folder{Dir: o.RunDir}
	b := &runtest.Blocked{Folder: folder, From: "step 4: held-out", Until: "could not be written"}
	b.Until = "warning: after step 6"
	o.Stderr = b
	if err := Run(context.Background(), o); err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	if got := folder.Snapshots().Steps(); !slices.Equal(got, []int{9, 3}) || !strings.Contains(b.String(), "tried again") {
		t.Errorf("snapshots %v, said\n%s", got, b.String())
	}

	o = microOptions(t, dir)
	folder = run.Folder{Dir: o.RunDir}
	b = &runtest.Blocked{Folder: folder, From: "step 8: held-out"}
	o.Stderr = b
	err := Run(context.Background(), o)
	if err == nil || !strings.Contains(err.Error(), "earlier snapshots are whole") {
		t.Errorf("the last snapshot fails: %v", err)
	}
	b.Restore()
	for _, step := range folder.Snapshots().Steps() {
		if _, _, err := mlx.ReadSnapshot(folder.Snapshots().Path(step)); err != nil {
			t.Error(err)
		}
	}
	if err := Run(context.Background(), Options{Options: run.Options{Names: runtest.Dashed, RunDir: o.RunDir, Resume: true, Device: "go", Quiet: true}}); err != nil {
		t.Errorf("going on after the disk is mended: %v", err)
	}
}

// The best snapshot is elected in the second half of the last phase, and the model is made of it.
func TestBestSnapshot(t *testing.T) {
	o := microOptions(t, speech(t, "ann", "bob"))
	o.Set = append(o.Set, "validEvery=1")
	if err := Run(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	folder := run.Folder{Dir: o.RunDir}
	records, err := run.ReadMetrics(folder.Path("metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	want := run.Best{}
	for _, m := range records {
		if _, ok := m.Metrics["valid_colour"]; !ok || m.Step+1 < 6 {
			continue
		}
		score := float64(m.Metrics["valid_colour"]) + float64(m.Metrics["valid_spread"]) + float64(m.Metrics["valid_cycle"])
		want, _ = want.Elect(m.Step+1, score)
	}
	vars, b, err := folder.Snapshots().LoadBest()
	if err != nil || b.Step != want.Step || vars == nil {
		t.Fatalf("best snapshot %+v, %v, want %+v", b, err, want)
	}
	if vars, _, err = mlx.ReadSnapshot(folder.Snapshots().Path(6)); err != nil {
		t.Fatal(err)
	}
	want.Step = 6 // as if it had got worse afterwards
	if err := folder.Snapshots().SaveBest(vars, want); err != nil {
		t.Fatal(err)
	}
	if err := Run(context.Background(), Options{Options: run.Options{Names: runtest.Dashed, RunDir: o.RunDir, Resume: true, Device: "go", Quiet: true}}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(o.RunDir, "model.safetensors")
	m, err := gan.Load(path)
	if err != nil || m.Trained.Steps != want.Step {
		t.Errorf("the model is of step %d, %v, want %d", m.Trained.Steps, err, want.Step)
	}
	data, _, err := vars.Get(mlx.GroupEMA, "gen.out.w")
	if err != nil || !slices.Equal(data, m.Tensor("gen.out.w")) {
		t.Error("the model's weights are not the best snapshot's")
	}
	if err := Run(context.Background(), Options{Options: run.Options{Names: runtest.Dashed, RunDir: o.RunDir, Resume: true, Device: "go", Quiet: true, Last: true}}); err != nil {
		t.Fatal(err)
	}
	if m, err = gan.Load(path); err != nil || m.Trained.Steps != 9 {
		t.Errorf("with Last the model is of step %d, %v", m.Trained.Steps, err)
	}
	// A best snapshot that is broken costs nothing but itself.
	if err := os.Truncate(folder.Snapshots().BestPath(), 100); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	if err := Run(context.Background(), Options{Options: run.Options{Names: runtest.Dashed, RunDir: o.RunDir, Resume: true, Device: "go", Stderr: &said}}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said.String(), "no longer counts as the best") {
		t.Errorf("nothing is said of a broken best snapshot:\n%s", said.String())
	}
}

func TestWildRecordings(t *testing.T) {
	batch := func(names ...string) *corpus.Batch {
		b := &corpus.Batch{}
		for _, n := range names {
			b.Files = append(b.Files, []string{n, "/x/always.wav"})
			b.X, b.Same, b.Ref, b.Ref2 = append(b.X, 1, 2), append(b.Same, 1), append(b.Ref, 1), append(b.Ref2, 1)
			b.F0, b.LogEnergy = append(b.F0, 100), append(b.LogEnergy, -3)
		}
		return b
	}
	if got := wild(batch("/x/1.wav", "/x/2.wav")); got != "" {
		t.Errorf("sound values are blamed: %q", got)
	}
	bad := batch("/x/good.wav", "/x/bad.wav")
	bad.X[2] = 1e9
	if got := wild(bad); !strings.Contains(got, "bad.wav") || strings.Contains(got, "good.wav") {
		t.Errorf("blames %q", got)
	}
}

func TestCostGrows(t *testing.T) {
	last := cost{}
	for _, preset := range []string{"tiny", "small", "medium", "live", "hq"} {
		c, err := DefaultConfig(preset)
		if err != nil {
			t.Fatal(err)
		}
		k := c.stepCost(4, false, false)
		if !(k.warmUp > last.warmUp && k.star > 2*k.warmUp && k.bytes > last.bytes && k.bytes < 200e9) {
			t.Errorf("%s: %+v after %+v", preset, k, last)
		}
		if preset != "tiny" && c.expected(k, 0, "go") < 5*c.expected(k, 0, "xla-cpu") {
			t.Errorf("%s: %v in pure Go, %v through XLA", preset, c.expected(k, 0, "go"), c.expected(k, 0, "xla-cpu"))
		}
		t.Logf("%s: warm-up %.2g, star %.2g operations, %.2g bytes; XLA %v, Go %v", preset, k.warmUp, k.star, k.bytes, c.expected(k, 0, "xla-cpu"), c.expected(k, 0, "go"))
		last = k
	}
}
