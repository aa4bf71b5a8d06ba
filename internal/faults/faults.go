//go:build unix

package faults

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Fault is what happens in a run.
type Fault struct {
	Call  string // a system call: write, fsync, renameat
	Nth   int    // of a thread, from 1
	Error string // what it is answered with, such as ENOSPC; "" kills the program before the call
}

// String names the fault, for a test: "ENOSPC in write 3".
func (f Fault) String() string {
	if f.Error == "" {
		return fmt.Sprintf("killed in %s %d", f.Call, f.Nth)
	}
	return fmt.Sprintf("%s in %s %d", f.Error, f.Call, f.Nth)
}

// Run is what became of a program.
type Run struct {
	Fault
	Err    error // of the program; nil where it ended with 0
	Killed bool
	Said   string // on standard error
}

// Calls are those by which files come into being.
var calls = []struct {
	name   string
	errors []string
}{
	{"write", []string{"ENOSPC", "EIO"}},
	{"fsync", []string{"EIO"}},
	{"renameat", []string{"EIO"}},
	{"renameat2", []string{"EIO", "EINVAL"}},
	{"mkdirat", []string{"ENOSPC"}},
	{"fchmod", []string{"EPERM"}},
	{"unlinkat", []string{"EIO"}},
}

// Available skips the test where there is no strace, or where it is not allowed to work.
func Available(t *testing.T) {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("there is no strace, which makes disks fail")
	}
	if out, err := exec.Command(strace, "-f", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("strace is not allowed here: %v: %s", err, out)
	}
}

// Sweep runs a program once for each fault that hits it, up to the most-th of a kind. prepare brings the disk into the state before,
// and check looks at it afterwards. Of no fault at all is told first, with a Fault that is zero.
func Sweep(t *testing.T, most int, prepare func() *exec.Cmd, check func(r Run)) {
	t.Helper()
	Available(t)
	run := func(f Fault) (hit bool) {
		r, hit := one(t, f, prepare())
		if hit {
			check(r)
		}
		return hit
	}
	r, _ := one(t, Fault{}, prepare())
	check(r)
	hits := 0
	for _, call := range calls {
		for _, name := range append([]string{""}, call.errors...) {
			for n := 1; n <= most; n++ {
				if !run(Fault{call.name, n, name}) {
					break
				}
				hits++
			}
		}
	}
	if hits == 0 {
		t.Error("no fault hit the program")
	}
	t.Logf("%d faults", hits)
}

// one runs a program under strace. hit says whether the fault came to pass.
func one(t *testing.T, f Fault, cmd *exec.Cmd) (r Run, hit bool) {
	t.Helper()
	var said bytes.Buffer
	cmd.Stderr = &said
	// Few threads, since strace counts for each.
	cmd.Env = append(cmd.Environ(), "GOMAXPROCS=1", "GOGC=off")
	log := ""
	if f != (Fault{}) {
		log = filepath.Join(t.TempDir(), "log")
		how := "error=" + f.Error
		if f.Error == "" {
			how = "signal=SIGKILL"
		}
		args := []string{"strace", "-f", "-qq", "-o", log, "-e", "trace=" + f.Call, "-e", fmt.Sprintf("inject=%s:%s:when=%d", f.Call, how, f.Nth)}
		cmd.Args = append(append(args, cmd.Path), cmd.Args[1:]...)
		path, err := exec.LookPath("strace")
		if err != nil {
			t.Fatal(err)
		}
		cmd.Path = path
	}
	err := cmd.Run()
	r = Run{Fault: f, Err: err, Said: said.String()}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status, ok := exit.Sys().(syscall.WaitStatus)
		r.Killed = ok && status.Signaled()
	} else if err != nil {
		t.Fatalf("%v: %v", f, err)
	}
	text, _ := os.ReadFile(log)
	return r, r.Killed || strings.Contains(string(text), "(INJECTED)")
}
