package train

import (
	"context"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/run"
	"github.com/starvc/vc/internal/run/runtest"
)

// childEnv holds the speakers and the run folder for the process that is killed.
const childEnv = "VC_TEST_KILLED_RUN"

// killedOptions is a run that saves all the time.
func killedOptions(t *testing.T, speakers, run string) Options {
	o := microOptions(t, speakers)
	o.RunDir, o.Quiet = run, true
	o.Set = append(o.Set, "steps=100000", "snapshotEvery=1", "keepSnapshots=2", "logEvery=3", "validEvery=0")
	return o
}

// TestKilledChild is not a test of its own: TestKilledRunLeavesWholeSnapshots runs it in a process to kill.
func TestKilledChild(t *testing.T) {
	where, ok := os.LookupEnv(childEnv)
	if !ok {
		t.Skip("runs only as a child of TestKilledRunLeavesWholeSnapshots")
	}
	speakers, run, _ := strings.Cut(where, string(os.PathListSeparator))
	t.Fatal("the run came to an end: ", Run(context.Background(), killedOptions(t, speakers, run)))
}

func TestKilledRunLeavesWholeSnapshots(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Skip(err)
	}
	speakers := speech(t, "ann", "bob") // sets the child's cache too
	for round := range 3 {
		folder := run.Folder{Dir: filepath.Join(t.TempDir(), "run")}
		child := exec.Command(exe, "-test.run=^TestKilledChild$")
		child.Env = append(os.Environ(), childEnv+"="+speakers+string(os.PathListSeparator)+folder.Dir)
		child.Stdout, child.Stderr = io.Discard, io.Discard
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		kill := func() {
			child.Process.Kill() // SIGKILL
			child.Wait()
		}
		deadline := time.Now().Add(60 * time.Second)
		for len(folder.Snapshots().Steps()) == 0 {
			if time.Now().After(deadline) {
				kill()
				t.Fatal("no snapshot within a minute")
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(rand.Int64N(int64(300 * time.Millisecond))))
		kill()

		for _, step := range folder.Snapshots().Steps() { // not only the newest
			if _, _, err := mlx.ReadSnapshot(folder.Snapshots().Path(step)); err != nil {
				t.Errorf("round %d: %v", round, err)
			}
		}
		vars, step, err := folder.Snapshots().Load(func(format string, a ...any) { t.Errorf(format, a...) })
		if err != nil || vars == nil || step == 0 {
			t.Fatalf("round %d: snapshot of step %d, %v", round, step, err)
		}
		// Every step before the snapshot has its line, and the run goes on from there.
		records, err := run.ReadMetrics(folder.Path("metrics.jsonl"))
		if err != nil || len(records) < step {
			t.Errorf("round %d: %d lines of metrics (%v) and a snapshot after step %d", round, len(records), err, step)
		}
		again := Options{Options: run.Options{Names: runtest.Dashed, RunDir: folder.Dir, Resume: true, Device: "go", Quiet: true, Steps: step + 1}}
		if err := Run(context.Background(), again); err != nil {
			t.Errorf("round %d: going on after step %d: %v", round, step, err)
		}
		records, err = run.ReadMetrics(folder.Path("metrics.jsonl"))
		if err != nil || len(records) != step+1 || records[step].Step != step {
			t.Errorf("round %d: %d lines of metrics after %d steps (%v)", round, len(records), step+1, err)
		}
	}
}
