//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/anonymize"
	"github.com/starvc/vc/internal/base"
	"github.com/starvc/vc/internal/untrained"
)

// The same seed gives the same results, after a kill too, and another seed others. Neither results nor manifests say who became what,
// nor what the tags of the recordings said; the mapping is written where that is asked for, for nobody else to read.
func TestAnonymize(t *testing.T) {
	if testing.Short() || !base.Has(base.Judge) {
		t.Skip("starts the program half a dozen times, with the judge that comes with it")
	}
	dir := t.TempDir()
	in, model := filepath.Join(dir, "in"), filepath.Join(dir, "m.safetensors")
	if err := untrained.Model(gan.Tiny(), 4, 1).Save(model, gan.Full); err != nil {
		t.Fatal(err)
	}
	speakers := []string{"ann", "bob"}
	const each = 4
	for s, speaker := range speakers {
		if err := os.MkdirAll(filepath.Join(in, speaker), 0o777); err != nil {
			t.Fatal(err)
		}
		for i := range each {
			x := buzz(16000-4000*s, 1.5+float64(i)/100)
			sound := audio.Sound{Rate: 16000, Channels: 1, Frames: int64(len(x)), Tags: audio.Tags{{Name: "TITLE", Value: "hush"}}}
			path := filepath.Join(in, speaker, fmt.Sprintf("%d.wav", i))
			err := audio.WriteSound(t.Context(), path, sound, "", func(e audio.Encoder) error { return e.Write(x) })
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	vc := commandOf(t)
	command := func(args ...string) (*exec.Cmd, *bytes.Buffer) {
		cmd := exec.Command(vc, append([]string{"anonymize"}, args...)...)
		said := &bytes.Buffer{}
		cmd.Stderr, cmd.Stdout = said, said
		return cmd, said
	}
	must := func(args ...string) string {
		t.Helper()
		cmd, said := command(args...)
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v: %v: %s", args, err, said)
		}
		return said.String()
	}
	out := func(name string) string { return filepath.Join(dir, name) }
	sounds := func(name string) (all string) {
		for _, speaker := range speakers {
			for i := range each {
				data, err := os.ReadFile(filepath.Join(out(name), speaker, fmt.Sprintf("%d.wav", i)))
				if err != nil {
					t.Fatal(err)
				}
				all += string(data)
			}
		}
		return all
	}

	killed, said := command(in, "--model", model, "--vocoder", "source-filter", "--out-dir", out("a"), "--seed", "7", "--threads", "1")
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Minute); visible(out("a")) < 3; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no results in five minutes: %s", said)
		}
	}
	killed.Process.Kill()
	killed.Wait()
	must(in, "--model", model, "--vocoder", "source-filter", "--out-dir", out("a"), "--seed", "7")
	must(in, "--model", model, "--vocoder", "source-filter", "--out-dir", out("a"), "--check")

	mapping := out("mapping.tsv")
	must(in, "--model", model, "--vocoder", "source-filter", "--out-dir", out("b"), "--seed", "7", "--mapping", mapping, "--threads", "2")
	must(in, "--model", model, "--vocoder", "source-filter", "--out-dir", out("c"), "--seed", "8")
	a := sounds("a")
	if a != sounds("b") {
		t.Error("the same seed gave other sounds")
	}
	if a == sounds("c") {
		t.Error("another seed gave the same sounds")
	}
	if strings.Contains(a, "hush") {
		t.Error("the results have the title of the recordings")
	}
	if mark := audio.ReadTags(context.Background(), filepath.Join(out("a"), "ann", "0.wav")).Mark(); !strings.Contains(mark, "pseudo-speaker") {
		t.Errorf("the mark of a result is %q", mark)
	}
	info, err := os.Stat(mapping)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mapping: %v, %v", info, err)
	}
	list, _ := os.ReadFile(mapping)
	lines := strings.Split(strings.TrimSpace(string(list)), "\n")
	if len(lines) != len(speakers) {
		t.Fatalf("the mapping is %q", list)
	}
	manifest, err := os.ReadFile(filepath.Join(out("b"), "manifest-1-of-1.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	voices := map[string]bool{}
	for _, line := range lines {
		_, voice, _ := strings.Cut(line, "\t")
		voices[voice] = true
		if strings.Contains(string(manifest), voice) || strings.Contains(a, voice) {
			t.Errorf("the results tell of %q", voice)
		}
	}
	if len(voices) != len(speakers) {
		t.Errorf("two speakers have one voice: %q", list)
	}
	if visible(dir) != 2+len(speakers)*each*4+4 { // the model and the mapping; the recordings and three results; three manifests and a joined one
		t.Errorf("%d files were written", visible(dir))
	}

	if text := must("report", in, out("a"), out("c")); !strings.Contains(text, "lazy-informed attacker") || !strings.Contains(text, anonymize.Remark) {
		t.Errorf("the report says %s", text)
	}
	must(in, "--model", model, "--vocoder", "source-filter", "--out-dir", out("d"), "--per", "utterance", "--flatten", "melody", "--mapping", out("chance.tsv"))
	cmd, said := command(in, "--model", model, "--vocoder", "source-filter", "--out-dir", out("d"), "--mapping", out("chance.tsv"))
	if err := cmd.Run(); err == nil || !strings.Contains(said.String(), "name another file") {
		t.Errorf("a mapping was overwritten: %v, %s", err, said)
	}
	cmd, said = command(in, "--model", model, "--vocoder", "source-filter", "--out-dir", out("e"), "--shard", "1/2")
	if err := cmd.Run(); err == nil || !strings.Contains(said.String(), "the same --seed") {
		t.Errorf("shards without a seed: %v, %s", err, said)
	}
}
