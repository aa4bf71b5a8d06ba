package run

import (
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/starvc/vc/internal/atomicfile"
	"github.com/starvc/vc/internal/plot"
)

// Curve is a chart of losses.png: a title, and the metrics in it.
type Curve struct {
	Title string
	Names []string
}

// DrawCurves draws losses.png in the run folder dir from its metrics.jsonl. Charts without any value are left out.
func DrawCurves(dir string, curves []Curve) error {
	records, err := ReadMetrics(filepath.Join(dir, "metrics.jsonl"))
	if err != nil {
		return err
	}
	charts := make([]plot.Chart, len(curves))
	for i, c := range curves {
		charts[i] = plot.Chart{Title: c.Title, XLabel: "step"}
		for _, name := range c.Names {
			s := plot.Series{Name: name, Smooth: 0.95}
			if strings.HasPrefix(name, "valid_") {
				s.Smooth = 0
			}
			for _, m := range records {
				// A term that is not in use yet is exactly 0 and no part of its curve.
				if v, ok := m.Metrics[name]; ok && v != 0 {
					s.X, s.Y = append(s.X, float64(m.Step)), append(s.Y, float64(v))
				}
			}
			if len(s.X) > 0 {
				charts[i].Series = append(charts[i].Series, s)
			}
		}
	}
	charts = slices.DeleteFunc(charts, func(c plot.Chart) bool { return len(c.Series) == 0 })
	if len(charts) == 0 {
		return nil
	}
	return atomicfile.Write(filepath.Join(dir, "losses.png"), func(w io.Writer) error {
		return plot.Lines(w, charts, plot.LineOptions{Title: "Losses", Columns: 2})
	})
}
