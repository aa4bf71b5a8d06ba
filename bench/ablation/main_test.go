package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Scores and runs that are there are read, not made again: the program is one that always fails.
func TestTableOfWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("whole.safetensors", "")
	write("whole.json", `{"PairsNearer": 3, "PairsKnown": 4, "conditions": [
		{"name": "source copied", "margin": {"mean": -1, "low": -1, "high": -1}},
		{"name": "converted", "margin": {"mean": 0.5, "low": 0.4, "high": 0.6}, "phoneErrorsAdded": {"mean": 0.07, "low": 0.05, "high": 0.09},
		 "mcdDB": {"mean": null, "low": null, "high": null}}]}`)
	write("whole/metrics.jsonl", `{"step": 1, "ok": 1, "cycle": 9}
{"step": 2, "ok": 0, "cycle": 100}
`+strings.Repeat(`{"step": 3, "ok": 1, "cycle": 0.25}`+"\n", lastSteps))
	b := bench{vc: "false", out: dir}
	v := variant{name: "whole", title: "everything"}
	if err := b.train(v); err != nil {
		t.Fatal(err)
	}
	report, err := b.eval(v, "", "")
	if err != nil {
		t.Fatal(err)
	}
	terms, err := lastTerms(filepath.Join(dir, "whole", "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	printTable(&out, []line{{title: v.title, own: report.converted(), nearer: "3 of 4", terms: terms, spread: spread{1, 2}}})
	want := "| everything | 0.50 [0.40, 0.60] | 3 of 4 | 7.0 [5.0, 9.0] | - | - | - | - | - | 1.00 | 2.00 | 0.250 |"
	if lines := strings.Split(out.String(), "\n"); lines[2] != want {
		t.Errorf("row\n%s\nwant\n%s", lines[2], want)
	}
	if err := b.train(variant{name: "other", own: true}); err == nil {
		t.Error("a variant that is not there was not made")
	}
}

func TestPairwise(t *testing.T) {
	got := pairwise([][]float32{{0, 0}, {1, 3}, {0, 2}}) // 2, 1 and 1 apart
	if math.Abs(got-4.0/3) > 1e-9 {
		t.Errorf("%g apart, want 4/3", got)
	}
}
