//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/untrained"
)

// commandOf gives the program vc, which is this test under another name.
func commandOf(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	vc := filepath.Join(t.TempDir(), "vc")
	if err := os.Symlink(self, vc); err != nil {
		t.Fatal(err)
	}
	return vc
}

// A folder of all kinds of recordings is converted, killed without warning again and again, and resumed: whatever stands under the
// name of a result is whole at any moment, in the end every recording has one, and no more is done a second time.
func TestFolderKilledAndResumed(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the program a dozen times")
	}
	dir := t.TempDir()
	in, out, model := filepath.Join(dir, "in"), filepath.Join(dir, "out"), filepath.Join(dir, "m.safetensors")
	if err := untrained.Model(gan.Tiny(), 3, 1).Save(model, gan.Full); err != nil {
		t.Fatal(err)
	}
	endings := []string{".wav", ".flac"}
	if audio.HasFFmpeg() {
		endings = append(endings, ".mp3", ".ogg", ".opus", ".m4a", ".aiff", ".wma", ".webm")
	}
	const seconds = 1.5
	want := map[string]bool{} // results, of which a video is one
	for _, folder := range []string{"", "a", "a/b"} {
		if err := os.MkdirAll(filepath.Join(in, folder), 0o777); err != nil {
			t.Fatal(err)
		}
		for _, ending := range endings {
			name := filepath.Join(folder, "r"+ending[1:])
			path := filepath.Join(in, name+ending)
			x := buzz(48000, seconds)
			err := audio.WriteSound(t.Context(), path, audio.Sound{Rate: 48000, Channels: 1, Frames: int64(len(x))}, "", func(e audio.Encoder) error { return e.Write(x) })
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			if audio.IsVideo(path) {
				want[name+"-spk1"+ending] = true
			} else {
				want[name+"-spk1.wav"] = true
			}
		}
	}
	vc := commandOf(t)
	start := func() (*exec.Cmd, *bytes.Buffer) {
		cmd := exec.Command(vc, "convert", "--model", model, "--to", "spk1", "--out-dir", out, "--threads", "2", "--resume", in)
		said := &bytes.Buffer{}
		cmd.Stderr = said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd, said
	}
	// results are what is there, each with the time of its last change. All must be whole.
	whole := map[string]time.Time{}
	results := func() map[string]time.Time {
		found := map[string]time.Time{}
		filepath.WalkDir(out, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
				return nil
			}
			name, _ := filepath.Rel(out, path)
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			found[name] = info.ModTime()
			if found[name] == whole[name] {
				return nil
			}
			if !want[name] {
				t.Errorf("%s is nobody's result", name)
			}
			clip, err := audio.ReadFile(path)
			if err != nil || clip.Warnings != nil || math.Abs(clip.Duration().Seconds()-seconds) > 0.15 {
				t.Errorf("%s lasts %v, warnings %q, error %v", name, clip.Duration(), clip.Warnings, err)
			}
			if audio.ReadTags(context.Background(), path).Mark() == "" {
				t.Errorf("%s has no mark", name)
			}
			whole[name] = found[name]
			return nil
		})
		return found
	}
	kills := 0
	for len(whole) < len(want) {
		target := len(whole) + max(1, len(want)/7)
		cmd, said := start()
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		deadline := time.After(2 * time.Minute)
	waiting:
		for {
			select {
			case err := <-ended:
				if err != nil {
					t.Fatalf("%v: %s", err, said)
				}
				break waiting
			case <-deadline:
				t.Fatalf("nothing is made: %s", said)
			case <-time.After(time.Duration(1+kills) * time.Millisecond):
			}
			if n := visible(out); n >= target && n < len(want) {
				cmd.Process.Kill()
				<-ended
				kills++
				break
			}
		}
		before := maps.Clone(whole)
		now := results()
		for name, at := range before {
			if !now[name].Equal(at) {
				t.Errorf("%s was made twice", name)
			}
		}
	}
	if kills == 0 {
		t.Error("it was never killed")
	}
	t.Logf("%d results, %d kills", len(whole), kills)
	cmd, said := start()
	if err := cmd.Wait(); err != nil || !strings.Contains(said.String(), fmt.Sprintf("%d of %d are done already", len(want), len(want))) {
		t.Errorf("once more: %v: %s", err, said)
	}
	if got := slices.Sorted(maps.Keys(results())); !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
		t.Errorf("results %q", got)
	}
}

// visible counts the files in a folder whose names begin with no dot.
func visible(dir string) (n int) {
	filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasPrefix(d.Name(), ".") {
			n++
		}
		return nil
	})
	return n
}
