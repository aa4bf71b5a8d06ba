package run

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/starvc/vc/internal/atomicfile"
)

// The page report.html is one file that holds its pictures and sounds, fit to be sent to somebody.

//go:embed page.html
var pageText string

// Page is what report.html shows, besides the curves of losses.png and the scores of metrics.jsonl.
type Page struct {
	Title            string
	Program, Device  string // what it was made by and on
	Preset           string
	Steps, Of, Batch int
	Samples          []Sample
	Voices           []Voice
	Scores           Scores
	Lint             string // what was found wrong with the recordings
	Left             string // of a run under way: "8 min left"; empty for one that has ended

	Earlier map[string][]Earlier // by Sample.File
}

// Earlier is a sample's sound after fewer steps, by its address as seen from the page.
type Earlier struct {
	Step int
	File string
}

// Voice is a speaker.
type Voice struct {
	Name    string
	Seconds float64 // of recordings
}

// Scores are the columns of the table of validations.
type Scores struct {
	About   string  // the sentence above them
	Columns []Score // a line of metrics.jsonl that has the first of them is a validation
	Best    int     // step that is marked, 0 for none
	Text    string  // shown below them as it is
}

// Score is one column.
type Score struct{ Head, Metric string }

// scoreRow is one validation.
type scoreRow struct {
	Step   int
	Values map[string]float32
	Best   bool
}

// dataURI is data as an address that holds it.
func dataURI(kind string, data []byte) template.URL {
	return template.URL("data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(data))
}

// Write writes report.html into the run folder dir.
func (p Page) Write(dir string) error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"png": func(b []byte) template.URL { return dataURI("image/png", b) },
		"wav": func(b []byte) template.URL { return dataURI("audio/wav", b) },
		"num": func(v float32) string { return fmt.Sprintf("%.3f", v) },
		"min": func(seconds float64) string { return fmt.Sprintf("%.1f", seconds/60) },
	}).Parse(pageText)
	if err != nil {
		return fmt.Errorf("report.html: %w", err)
	}
	shown := struct {
		Page
		Made   string
		Curves []byte
		Rows   []scoreRow
	}{Page: p, Made: time.Now().Format("2 January 2006, 15:04")}
	shown.Curves, _ = os.ReadFile(filepath.Join(dir, "losses.png")) // not there for a run of a step or two
	records, err := ReadMetrics(filepath.Join(dir, "metrics.jsonl"))
	if err != nil {
		return err
	}
	for _, rec := range records {
		if _, ok := rec.Metrics[p.Scores.Columns[0].Metric]; ok {
			shown.Rows = append(shown.Rows, scoreRow{rec.Step + 1, rec.Metrics, rec.Step+1 == p.Scores.Best})
		}
	}
	return atomicfile.Write(filepath.Join(dir, "report.html"), func(w io.Writer) error {
		if err := t.Execute(w, shown); err != nil {
			return fmt.Errorf("report.html: %w", err)
		}
		return nil
	})
}
