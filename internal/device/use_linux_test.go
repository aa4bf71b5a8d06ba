package device

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestUseLines(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       CardUse
	}{
		{"nothing", "", CardUse{}},
		{"one card", "93, 41234, 305.12\n", CardUse{1, 0.93, 41234 << 20, 305.12}},
		{"two cards, twice", "100, 1000, 300.00\n0, 3000, 100.00\n50, 2000, 200.00\n50, 10, 200.00\n", CardUse{4, 0.5, 3000 << 20, 200}},
		{"cut short", "80, 100, 90.00\n20, 900, 30", CardUse{1, 0.8, 100 << 20, 90}},
		{"no power", "80, 100, [N/A]\n40, 100, [Not Supported]\n", CardUse{2, 0.6, 100 << 20, 0}},
		{"power now and then", "80, 100, [N/A]\n40, 100, 60.5\n", CardUse{2, 0.6, 100 << 20, 60.5}},
		{"no memory", "80, [N/A], 100\n", CardUse{1, 0.8, 0, 100}},
		{"no use, as of a part of a card", "[N/A], 100, 90.00\n[Not Supported], 1, 1\n", CardUse{}},
		{"absurd", "NaN, 100, 90.00\n101, 1, 1\n-1, 1, 1\n1e999, 1, 1\n5, NaN, Inf\n", CardUse{1, 0.05, 0, 0}},
		{"another program", "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n\n,,\n1,2\n1,2,3,4\n", CardUse{}},
		{"a line without end", strings.Repeat("9", 1<<16) + "\n93, 1, 1\n", CardUse{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var u Use
			u.read(strings.NewReader(c.text))
			got := u.Take()
			if math.Abs(got.Busy-c.want.Busy) > 1e-9 {
				t.Errorf("busy %g, want %g", got.Busy, c.want.Busy)
			}
			got.Busy = c.want.Busy
			if got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			if again := u.Take(); again != (CardUse{}) {
				t.Errorf("taken again: %+v", again)
			}
		})
	}
}

func TestCardNames(t *testing.T) {
	for _, c := range []struct {
		card, cards int
		visible     string
		want        []string
	}{
		{0, 0, "", []string{"0"}},
		{2, 1, "", []string{"2"}},
		{1, 3, "", []string{"1", "2", "3"}},
		{0, 2, "3,1", []string{"3", "1"}},
		{1, 1, "GPU-aa, GPU-bb", []string{"GPU-bb"}},
		{1, 2, "3,1", nil},
	} {
		if got := (Device{Card: c.card, Cards: c.cards}).cardNames(c.visible); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// fakeSMI puts a program called nvidia-smi in front of all others. It writes down its arguments and its number, and then does as
// the shell's script says.
func fakeSMI(t *testing.T, script string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	text := "#!/bin/sh\necho \"$@\" > " + dir + "/args\necho $$ > " + dir + "/pid.tmp\nmv " + dir + "/pid.tmp " + dir + "/pid\n" + script + "\n"
	if err := os.WriteFile(filepath.Join(dir, "nvidia-smi"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("CUDA_VISIBLE_DEVICES", "")
	return dir
}

// within waits for something to come true.
func within(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// fakeRuns tells whether the program that wrote its number into dir is there still; a dead one that nobody waited for is not.
func fakeRuns(dir string) bool {
	text, _ := os.ReadFile(filepath.Join(dir, "pid"))
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func TestWatchUse(t *testing.T) {
	before := runtime.NumGoroutine()
	dir := fakeSMI(t, "echo '90, 1000, 300.00'; echo '70, 2000, 100.00'; echo '[N/A], 1, 1'; printf '10, 9'; exec sleep 60")
	u := WatchUse(Device{Kind: "cuda", Card: 1, Cards: 2})
	sum := CardUse{}
	within(t, 20*time.Second, "two samples", func() bool {
		got := u.Take()
		sum.Samples += got.Samples
		sum.Busy += got.Busy * float64(got.Samples)
		sum.Memory = max(sum.Memory, got.Memory)
		return sum.Samples == 2
	})
	if math.Abs(sum.Busy-1.6) > 1e-9 || sum.Memory != 2000<<20 {
		t.Errorf("%+v", sum)
	}
	args, _ := os.ReadFile(filepath.Join(dir, "args"))
	for _, want := range []string{"--query-gpu=utilization.gpu,memory.used,power.draw", "csv,noheader,nounits", "-l 1", "-i 1,2"} {
		if !strings.Contains(string(args), want) {
			t.Errorf("called with %q, which lacks %q", args, want)
		}
	}
	if !fakeRuns(dir) {
		t.Error("ended by itself")
	}
	began := time.Now()
	u.Close()
	if took := time.Since(began); took > 2*time.Second || fakeRuns(dir) {
		t.Errorf("after Close, which took %v, it runs: %v", took, fakeRuns(dir))
	}
	u.Close()
	if got := u.Take(); got != (CardUse{}) {
		t.Errorf("after Close: %+v", got)
	}
	within(t, 5*time.Second, "no goroutine stays", func() bool { return runtime.NumGoroutine() <= before })
}

// One that dies, hangs with a child of its own, or shouts without end leaves neither a process nor a goroutine.
func TestWatchUseOfOddPrograms(t *testing.T) {
	for name, script := range map[string]string{
		"dies":            "echo '50, 1, 1'; exit 3",
		"closes and runs": "exec sleep 60 >&-",
		"has a child":     "sleep 9; echo '50, 1, 1'",
		"no end of line":  "while :; do printf 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'; done",
	} {
		t.Run(name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			dir := fakeSMI(t, script)
			u := WatchUse(Device{Kind: "cuda"})
			within(t, 20*time.Second, "it starts", func() bool { return exists(filepath.Join(dir, "pid")) })
			if name != "has a child" {
				within(t, 20*time.Second, "it ends", func() bool { return !fakeRuns(dir) })
			}
			began := time.Now()
			u.Close()
			if took := time.Since(began); took > 2*time.Second || fakeRuns(dir) {
				t.Errorf("after Close, which took %v, it runs: %v", took, fakeRuns(dir))
			}
			within(t, 5*time.Second, "no goroutine stays", func() bool { return runtime.NumGoroutine() <= before })
		})
	}
	t.Run("none", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		before := runtime.NumGoroutine()
		u := WatchUse(Device{Kind: "cuda"})
		if got := u.Take(); got != (CardUse{}) {
			t.Errorf("%+v", got)
		}
		u.Close()
		within(t, 5*time.Second, "no goroutine stays", func() bool { return runtime.NumGoroutine() <= before })
	})
	t.Run("a CPU", func(t *testing.T) {
		dir := fakeSMI(t, "echo '50, 1, 1'")
		u := WatchUse(Device{Kind: "xla-cpu"})
		u.Close()
		if exists(filepath.Join(dir, "pid")) {
			t.Error("nvidia-smi was called")
		}
	})
}

const watcherEnv = "VC_TEST_WATCHER"

// TestWatcher is not a test of its own: TestWatchUseDiesWithItsParent runs it in a process to kill.
func TestWatcher(t *testing.T) {
	if os.Getenv(watcherEnv) == "" {
		t.Skip("runs only as a child of TestWatchUseDiesWithItsParent")
	}
	u := WatchUse(Device{Kind: "cuda"})
	defer u.Close()
	time.Sleep(time.Minute)
}

func TestWatchUseDiesWithItsParent(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Skip(err)
	}
	dir := fakeSMI(t, "exec sleep 60") // never writes, so that no closed pipe ends it
	parent := exec.Command(exe, "-test.run=^TestWatcher$")
	parent.Env = append(os.Environ(), watcherEnv+"=1")
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	within(t, 20*time.Second, "it starts", func() bool { return fakeRuns(dir) })
	time.Sleep(300 * time.Millisecond)
	if !fakeRuns(dir) {
		t.Error("it died before its parent")
	}
	parent.Process.Kill() // SIGKILL
	parent.Wait()
	within(t, 5*time.Second, "it dies with its parent", func() bool { return !fakeRuns(dir) })
}
