package atomicfile

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

var errFull = errors.New("no space left on device")

// onlyFile fails when there is anything beside path in its folder.
func onlyFile(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != filepath.Base(path) {
		t.Errorf("left behind: %v", entries)
	}
}

func TestWriteFailure(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(path, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := Write(path, func(w io.Writer) error {
		w.Write(make([]byte, 1<<20))
		return errFull
	})
	if !errors.Is(err, errFull) || !strings.HasPrefix(err.Error(), path+": ") {
		t.Errorf("error %v, want the writer's behind the path", err)
	}
	func() {
		defer func() { recover() }()
		Write(path, func(io.Writer) error { panic("our own bug") })
	}()
	if b, _ := os.ReadFile(path); string(b) != "before" {
		t.Errorf("the file now holds %q", b)
	}
	onlyFile(t, path)
}

func TestWriteTargets(t *testing.T) {
	dir := t.TempDir()
	hello := func(w io.Writer) error { _, err := io.WriteString(w, "hello"); return err }
	if err := Write(dir, hello); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("folder: error %v", err)
	}
	missing := filepath.Join(dir, "no", "such", "folder.wav")
	if err := Write(missing, hello); err == nil || !strings.Contains(err.Error(), "cannot write into its folder") {
		t.Errorf("no folder: error %v", err)
	}
	long := filepath.Join(dir, strings.Repeat("x", 250)+".wav")
	if err := Write(long, hello); err != nil {
		t.Errorf("a name as long as can be: %v", err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	old := filepath.Join(dir, "old")
	link := filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(old, nil, 0o640), os.Chmod(old, 0o666), os.Symlink("old", link)); err != nil {
		t.Fatal(err)
	}
	if err := Write(link, hello); err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(old)
	info, err := os.Lstat(link)
	if err != nil || string(b) != "hello" || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("through a link: %q, link %v, error %v", b, info.Mode(), err)
	}
	if info, _ := os.Stat(old); info.Mode().Perm() != 0o666 {
		t.Errorf("permissions became %v", info.Mode())
	}
	if err := Write(os.DevNull, hello); err != nil {
		t.Errorf("%s: %v", os.DevNull, err)
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Fatalf("%s was replaced", os.DevNull)
	}
}

// TestWriteMode: a new file and a replaced one have the mode, and what fails leaves the old one.
func TestWriteMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes mean little there")
	}
	path := filepath.Join(t.TempDir(), "secret")
	for _, text := range []string{"new", "replaced", "replaced by what fails"} {
		fails := strings.HasSuffix(text, "fails")
		err := WriteMode(path, 0o600, func(w io.Writer) error {
			if _, err := io.WriteString(w, text); err != nil || !fails {
				return err
			}
			return errors.New("disk full")
		})
		if (err != nil) != fails {
			t.Fatalf("%s: %v", text, err)
		}
		want := text
		if fails {
			want = "replaced"
		}
		b, _ := os.ReadFile(path)
		if info, err := os.Stat(path); err != nil || string(b) != want || !fails && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %q, %v, %v", text, b, info, err)
		}
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 1 {
		t.Errorf("left behind: %v", files)
	}
	if err := WriteMode(os.DevNull, 0o600, func(w io.Writer) error { return nil }); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().Perm() == 0o600 {
		t.Errorf("%s: %v, %v", os.DevNull, info.Mode(), err)
	}
}

// TestWriteIn by several at once: each succeeds, the file is whole, and nothing lies beside it.
func TestWriteIn(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			text := bytes.Repeat([]byte{'a' + byte(i)}, 1000)
			for range 10 {
				if err := WriteIn(root, "x.json", text, 0o600); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	text, err := os.ReadFile(filepath.Join(dir, "x.json"))
	if err != nil || len(text) != 1000 || !bytes.Equal(text, bytes.Repeat(text[:1], 1000)) {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	onlyFile(t, filepath.Join(dir, "x.json"))
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"folder", "none/x.json", "../x.json"} {
		if err := WriteIn(root, name, nil, 0o600); err == nil || !strings.HasPrefix(err.Error(), name+": ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, Leftovers)); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
