package anonymize

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"
)

//go:embed page.html
var pageText string

// The plots are drawn in units of a view box, whose area inside the axes begins at plotLeft, plotTop.
const (
	plotWidth, plotHeight = 300.0, 200.0
	plotLeft, plotTop     = 44.0, 12.0
	histogramBins         = 24
	similarityStep        = 0.25 // between ticks
	headroom              = 1.05 // above the highest bin
)

// plotted is an attacker with what the page draws.
type plotted struct {
	Row
	Class           string  // of its curve
	Same, Different string  // outlines of the histogram
	Threshold       float64 // place of the threshold at which both errors are equal
	Curve           string  // the errors against each other
	EqualX, EqualY  float64 // where they are equal
}

// tick is a labelled place on an axis.
type tick struct {
	At    float64
	Label string
}

// WritePage writes the report as one HTML page that needs nothing else.
func (r *Report) WritePage(w io.Writer) error {
	page, err := template.New("page").Funcs(template.FuncMap{
		"percent": func(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) },
		"interval": func(a *Attack) string {
			low, high := a.Interval()
			return fmt.Sprintf("%.0f to %.0f %%", 100*low, 100*high)
		},
		"short": func(v *float64) string { return fmt.Sprintf("%.2f", *v) },
		"px":    func(v float64) string { return fmt.Sprintf("%.1f", v) },
		"add":   func(a, b float64) float64 { return a + b },
	}).Parse(pageText)
	if err != nil {
		panic(err) // the page is ours
	}
	low, high := r.similarities()
	shown := struct {
		*Report
		Rows                     []plotted
		Left, Top, Width, Height float64
		Similarities, Errors     []tick // of the horizontal axes
		Missed                   []tick // of the vertical one
	}{Report: r, Left: plotLeft, Top: plotTop, Width: plotWidth, Height: plotHeight}
	for i, row := range r.Rows() {
		shown.Rows = append(shown.Rows, row.plot(i, low, high))
	}
	for v := low; v <= high; v += similarityStep {
		shown.Similarities = append(shown.Similarities, tick{plotLeft + (v-low)/(high-low)*plotWidth, fmt.Sprintf("%.2f", v)})
	}
	for k := range 5 {
		part := float64(k) / 4
		shown.Errors = append(shown.Errors, tick{plotLeft + part*plotWidth, fmt.Sprintf("%.0f", 100*part)})
		shown.Missed = append(shown.Missed, tick{plotTop + (1-part)*plotHeight, fmt.Sprintf("%.0f", 100*part)})
	}
	if err := page.Execute(w, shown); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}

// similarities is the range of all trials, so that the histograms can be compared.
func (r *Report) similarities() (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, t := range r.trials {
		for _, v := range slices.Concat(t.Same, t.Different) {
			low, high = min(low, v), max(high, v)
		}
	}
	low, high = similarityStep*math.Floor(low/similarityStep), similarityStep*math.Ceil(high/similarityStep)
	if !(high > low) {
		return -1, 1
	}
	return low, high
}

func (row Row) plot(i int, low, high float64) plotted {
	p := plotted{Row: row, Class: []string{"first", "second", "third"}[i]}
	same, different := shares(row.Trials.Same, low, high), shares(row.Trials.Different, low, high)
	top := headroom * max(slices.Max(same), slices.Max(different))
	p.Same, p.Different = outline(same, top), outline(different, top)
	curve := row.Trials.TradeOff()
	var path strings.Builder
	nearest := math.Inf(1)
	for k, e := range curve {
		x, y := plotLeft+e.Accepted*plotWidth, plotTop+(1-e.Missed)*plotHeight
		fmt.Fprintf(&path, "%s%.1f %.1f", map[bool]string{true: "M", false: "L"}[k == 0], x, y)
		if gap := math.Abs(e.Accepted - e.Missed); gap < nearest {
			nearest = gap
			p.Threshold = plotLeft + min(max((e.Threshold-low)/(high-low), 0), 1)*plotWidth
		}
	}
	p.Curve = path.String()
	p.EqualX, p.EqualY = plotLeft+row.Attack.Rate*plotWidth, plotTop+(1-row.Attack.Rate)*plotHeight
	return p
}

// shares says which part of the values falls into each of histogramBins from low to high.
func shares(values []float64, low, high float64) []float64 {
	bins := make([]float64, histogramBins)
	for _, v := range values {
		k := int((v - low) / (high - low) * histogramBins)
		bins[min(max(k, 0), histogramBins-1)] += 1 / float64(len(values))
	}
	return bins
}

// outline is the path of a histogram, closed along its axis.
func outline(bins []float64, top float64) string {
	bottom := plotTop + plotHeight
	var path strings.Builder
	fmt.Fprintf(&path, "M%.1f %.1f", plotLeft, bottom)
	for k, v := range bins {
		fmt.Fprintf(&path, "V%.1fH%.1f", bottom-v/top*plotHeight, plotLeft+float64(k+1)/float64(len(bins))*plotWidth)
	}
	fmt.Fprintf(&path, "V%.1fZ", bottom)
	return path.String()
}
