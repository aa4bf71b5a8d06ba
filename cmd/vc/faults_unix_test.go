//go:build unix

package main

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/atomicfile"
	"github.com/starvc/vc/internal/faults"
	"github.com/starvc/vc/internal/untrained"
)

// faultFolder holds a model and recordings.
func faultFolder(t *testing.T) (dir, vc string) {
	t.Helper()
	faults.Available(t)
	dir = t.TempDir()
	if err := untrained.Model(gan.Tiny(), 3, 1).Save(filepath.Join(dir, "m.safetensors"), gan.Full); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		if err := os.MkdirAll(filepath.Join(dir, "in"), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := audio.WriteFile(filepath.Join(dir, "in", name+".wav"), audio.Clip{Samples: buzz(16000, 0.4), Rate: 16000}); err != nil {
			t.Fatal(err)
		}
	}
	return dir, commandOf(t)
}

// wholeOrOld checks what stands under a name after a run: what was there before or what a run without faults makes, and that the program's
// word for it is true.
func wholeOrOld(t *testing.T, r faults.Run, path string, before, after []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil && !(before == nil && os.IsNotExist(err)) {
		t.Errorf("%v: %v: %s", r.Fault, err, r.Said)
	}
	isNew := bytes.Equal(got, after) || err == nil && sameLength(path, after)
	switch {
	case !isNew && !bytes.Equal(got, before):
		t.Errorf("%v: %s holds neither the old nor the new, but %d bytes: %s", r.Fault, path, len(got), r.Said)
	case r.Err == nil && !isNew:
		t.Errorf("%v: %s is not there, and it was said to be: %s", r.Fault, path, r.Said)
	case r.Err != nil && !r.Killed && r.Said == "" && r.Call != "write": // whose victim may be the message
		t.Errorf("%v: an error without a word", r.Fault)
	}
}

// sameLength tells of a format whose files have a number drawn by chance, such as Ogg, whether one is as long as another in bytes and
// decodes without a warning.
func sameLength(path string, other []byte) bool {
	if ending := audio.Ending(path); ending == ".wav" || ending == ".flac" || ending == ".safetensors" {
		return false
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() != int64(len(other)) {
		return false
	}
	clip, err := audio.ReadFile(path)
	return err == nil && clip.Warnings == nil
}

// noLeftovers checks that temporary files lie about only after the program was killed, or could not remove them.
func noLeftovers(t *testing.T, r faults.Run, dir string) {
	t.Helper()
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if ok, _ := filepath.Match(atomicfile.Leftovers, filepath.Base(path)); ok && !r.Killed && r.Call != "unlinkat" {
			t.Errorf("%v: %s was left", r.Fault, path)
		}
		return nil
	})
}

// removeLeftovers removes what runs that were killed have left.
func removeLeftovers(t *testing.T, dir string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(dir, atomicfile.Leftovers))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range left {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestConvertOnFailingDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the program dozens of times")
	}
	for _, ending := range []string{".wav", ".flac", ".mp3", ".m4a", ".ogg"} {
		if audio.CheckOutput("x"+ending, "") != nil {
			continue // for want of an ffmpeg
		}
		t.Run(ending, func(t *testing.T) { convertOnFailingDisk(t, ending) })
	}
}

func convertOnFailingDisk(t *testing.T, ending string) {
	dir, vc := faultFolder(t)
	out := filepath.Join(dir, "out")
	result := filepath.Join(out, "a-spk1"+ending)
	old := []byte("what was there before")
	var after []byte
	faults.Sweep(t, 3, func() *exec.Cmd {
		if err := os.RemoveAll(out); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(out, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(result, old, 0o666); err != nil {
			t.Fatal(err)
		}
		return exec.Command(vc, "convert", filepath.Join(dir, "in", "a.wav"), "--model", filepath.Join(dir, "m.safetensors"), "--to", "spk1", "-o", result)
	}, func(r faults.Run) {
		if r.Call == "" {
			if after, _ = os.ReadFile(result); r.Err != nil || len(after) < 1000 {
				t.Fatalf("without a fault: %v: %s", r.Err, r.Said)
			}
			return
		}
		wholeOrOld(t, r, result, old, after)
		noLeftovers(t, r, dir)
	})
}

func TestFolderOnFailingDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the program dozens of times")
	}
	dir, vc := faultFolder(t)
	out := filepath.Join(dir, "out")
	command := func() *exec.Cmd {
		return exec.Command(vc, "convert", filepath.Join(dir, "in"), "--model", filepath.Join(dir, "m.safetensors"), "--to", "spk1", "--out-dir", out, "--resume")
	}
	after := map[string][]byte{}
	faults.Sweep(t, 3, func() *exec.Cmd {
		if err := os.RemoveAll(out); err != nil {
			t.Fatal(err)
		}
		return command()
	}, func(r faults.Run) {
		names := []string{"a-spk1.wav", "b-spk1.wav"}
		if r.Call == "" {
			for _, name := range names {
				if after[name], _ = os.ReadFile(filepath.Join(out, name)); r.Err != nil || len(after[name]) < 1000 {
					t.Fatalf("without a fault: %v: %s", r.Err, r.Said)
				}
			}
			return
		}
		for _, name := range names {
			wholeOrOld(t, r, filepath.Join(out, name), nil, after[name])
		}
		noLeftovers(t, r, dir)
		// The same command on a sound disk makes what is missing.
		if said, err := command().CombinedOutput(); err != nil {
			t.Errorf("%v, and again: %v: %s", r.Fault, err, said)
		}
		for _, name := range names {
			wholeOrOld(t, faults.Run{Fault: r.Fault}, filepath.Join(out, name), after[name], after[name])
		}
	})
}

func TestPackOnFailingDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the program dozens of times")
	}
	dir, vc := faultFolder(t)
	model := filepath.Join(dir, "m.safetensors")
	old, err := os.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	var after []byte
	faults.Sweep(t, 3, func() *exec.Cmd {
		removeLeftovers(t, dir)
		if err := os.WriteFile(model, old, 0o666); err != nil {
			t.Fatal(err)
		}
		return exec.Command(vc, "pack", model, "--float16", "--vocoder", "none", "-o", model) // over itself
	}, func(r faults.Run) {
		if r.Call == "" {
			if after, _ = os.ReadFile(model); r.Err != nil || bytes.Equal(after, old) {
				t.Fatalf("without a fault: %v: %s", r.Err, r.Said)
			}
			return
		}
		wholeOrOld(t, r, model, old, after)
		noLeftovers(t, r, dir)
	})
}

// A disk that is full in the middle of a file takes a part of it and refuses the rest; the bound on a file's length does the same.
func TestConvertOnFullDisk(t *testing.T) {
	dir, vc := faultFolder(t)
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no shell, whose ulimit fills the disk")
	}
	result := filepath.Join(dir, "r.wav")
	cmd := exec.Command(sh, "-c", `trap '' XFSZ; ulimit -f 8; exec "$@"`, "sh", vc, "convert", filepath.Join(dir, "in", "a.wav"), "--model", filepath.Join(dir, "m.safetensors"), "--to", "spk1", "-o", result)
	said, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(said), "r.wav: file too large") {
		t.Errorf("error %v: %s", err, said)
	}
	if _, err := os.Stat(result); err == nil {
		t.Error("a part of the result is there")
	}
	noLeftovers(t, faults.Run{}, dir)
}
