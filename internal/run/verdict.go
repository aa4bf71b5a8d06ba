package run

import (
	"path/filepath"
	"strings"
)

// minSteps is the length of a training from which speech can be expected.
const minSteps = 200

// Suspect is whether a training of so many steps has failed, by the faults of its samples: where half of them or more are no
// speech. What is at fault besides, and in a training that is too short to judge, is told through warn.
func Suspect(faults []string, samples, steps int, warn func(format string, a ...any)) bool {
	switch {
	case len(faults) == 0:
		return false
	case 2*len(faults) < samples:
		for _, f := range faults {
			warn("one sample is not like speech: %s", f)
		}
		return false
	case steps < minSteps:
		warn("the samples are not like speech, which %d steps cannot be expected to give: %s", steps, strings.Join(faults, "; "))
		return false
	}
	return true
}

// SuspectName is where a file goes that is not fit for use: my.safetensors becomes my.suspect.safetensors.
func SuspectName(path string) string {
	ext := filepath.Ext(path)
	return strings.TrimSuffix(path, ext) + ".suspect" + ext
}
