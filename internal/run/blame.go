package run

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Blame finds the recordings that may be at fault for steps that were not finite: those that were in every such step.
type Blame struct {
	steps int
	seen  map[string]int
}

// Add takes the recordings of a step that was skipped.
func (b *Blame) Add(files []string) {
	if b.seen == nil {
		b.seen = map[string]int{}
	}
	b.steps++
	files = slices.Clone(files)
	slices.Sort(files)
	for _, f := range slices.Compact(files) {
		b.seen[f]++
	}
}

// Often names the recordings that were in at least three and nine tenths of the skipped steps, fit to follow a sentence.
func (b *Blame) Often() string {
	var often []string
	for f, n := range b.seen {
		if n >= 3 && 10*n >= 9*b.steps {
			often = append(often, f)
		}
	}
	if len(often) == 0 {
		return ""
	}
	slices.Sort(often)
	return "; in nearly all of these steps were " + FileNames(often)
}

// FileNames lists the names of files, without their folders, eight at most.
func FileNames(files []string) string {
	short := make([]string, 0, 8)
	for _, f := range files {
		if short = append(short, filepath.Base(f)); len(short) == 8 && len(files) > 8 {
			return strings.Join(short, ", ") + fmt.Sprintf(" and %d more", len(files)-8)
		}
	}
	return strings.Join(short, ", ")
}
