//go:build unix

package main

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
	"time"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/untrained"
)

// Two workers on each of two shards are killed without warning, and interrupted, and started again: in the end every recording has a whole
// result. What is interrupted finishes what it has begun and says how to go on.
func TestBatchKilledAndResumed(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the program a dozen times")
	}
	dir := t.TempDir()
	in, out, model := filepath.Join(dir, "in"), filepath.Join(dir, "out"), filepath.Join(dir, "m.safetensors")
	if err := untrained.Model(gan.Tiny(), 3, 1).Save(model, gan.Full); err != nil {
		t.Fatal(err)
	}
	const files = 40
	if err := os.Mkdir(in, 0o777); err != nil {
		t.Fatal(err)
	}
	for i := range files {
		clip := audio.Clip{Samples: buzz(16000, 1+float64(i)/100), Rate: 16000}
		if err := audio.WriteFile(filepath.Join(in, fmt.Sprintf("%02d.wav", i)), clip); err != nil {
			t.Fatal(err)
		}
	}
	vc := commandOf(t)
	start := func(args ...string) (*exec.Cmd, *bytes.Buffer) {
		cmd := exec.Command(vc, append([]string{"batch", in, "--model", model, "--random-voices", "7", "--out-dir", out, "--threads", "1"}, args...)...)
		said := &bytes.Buffer{}
		cmd.Stderr = said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd, said
	}
	reach := func(n int) {
		t.Helper()
		for end := time.Now().Add(2 * time.Minute); visible(out) < n; time.Sleep(2 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d results in two minutes, want %d", visible(out), n)
			}
		}
	}
	var workers []*exec.Cmd
	for _, shard := range []string{"1/2", "2/2", "1/2"} {
		w, _ := start("--shard", shard)
		workers = append(workers, w)
	}
	const manifests = 2
	reach(5 + manifests)
	for _, w := range workers {
		w.Process.Kill()
		w.Wait()
	}

	w, said := start("--shard", "1/1")
	reach(12 + manifests + 1)
	w.Process.Signal(syscall.SIGINT)
	var exit *exec.ExitError
	if err := w.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
		t.Errorf("interrupted: %v", err)
	}
	if !strings.Contains(said.String(), "the same command goes on with the other ") {
		t.Errorf("interrupted: %s", said)
	}
	// All that stands now is in a manifest: what was begun was finished. Three killed workers may each have left one that is not.
	data, err := exec.Command(vc, "batch", in, "--model", model, "--random-voices", "7", "--out-dir", out, "--check").Output()
	if missing := strings.Count(string(data), "missing\t"); err == nil || missing < files-visible(out)+manifests+1 || missing > files-visible(out)+manifests+1+len(workers) {
		t.Errorf("%d results stand, and the check says %v, %s", visible(out), err, data)
	}

	workers = workers[:0]
	var texts []*bytes.Buffer
	for _, shard := range []string{"1/2", "1/2", "2/2", "2/2"} {
		w, said := start("--shard", shard)
		workers, texts = append(workers, w), append(texts, said)
	}
	for i, w := range workers {
		if err := w.Wait(); err != nil || !strings.Contains(texts[i].String(), "20 of 20 are done") {
			t.Errorf("%v: %s", err, texts[i])
		}
	}
	w, said = start("--check")
	if err := w.Wait(); err != nil || !strings.Contains(said.String(), fmt.Sprintf("all %d are whole", files)) {
		t.Errorf("%v: %s", err, said)
	}
	for i := range files {
		clip, err := audio.ReadFile(filepath.Join(out, fmt.Sprintf("%02d.wav", i)))
		if want := time.Duration(1000+10*i) * time.Millisecond; err != nil || (clip.Duration()-want).Abs() > time.Millisecond {
			t.Errorf("%02d.wav lasts %v, want %v, %v", i, clip.Duration(), want, err)
		}
	}
	lines, err := os.ReadFile(filepath.Join(out, "manifest.tsv"))
	if n := bytes.Count(lines, []byte("\n")); err != nil || n != files+1 {
		t.Errorf("the joined manifest has %d lines, %v", n, err)
	}
}
