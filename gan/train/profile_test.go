package train

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/internal/mlx/profile"
)

// Every term and every pass is measured, adds up, and is in the table and in the JSON.
func TestProfile(t *testing.T) {
	cfg := microConfig(t)
	told := 0
	p, err := profileConfig(context.Background(), ProfileOptions{Device: "go", Say: func(string) { told++ }}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if told == 0 || p.Rounds < profile.LeastRounds || !(p.GFLOPS > 0 && p.GBs > 0 && p.StepMS > 0 && p.RowMS > 0 && p.BatchMS > 0) {
		t.Errorf("%+v", p)
	}
	order := append(slices.Clone(termOrder), profile.CommonTerms...)
	sum := 0.0
	for i, term := range p.Terms {
		if term.Name != order[i] {
			t.Errorf("term %d is %q, want %q", i, term.Name, order[i])
		}
		// The time of a call is taken off, so what is over at once may be 0.
		if !(term.MS >= 0) || term.Name != profile.Calling && !(term.OperationsMS > 0 || term.MemoryMS > 0) {
			t.Errorf("%+v", term)
		}
		sum += term.MS
	}
	if len(p.Terms) != len(order) || math.Abs(sum+p.RestMS-p.StepMS) > 1e-6 {
		t.Errorf("%d terms, %g ms and %g, of %g", len(p.Terms), sum, p.RestMS, p.StepMS)
	}
	for _, name := range []string{"D", "G", "E"} {
		if term := p.Terms[slices.Index(termOrder, name)]; !(term.MS > 0 && term.Share > 0) {
			t.Errorf("%+v", term)
		}
	}
	if len(p.Passes) != len(cfg.starPasses(true)) {
		t.Errorf("%d passes", len(p.Passes))
	}
	var table bytes.Buffer
	if err := p.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + table.String())
	for _, want := range append([]string{"pure Go", "whole step", "not attributable", "in a row", "building a batch", "judges real"}, order...) {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q", want)
		}
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var again profile.Report
	if err := json.Unmarshal(text, &again); err != nil || again.Terms[0] != p.Terms[0] {
		t.Errorf("%v: %s", err, text)
	}
}

// What changes the step into another is refused, and so is what training refuses.
func TestProfileRefuses(t *testing.T) {
	for _, set := range []string{"styleLabels=true", "addVoice.on=true", "batch=3", "nothing=1"} {
		if _, err := (ProfileOptions{Preset: "tiny", Set: []string{set}}).config(); err == nil {
			t.Errorf("--set %s is taken", set)
		}
	}
	c, err := ProfileOptions{Batch: 6}.config()
	if err != nil || c.Preset != "medium" || c.Batch != 6 {
		t.Errorf("%+v, %v", c, err)
	}
}

// A star step costs what its passes cost, and what the optimizer is told to move is in some pass with gradients of weights.
func TestStarPasses(t *testing.T) {
	c := microConfig(t)
	learning := map[string]bool{}
	for _, p := range c.starPasses(true) {
		f := p.with(p.cost(c, 3, false))
		if !(f.Operations() > 0 && f.Moved() > 0) {
			t.Errorf("%+v costs %+v", p, f)
		}
		if p.weights {
			learning[p.network] = true
		}
	}
	for _, network := range []string{"G", "F", "E", "D", "C"} {
		if !learning[network] {
			t.Errorf("%s does not learn", network)
		}
	}
	if learning["P"] || len(c.starPasses(true)) != len(c.starPasses(false))+2 {
		t.Error("P takes part wrongly")
	}
}
