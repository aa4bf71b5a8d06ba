package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestMapping: it is whole or not there, nobody else can read it, and without a seed none is overwritten.
func TestMapping(t *testing.T) {
	dir := t.TempDir()
	voices := map[string]chosenVoice{"ann": {origin: "random 7"}, "bob": {origin: "mix a=1"}}
	write := func(path, seed string) error {
		return anonymousOptions{mapping: path, seed: seed}.writeMapping([]string{"ann", "bob"}, voices)
	}
	const want = "ann\trandom 7\nbob\tmix a=1\n"
	path := filepath.Join(dir, "mapping.tsv")
	look := func(when string) {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil || string(text) != want {
			t.Fatalf("%s: %q, %v", when, text, err)
		}
		if info, _ := os.Stat(path); runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v", when, info.Mode())
		}
	}
	if err := write(path, ""); err != nil {
		t.Fatal(err)
	}
	look("new")
	if err := write(path, ""); err == nil || !strings.Contains(err.Error(), "name another file") {
		t.Errorf("once more without a seed: %v", err)
	}
	look("refused")
	if err := os.WriteFile(path, []byte("an older and longer mapping, which others can read"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := write(path, "7"); err != nil {
		t.Fatal(err)
	}
	look("replaced")
	for _, seed := range []string{"", "7"} {
		if err := write(filepath.Join(dir, "none", "mapping.tsv"), seed); err == nil || !strings.Contains(err.Error(), "--mapping: ") {
			t.Errorf("no folder, seed %q: %v", seed, err)
		}
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("left behind: %v", files)
	}
}
