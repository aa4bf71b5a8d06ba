package corpus

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// Details is a report with all that it knows of each recording: its score, and where a long one was cut.
type Details struct{ *Report }

// WriteTo writes the report and, below it, a line for each recording that is used and for each piece.
func (d Details) WriteTo(w io.Writer) (int64, error) {
	n, err := d.Report.WriteTo(w)
	if err != nil {
		return n, err
	}
	var b strings.Builder
	for _, s := range d.Speakers {
		fmt.Fprintf(&b, "\n%s, by recording (score of 100; level of speech, dB below full scale; how far under it the quietest parts are):\n", s.Name)
		for _, r := range s.Recordings {
			score, lacks := r.Quality.Score()
			if lacks != "" {
				lacks = "  " + lacks
			}
			fmt.Fprintf(&b, "  %3d  %6.1f s  %4.0f dB  %3.0f dB  %s%s\n", score, r.Seconds, r.Quality.LevelDB, r.Quality.NoiseDB, filepath.Base(r.Path), lacks)
		}
		for _, c := range s.Cut {
			fmt.Fprintf(&b, "\n%s, the pieces of %s:\n", s.Name, filepath.Base(c.Path))
			for _, p := range c.Pieces {
				fate := ""
				if p.Fault != "" {
					fate = "  left out: " + p.Fault
				}
				fmt.Fprintf(&b, "  %8s to %8s  %5.1f s%s\n", clock(p.From), clock(p.To), p.To-p.From, fate)
			}
		}
	}
	m, err := io.WriteString(w, b.String())
	return n + int64(m), err
}

// pieces is how many pieces of long recordings there are.
func (s SpeakerReport) pieces() (n int) {
	for _, c := range s.Cut {
		n += len(c.Pieces)
	}
	return n
}

func cutFiles(cut, files int) string {
	if cut == files {
		return "all"
	}
	return fmt.Sprint(cut)
}

// writeScores writes how good the recordings are, worst first where there are several, and what would help most.
func (s SpeakerReport) writeScores(b *strings.Builder) {
	if len(s.Recordings) == 0 {
		return
	}
	type scored struct {
		name, lacks string
		score       int
	}
	var all []scored
	points, seconds := 0.0, 0.0
	for _, r := range s.Recordings {
		score, lacks := r.Quality.Score()
		all = append(all, scored{filepath.Base(r.Path), lacks, score})
		points += float64(score) * r.Seconds
		seconds += r.Seconds
	}
	slices.SortStableFunc(all, func(a, b scored) int { return cmp.Compare(a.score, b.score) })
	fmt.Fprintf(b, "  recordings: %.0f of 100", points/max(seconds, 1e-9))
	if least := all[0]; least.lacks != "" && len(all) > 1 {
		fmt.Fprintf(b, ", the poorest %s with %d (%s)", least.name, least.score, least.lacks)
	}
	help := mostHelp(s.Recordings)
	if help == "" {
		help = "nothing that stands out"
	}
	fmt.Fprintf(b, "; what would help most: %s\n", help)
}
