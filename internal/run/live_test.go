package run

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// What a line has no room for is left out, the bar first and then from the end.
func TestFitting(t *testing.T) {
	say := NewReporter(nil, false)
	for _, c := range []struct {
		width int
		want  []string
	}{
		{80, []string{"warm-up 10/600 [##..]", "8 min left", "identity 0.2", "1.2 steps/s"}},
		{53, []string{"warm-up 10/600", "8 min left", "identity 0.2", "1.2 steps/s"}},
		{40, []string{"warm-up 10/600", "8 min left", "identity 0.2"}},
		{10, []string{"warm-up 10/600"}},
	} {
		got := say.fitting(c.width, "warm-up 10/600", "[##..]", []string{"8 min left", "identity 0.2", "1.2 steps/s"})
		if !slices.Equal(got, c.want) || c.width > 20 && len(strings.Join(got, "  ")) > c.width {
			t.Errorf("%d characters: %q, want %q", c.width, got, c.want)
		}
	}
}

func TestFold(t *testing.T) {
	const line = "  recordings: 86 of 100, the poorest memo.mp3 with 71 (room); what would help most: less room\n"
	for _, columns := range []int{40, 60, 80} {
		folded := fold(line, columns)
		for part := range strings.Lines(folded) {
			if len(strings.TrimRight(part, "\n")) > columns {
				t.Errorf("%d columns: %q", columns, part)
			}
		}
		if got := strings.Join(strings.Fields(folded), " "); got != strings.TrimSpace(line) {
			t.Errorf("%d columns: the words are %q", columns, got)
		}
	}
	if got := fold(line, 120); got != line {
		t.Errorf("a line with room is %q", got)
	}
}

func TestClock(t *testing.T) {
	var said strings.Builder
	stop := NewReporter(&said, false).Clock("compiling the graph of the star", 80*time.Second)
	time.Sleep(1200 * time.Millisecond)
	stop()
	if got := said.String(); got != "vc: compiling the graph of the star, 1 s so far; usually 80 s\n" {
		t.Errorf("said %q", got)
	}
}

// A run folder and a snapshot stand for the model that was made of them.
func TestModelOf(t *testing.T) {
	dir := t.TempDir()
	put := func(name string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	check := func(path, want string) {
		t.Helper()
		if got := ModelOf(path); got != want {
			t.Errorf("ModelOf(%s) = %s, want %s", path, got, want)
		}
	}
	check(dir, dir)
	put("config.json")
	check(dir, dir)
	first, second := put("snapshots/step-00000010.safetensors"), put("snapshots/step-00000020.safetensors")
	firstModel := put("snapshots/step-00000010.model.safetensors")
	check(first, firstModel)
	check(second, second)
	check(dir, firstModel)
	secondModel := put("snapshots/step-00000020.model.safetensors")
	check(dir, secondModel)
	check(secondModel, secondModel)
	check(dir, put("other/../model.safetensors"))
	if err := (Snapshots{filepath.Join(dir, "snapshots")}).prune(1); err != nil {
		t.Fatal(err)
	}
	if fileIsThere(first) || fileIsThere(firstModel) || !fileIsThere(second) || !fileIsThere(secondModel) {
		t.Error("a snapshot goes with its model, and only then")
	}
}
