package train

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/run"
	"github.com/starvc/vc/internal/run/runtest"
	"github.com/starvc/vc/internal/untrained/weights"
	"github.com/starvc/vc/vocoder"
)

// A device without memory left, as XLA says it, has the batch halved, and the run goes on from its newest snapshot. It leaves
// everything behind that a run leaves, and the vocoder of its best snapshot, or of the last.
func TestHalvedBatchAndWhatARunLeaves(t *testing.T) {
	o := options(voices(t), filepath.Join(t.TempDir(), "run"))
	exhausted := errors.New("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 81604378624 bytes\nBufferAssignment: ...")
	var said bytes.Buffer
	o.Stderr, o.Quiet, o.Batch, o.Set = &said, false, 3, append(o.Set, "snapshotEvery=4")
	o.Refuse = func(graph string, batch int) error {
		if graph == "vocoder" && batch > 1 { // which needs no other half
			return exhausted
		}
		return nil
	}
	if err := Run(context.Background(), o); err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	for _, want := range []string{"6 steps take about 10 s here if nothing else runs", "memory: about 0.2 GB for a batch of 3\n", "too small for a batch of 3", "going on after step 3 with a batch of 1", "held-out speech", "vocoder: ", "lj"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("%q is not said:\n%s", want, said.String())
		}
	}
	if steps := losses(t, o.RunDir); len(steps) != 6 {
		t.Errorf("%d lines of steps, want 6", len(steps))
	}
	path := func(parts ...string) string { return filepath.Join(append([]string{o.RunDir}, parts...)...) }
	for name, want := range map[string]string{
		"config.json": `"batch": 1`, "lint.txt": "lj", "losses.png": "PNG", "events.out.tfevents.*": "valid_mel",
		"samples/step-00000006/lj-*.wav": "RIFF", "samples/step-00000006/kathleen-*-spectra.png": "PNG",
	} {
		found, err := filepath.Glob(path(name))
		if err != nil || len(found) == 0 {
			t.Errorf("%s is missing, %v", name, err)
			continue
		}
		if b, err := os.ReadFile(found[0]); err != nil || !bytes.Contains(b, []byte(want)) {
			t.Errorf("%s lacks %q, %v", name, want, err)
		}
	}
	page, err := os.ReadFile(path("report.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"data:audio/wav;base64,UklGR", "data:image/png;base64,iVBOR", "the vocoder&#39;s copy", "lj: ", "log-spectrum", `class="best"`, "</html>"} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("report.html lacks %q", want)
		}
	}
	for _, never := range []string{"ZgotmplZ", "unsafe:", "http://", "https://"} {
		if bytes.Contains(page, []byte(never)) {
			t.Errorf("report.html holds %q", never)
		}
	}

	snapshots := run.Snapshots{Dir: path("snapshots")}
	if vars, b, err := snapshots.LoadBest(); err != nil || vars == nil || b.Step != 6 {
		t.Fatalf("best snapshot %+v, %v", b, err)
	}
	vars, _, err := mlx.ReadSnapshot(snapshots.Path(4))
	if err != nil {
		t.Fatal(err)
	}
	if err := snapshots.SaveBest(vars, run.Best{Step: 4, Score: 1e-9}); err != nil { // as if it had got worse afterwards
		t.Fatal(err)
	}
	for _, c := range []struct {
		last bool
		want string
	}{{false, "4"}, {true, "6"}} {
		if err := Run(context.Background(), Options{Options: run.Options{Names: runtest.Dashed, RunDir: o.RunDir, Resume: true, Device: "go", Quiet: true, Last: c.last}}); err != nil {
			t.Fatal(err)
		}
		if net, err := vocoder.Load(path("vocoder.safetensors")); err != nil || net.Trained()["steps"] != c.want {
			t.Errorf("with Last %v the vocoder is of step %v, want %s", c.last, net.Trained(), c.want)
		}
	}
}

// Where no batch fits, the error says what else to do.
func TestNoBatchFits(t *testing.T) {
	o := options(voices(t), filepath.Join(t.TempDir(), "run"))
	o.Refuse = func(string, int) error { return errors.New("RESOURCE_EXHAUSTED: Out of memory") }
	err := Run(context.Background(), o)
	if err == nil || !strings.Contains(err.Error(), "batch of 1") || !strings.Contains(err.Error(), "smaller preset") || !strings.Contains(err.Error(), "cropFrames=") {
		t.Errorf("error %v", err)
	}
}

// A vocoder that makes no speech is at fault.
func TestSuspectVocoder(t *testing.T) {
	c := microConfig(t)
	u := sung(c.Net.Features, 200, 3)
	for i := range u.sound { // a song in which every second fifth of a second is silence
		if i/3200%2 == 1 {
			u.sound[i] = 0
		}
	}
	frames, err := features.Extract(c.Net.Features, u.sound)
	if err != nil {
		t.Fatal(err)
	}
	u.frames = frames.Slice(0, 200)
	learnt := weights.Vocoder(c.Net.Params(), 3)
	for i := range learnt["voc.head.b"] { // all that the head says is to be silent
		learnt["voc.head.b"][i] = -1e9
	}
	net, err := vocoder.NewNet(c.Net, nil, learnt)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sampleOf(net, u)
	if err != nil || s.Fault == "" {
		t.Fatalf("fault %q, %v", s.Fault, err)
	}
	t.Log(s.Fault)
}
