package eval

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"text/tabwriter"
)

// Pair sums up all recordings of one direction, or of all directions together. Distortions are in dB against the
// target's own recordings.
type Pair struct {
	From      string   `json:"from"`
	To        string   `json:"to"`
	Clips     int      `json:"clips"`
	Source    Interval `json:"sourceMCD"`    // the source as it is
	Converted Interval `json:"convertedMCD"` // the source converted
	Vocoder   Interval `json:"vocoderMCD"`   // the target itself, through its own frames and the vocoder; NaN when left out
	Gain      Interval `json:"gain"`         // Source less Converted, clip by clip: above 0 conversion went the right way

	LogF0Corr       Interval `json:"logF0Correlation"`     // converted against target
	LogF0RMSE       Interval `json:"logF0RMSECents"`       // converted against target
	SourceLogF0RMSE Interval `json:"sourceLogF0RMSECents"` // source against target
	VoicingError    Interval `json:"voicingError"`         // converted against target, 0 to 1
}

// Nearer tells whether the mean distortion of the converted recordings is below the source's.
func (p Pair) Nearer() bool { return p.Gain.Mean > 0 }

// Table is a report over directions.
type Table struct {
	Pairs  []Pair `json:"pairs"`
	All    Pair   `json:"all"`    // every clip counts alike
	Nearer int    `json:"nearer"` // how many Pairs are Nearer
	Worst  int    `json:"worst"`  // index in Pairs of the least mean gain, -1 when there is none
	Method string `json:"method"` // how the scores were made
}

// clipScore is what one converted recording adds to a Pair.
type clipScore struct{ source, converted, vocoder Result }

// newPair sums up clips.
func newPair(from, to string, clips []clipScore) Pair {
	sum := func(value func(clipScore) float64) Interval {
		values := make([]float64, len(clips))
		for i, c := range clips {
			values[i] = value(c)
		}
		return Bootstrap(values)
	}
	return Pair{
		From: from, To: to, Clips: len(clips),
		Source:          sum(func(c clipScore) float64 { return c.source.MCD }),
		Converted:       sum(func(c clipScore) float64 { return c.converted.MCD }),
		Vocoder:         sum(func(c clipScore) float64 { return c.vocoder.MCD }),
		Gain:            sum(func(c clipScore) float64 { return c.source.MCD - c.converted.MCD }),
		LogF0Corr:       sum(func(c clipScore) float64 { return c.converted.LogF0Corr }),
		LogF0RMSE:       sum(func(c clipScore) float64 { return c.converted.LogF0RMSE }),
		SourceLogF0RMSE: sum(func(c clipScore) float64 { return c.source.LogF0RMSE }),
		VoicingError:    sum(func(c clipScore) float64 { return c.converted.VoicingError }),
	}
}

// summarize fills in what follows from Pairs and from all clips.
func (t *Table) summarize(all []clipScore) {
	t.All = newPair("all", "all", all)
	t.Nearer, t.Worst = 0, -1
	for i, p := range t.Pairs {
		if p.Nearer() {
			t.Nearer++
		}
		if !math.IsNaN(p.Gain.Mean) && (t.Worst < 0 || p.Gain.Mean < t.Pairs[t.Worst].Gain.Mean) {
			t.Worst = i
		}
	}
}

// WriteText writes the table for people: a line per direction, one for all clips, and what they come to.
func (t *Table) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, "Mel-cepstral distortion to the target's own recording in dB, mean [95 % interval]; lower is nearer.")
	tw := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "direction\tclips\tsource\tconverted\tvocoder alone\tgain\tlog-F0 corr.\tF0 off, cents (source)\tvoicing error")
	line := func(name string, p Pair) {
		fmt.Fprintf(tw, "%s\t%d\t%v\t%v\t%s\t%v\t%s\t%s (%s)\t%s\n", name, p.Clips, p.Source, p.Converted,
			short(p.Vocoder.Mean, 2), p.Gain, short(p.LogF0Corr.Mean, 2),
			short(p.LogF0RMSE.Mean, 0), short(p.SourceLogF0RMSE.Mean, 0), percent(p.VoicingError.Mean))
	}
	for _, p := range t.Pairs {
		line(p.From+" -> "+p.To, p)
	}
	line("all", t.All)
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("writing scores: %w", err)
	}
	fmt.Fprintf(b, "Nearer to the target than the source was: %d of %d directions.", t.Nearer, len(t.Pairs))
	if t.Worst >= 0 {
		worst := t.Pairs[t.Worst]
		fmt.Fprintf(b, " Worst: %s -> %s (gain %.2f dB).", worst.From, worst.To, worst.Gain.Mean)
	}
	fmt.Fprintf(b, "\n%s\n", t.Method)
	if err := b.Flush(); err != nil {
		return fmt.Errorf("writing scores: %w", err)
	}
	return nil
}

// WriteJSON writes the table for programs, indented; a score that could not be had is null.
func (t *Table) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(t); err != nil {
		return fmt.Errorf("writing scores: %w", err)
	}
	return nil
}

func short(v float64, decimals int) string {
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf("%.*f", decimals, v)
}

func percent(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*v)
}
