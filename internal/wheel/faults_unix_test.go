//go:build unix

package wheel

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/starvc/vc/internal/faults"
)

// installInto has this test's program install the wheels of one folder into another instead of testing.
const installInto = "VC_TEST_INSTALL_INTO"

func TestMain(m *testing.M) {
	to := os.Getenv(installInto)
	if to == "" {
		os.Exit(m.Run())
	}
	from := os.Args[1]
	file, err := os.ReadFile(filepath.Join(from, os.Args[2]))
	if err == nil {
		_, err = Install(context.Background(), Options{
			Pins: []Pin{pinOf("a-thing", file)}, To: to, Name: "bundle-1", From: from,
			Check:    func(folder string) error { return wholeInstallation(folder, "new") },
			Progress: func(string, int64, int64) {}, Say: func(string, ...any) {},
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// wholeInstallation checks that both files of an installation are there, with one content.
func wholeInstallation(folder, content string) error {
	for _, name := range []string{"lib/a.so", "lib/b.so"} {
		b, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return err
		}
		if string(b) != content {
			return fmt.Errorf("%s holds %q", name, b)
		}
	}
	return nil
}

// An installation that replaces another, on a disk that fails, or killed anywhere: one of the two is there, whole.
func TestInstallOnFailingDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the program dozens of times")
	}
	faults.Available(t)
	dir := t.TempDir()
	from, to := filepath.Join(dir, "wheels"), filepath.Join(dir, "plugins")
	data := fakeWheel(t, map[string]string{"lib/a.so": "new", "lib/b.so": "new"})
	pin := pinOf("a-thing", data)
	if err := os.MkdirAll(from, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(from, pin.File), data, 0o666); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	installed := filepath.Join(to, "bundle-1")
	faults.Sweep(t, 4, func() *exec.Cmd {
		if err := os.RemoveAll(to); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"lib/a.so", "lib/b.so"} {
			path := filepath.Join(installed, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte("old"), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command(self, from, pin.File)
		cmd.Env = append(os.Environ(), installInto+"="+to)
		return cmd
	}, func(r faults.Run) {
		isNew, isOld := wholeInstallation(installed, "new"), wholeInstallation(installed, "old")
		switch {
		case isNew != nil && isOld != nil:
			t.Errorf("%v: neither the old (%v) nor the new (%v): %s", r.Fault, isOld, isNew, r.Said)
		case r.Err == nil && isNew != nil:
			t.Errorf("%v: it says that it is installed, and it is not: %v", r.Fault, isNew)
		case r.Err != nil && !r.Killed && r.Said == "" && r.Call != "write":
			t.Errorf("%v: an error without a word", r.Fault)
		}
		left, _ := filepath.Glob(filepath.Join(to, unfinished+"*"))
		if len(left) > 0 && !r.Killed && r.Call != "unlinkat" {
			t.Errorf("%v: %q were left", r.Fault, left)
		}
	})
}
