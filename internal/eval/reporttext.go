package eval

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// column is one figure of a Summary, as people read it.
type column struct {
	Title string
	value func(Summary) string
}

func ratio(v Interval) string { return v.format(100, 1) }

// columns are the figures in the order of the tables.
var columns = []column{
	{"clips", func(s Summary) string { return fmt.Sprint(s.Clips) }},
	{"to target", func(s Summary) string { return short(s.ToTarget.Mean, 2) }},
	{"to source", func(s Summary) string { return short(s.ToSource.Mean, 2) }},
	{"target - source", func(s Summary) string { return s.Margin.String() }},
	{"phone errors to source, %", func(s Summary) string { return ratio(s.Source) }},
	{"to labels, %", func(s Summary) string { return ratio(s.Labels) }},
	{"of that added", func(s Summary) string { return ratio(s.Added) }},
	{"log-F0 corr.", func(s Summary) string { return s.Melody.String() }},
	{"voicing error, %", func(s Summary) string { return ratio(s.Voicing) }},
	{"octave errors up, %", func(s Summary) string { return ratio(s.Up) }},
	{"down, %", func(s Summary) string { return ratio(s.Down) }},
	{"MCD, dB", func(s Summary) string { return s.MCD.String() }},
	{"global variance, dB", func(s Summary) string { return s.Variance.String() }},
}

// ownColumns are the figures of voices converted to themselves.
var ownColumns = []column{
	{"clips", func(s Summary) string { return fmt.Sprint(s.Clips) }},
	{"melody slope", func(s Summary) string { return s.Slope.String() }},
	{"octave errors up, %", func(s Summary) string { return ratio(s.Up) }},
	{"down, %", func(s Summary) string { return ratio(s.Down) }},
	{"log-F0 corr.", func(s Summary) string { return s.Melody.String() }},
	{"voicing error, %", func(s Summary) string { return ratio(s.Voicing) }},
	{"to the voice", func(s Summary) string { return short(s.ToTarget.Mean, 2) }},
	{"phone errors to source, %", func(s Summary) string { return ratio(s.Source) }},
	{"global variance, dB", func(s Summary) string { return s.Variance.String() }},
}

// textPairs is how many pairs the text lists, the worst.
const textPairs = 16

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	table := func(title string, columns []column, rows func(line func(name string, s Summary))) error {
		fmt.Fprintf(b, "%s\n", title)
		tw := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
		var titles []string
		for _, c := range columns {
			titles = append(titles, c.Title)
		}
		fmt.Fprintf(tw, "\t%s\n", strings.Join(titles, "\t"))
		rows(func(name string, s Summary) {
			fmt.Fprint(tw, name)
			for _, c := range columns {
				fmt.Fprint(tw, "\t", c.value(s))
			}
			fmt.Fprintln(tw)
		})
		err := tw.Flush()
		fmt.Fprintln(b)
		return err
	}
	conditions := func(title string, columns []column, list []Condition) error {
		return table(title, columns, func(line func(string, Summary)) {
			for _, c := range list {
				line(c.Name, c.Summary)
			}
		})
	}
	if err := conditions("Conversions, and what they are to be compared with", columns, r.Conditions); err != nil {
		return fmt.Errorf("writing scores: %w", err)
	}
	if err := conditions("Conversions by kind", columns, r.Groups); err != nil {
		return fmt.Errorf("writing scores: %w", err)
	}
	if len(r.Disturbed) > 0 {
		if err := conditions("Conversions of disturbed sources, and the sources themselves", columns, r.disturbedRows()); err != nil {
			return fmt.Errorf("writing scores: %w", err)
		}
	}
	if len(r.Own) > 0 {
		if err := conditions("Voices converted to themselves", ownColumns, r.Own); err != nil {
			return fmt.Errorf("writing scores: %w", err)
		}
	}
	shown := r.Pairs[:min(len(r.Pairs), textPairs)]
	title := "Pairs, the worst first"
	if len(shown) < len(r.Pairs) {
		title = fmt.Sprintf("The %d worst of %d pairs", len(shown), len(r.Pairs))
	}
	err := table(title, columns, func(line func(string, Summary)) {
		for _, p := range shown {
			line(p.name(), p.Summary)
		}
	})
	if err != nil {
		return fmt.Errorf("writing scores: %w", err)
	}
	for _, line := range r.Verdict() {
		fmt.Fprintln(b, line)
	}
	if len(r.Random) > 0 {
		if err := r.writeRandom(b); err != nil {
			return fmt.Errorf("writing scores: %w", err)
		}
	}
	fmt.Fprintln(b)
	for _, n := range r.Notes {
		fmt.Fprintln(b, n)
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("writing scores: %w", err)
	}
	return nil
}

// disturbedRows are two rows per condition: what was converted, and the source as it is.
func (r *Report) disturbedRows() []Condition {
	var rows []Condition
	for _, d := range r.Disturbed {
		rows = append(rows, Condition{d.Name, d.Converted}, Condition{d.Name + ", source", d.Source})
	}
	return rows
}

// Verdict is what the tables come to, a line each.
func (r *Report) Verdict() []string {
	var lines []string
	if r.PairsKnown > 0 {
		lines = append(lines, fmt.Sprintf("Nearer to the target than to the source: %d of %d pairs (%.0f %%), %d of %d clips (%.0f %%). Worst pair: %s (%.2f).",
			r.PairsNearer, r.PairsKnown, 100*float64(r.PairsNearer)/float64(r.PairsKnown),
			r.ClipsNearer, r.ClipsKnown, 100*float64(r.ClipsNearer)/float64(r.ClipsKnown), r.Worst, r.Pairs[0].Margin.Mean))
	}
	if r.WorstWords != "" {
		for _, p := range r.Pairs {
			if p.name() == r.WorstWords {
				lines = append(lines, fmt.Sprintf("Words suffer most from %s (%.1f points of phone errors).", p.name(), 100*p.addedErrors()))
			}
		}
	}
	if r.Speed.Recording > 0 {
		lines = append(lines, fmt.Sprintf("RTF %.3f on one core (%d clips); latency of live conversion %.0f ms.", float64(r.Speed.RTF), r.Speed.Recording, r.Speed.LatencyMS))
	}
	if len(r.Faults) == 0 {
		return append(lines, fmt.Sprintf("None of %d conversions clips, falls silent, or holds what is no number.", r.conversions))
	}
	lines = append(lines, fmt.Sprintf("%d of %d conversions are faulty:", len(r.Faults), r.conversions))
	for i, f := range r.Faults {
		if i == 10 {
			lines = append(lines, fmt.Sprintf("   and %d more", len(r.Faults)-i))
			break
		}
		lines = append(lines, "   "+f)
	}
	return lines
}
