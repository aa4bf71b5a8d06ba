package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// interval is a mean with its 95 % bounds; NaN where nothing was measured.
type interval struct{ Mean, Low, High *float64 }

func (v interval) text(scale float64, decimals int) string {
	if v.Mean == nil || v.Low == nil || v.High == nil {
		return "-"
	}
	return fmt.Sprintf("%.*f [%.*f, %.*f]", decimals, scale**v.Mean, decimals, scale**v.Low, decimals, scale**v.High)
}

// summary is the part of `vc eval --json` that the table shows.
type summary struct {
	Margin   interval `json:"margin"`
	Target   interval `json:"similarityToTarget"`
	Added    interval `json:"phoneErrorsAdded"`
	Melody   interval `json:"logF0Correlation"`
	MCD      interval `json:"mcdDB"`
	Variance interval `json:"globalVarianceDB"`
}

// line is a row of the table.
type line struct {
	title      string
	nearer     string
	own, other summary // by the trainer's phone network, and by another
	terms      map[string]float64
	spread     spread
}

// score evaluates a variant, where that was not done yet.
func (b bench) score(v variant) (line, error) {
	row := line{title: v.title}
	report, err := b.eval(v, "", "")
	if err != nil {
		return row, err
	}
	row.own, row.nearer = report.converted(), fmt.Sprintf("%d of %d", report.PairsNearer, report.PairsKnown)
	if b.otherPhones != "" {
		report, err := b.eval(v, "-other", b.otherPhones)
		if err != nil {
			return row, err
		}
		row.other = report.converted()
	}
	if row.terms, err = lastTerms(b.path(v.name, "metrics.jsonl")); err != nil {
		return row, err
	}
	recording, err := b.oneRecording()
	if err != nil {
		return row, err
	}
	row.spread, err = measureSpread(b.path(v.name+".safetensors"), recording)
	return row, err
}

// oneRecording is the first of the test folder.
func (b bench) oneRecording() (string, error) {
	for _, kind := range []string{"wav", "flac"} {
		if found, _ := filepath.Glob(filepath.Join(b.test, "*", "*."+kind)); len(found) > 0 {
			return found[0], nil
		}
	}
	return "", fmt.Errorf("no recordings in %s", b.test)
}

// report is what is read of `vc eval --json`.
type report struct {
	Conditions []struct {
		Name string
		summary
	}
	PairsNearer, PairsKnown int
}

func (r report) converted() summary {
	for _, c := range r.Conditions {
		if c.Name == "converted" {
			return c.summary
		}
	}
	return summary{}
}

func (b bench) eval(v variant, suffix, phones string) (r report, err error) {
	scores := b.path(v.name + suffix + ".json")
	if !exists(scores) {
		args := []string{"eval", "--model", b.path(v.name + ".safetensors"), "--sources", b.test, "--per-source", "1", "--json", scores}
		for _, f := range [][2]string{{"--labels", b.labels}, {"--from", b.from}, {"--phones", phones}} {
			if f[1] != "" {
				args = append(args, f[0], f[1])
			}
		}
		if err := b.run(args...); err != nil {
			return r, err
		}
	}
	data, err := os.ReadFile(scores)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("%s: %w", filepath.Base(scores), err)
	}
	return r, nil
}

// lastSteps is over how many steps at a run's end the terms of the objective are averaged.
const lastSteps = 100

// lastTerms are the means of every metric over the last steps of a run.
func lastTerms(path string) (map[string]float64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []map[string]float64
	s := bufio.NewScanner(f)
	for s.Scan() {
		var m map[string]float64
		if json.Unmarshal(s.Bytes(), &m) == nil && m["ok"] == 1 {
			all = append(all, m)
		}
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	all = all[max(0, len(all)-lastSteps):]
	sums := map[string]float64{}
	for _, m := range all {
		for name, v := range m {
			sums[name] += v / float64(len(all))
		}
	}
	return sums, nil
}

func (l line) term(name string) string {
	if v, ok := l.terms[name]; ok && !math.IsNaN(v) {
		return fmt.Sprintf("%.3f", v)
	}
	return "-"
}

// printTable writes Markdown.
func printTable(w io.Writer, rows []line) {
	columns := []struct {
		title string
		value func(line) string
	}{
		{"", func(l line) string { return l.title }},
		{"target - source", func(l line) string { return l.own.Margin.text(1, 2) }},
		{"pairs nearer", func(l line) string { return l.nearer }},
		{"phone errors added, P", func(l line) string { return l.own.Added.text(100, 1) }},
		{"the same, another network", func(l line) string { return l.other.Added.text(100, 1) }},
		{"log-F0 corr.", func(l line) string { return l.own.Melody.text(1, 2) }},
		{"MCD, dB", func(l line) string { return l.own.MCD.text(1, 2) }},
		{"global variance, dB", func(l line) string { return l.own.Variance.text(1, 1) }},
		{"style read back, L1", func(l line) string { return l.term("style") }},
		{"F's draws apart, dB", func(l line) string { return fmt.Sprintf("%.2f", l.spread.draws) }},
		{"voices apart, dB", func(l line) string { return fmt.Sprintf("%.2f", l.spread.speakers) }},
		{"there and back, L1", func(l line) string { return l.term("cycle") }},
	}
	var titles, rule []string
	for _, c := range columns {
		titles, rule = append(titles, c.title), append(rule, "---")
	}
	fmt.Fprintf(w, "| %s |\n|%s|\n", strings.Join(titles, " | "), strings.Join(rule, "|"))
	for _, l := range rows {
		var cells []string
		for _, c := range columns {
			cells = append(cells, c.value(l))
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
	}
}
