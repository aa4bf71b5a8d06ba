package main

import (
	"math"
	"strings"
	"testing"
)

func TestParseSource(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text        string
		hz, std     float64
		errContains string
	}{
		{text: "180", hz: 180},
		{text: " 180 , 2.5", hz: 180, std: 2.5 * math.Ln2 / 12},
		{text: "", errContains: "want the mean pitch"},
		{text: "low", errContains: "want the mean pitch"},
		{text: "NaN", errContains: "20 to 2000"},
		{text: "5", errContains: "20 to 2000"},
		{text: "180,", errContains: "spread"},
		{text: "180,99", errContains: "0.3 to 24 semitones"},
	} {
		s, err := parseSource(c.text)
		if c.errContains != "" {
			if err == nil || !strings.Contains(err.Error(), c.errContains) {
				t.Errorf("%q: error %v, want %q in it", c.text, err, c.errContains)
			}
			continue
		}
		if err != nil || !s.Fixed || math.Abs(math.Exp(s.Pitch.Mean)-c.hz) > 1e-9 || math.Abs(s.Pitch.Std-c.std) > 1e-12 {
			t.Errorf("%q: %+v, %v", c.text, s, err)
		}
	}
}
