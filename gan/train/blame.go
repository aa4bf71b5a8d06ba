package train

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/starvc/vc/internal/corpus"
)

// blame finds the recordings that may be at fault for steps that were not finite: those whose values are out of all bounds,
// else those that were in every such step.
type blame struct {
	steps int
	seen  map[string]int
}

// wildMel is far from every normalised log-mel of sound: digital silence is about -2 and full scale about 4.
const wildMel = 50

// add looks at the batch of a step that was skipped and returns what to add to the warning.
func (b *blame) add(batch *corpus.Batch) string {
	if b.seen == nil {
		b.seen = map[string]int{}
	}
	b.steps++
	var wild []string
	for i, files := range batch.Files {
		n := len(batch.X) / len(batch.Files)
		m := len(batch.Same) / len(batch.Files)
		frames := len(batch.F0) / len(batch.Files)
		if out(batch.X[i*n:(i+1)*n]) || out(batch.Same[i*m:(i+1)*m]) || out(batch.Ref[i*m:(i+1)*m]) || out(batch.Ref2[i*m:(i+1)*m]) ||
			outOf(batch.F0[i*frames:(i+1)*frames], 1e5) || out(batch.LogEnergy[i*frames:(i+1)*frames]) {
			wild = append(wild, files...)
		}
		slices.Sort(files)
		for _, f := range slices.Compact(files) {
			b.seen[f]++
		}
	}
	if len(wild) == 0 {
		return ""
	}
	return "; values out of all bounds come from one of " + names(wild)
}

// often names the recordings that were in at least three and nine tenths of the skipped steps, fit to follow a sentence.
func (b *blame) often() string {
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
	return "; in nearly all of these steps were " + names(often)
}

func names(files []string) string {
	short := make([]string, 0, 8)
	for _, f := range files {
		if short = append(short, filepath.Base(f)); len(short) == 8 && len(files) > 8 {
			return strings.Join(short, ", ") + fmt.Sprintf(" and %d more", len(files)-8)
		}
	}
	return strings.Join(short, ", ")
}

func out(values []float32) bool { return outOf(values, wildMel) }

func outOf(values []float32, bound float32) bool {
	for _, v := range values {
		if !(v > -bound && v < bound) {
			return true
		}
	}
	return false
}
