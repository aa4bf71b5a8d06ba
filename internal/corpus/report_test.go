package corpus

import (
	"fmt"
	"strings"
	"testing"
)

func TestAdvice(t *testing.T) {
	t.Parallel()
	noisy := func(n int) (ps []Problem) {
		for i := range n {
			ps = append(ps, Problem{Path: fmt.Sprint(i), Kind: Noisy}, Problem{Path: fmt.Sprint(i), Kind: Clipped})
		}
		return ps
	}
	tests := []struct {
		name   string
		report SpeakerReport
		want   []string // the beginning of each advice
	}{
		{"plenty", SpeakerReport{Files: 40, Train: 38, Valid: 2, Seconds: 200, F0Hz: 100, Problems: noisy(7)}, nil},
		{"little", SpeakerReport{Files: 9, Train: 8, Valid: 1, Seconds: 60, F0Hz: 100}, []string{"1.0 minutes"}},
		{"very little", SpeakerReport{Files: 9, Train: 8, Valid: 1, Seconds: 20, F0Hz: 100}, []string{"20 s"}},
		{"two files", SpeakerReport{Files: 2, Train: 2, Seconds: 300, F0Hz: 100}, []string{"2 recordings are too few to hold one out"}},
		{"noisy and clipped", SpeakerReport{Files: 40, Train: 38, Valid: 2, Seconds: 200, F0Hz: 100, Problems: noisy(8)},
			[]string{"8 of 40 recordings are clipped", "8 of 40 recordings are noisy"}},
		{"no voice", SpeakerReport{Files: 40, Train: 38, Valid: 2, Seconds: 200}, []string{"no voiced speech"}},
		{"nothing", SpeakerReport{Files: 40}, nil},
	}
	for _, test := range tests {
		test.report.advise(true)
		ok := len(test.report.Advice) == len(test.want)
		for i := range test.want {
			ok = ok && strings.HasPrefix(test.report.Advice[i], test.want[i])
		}
		if !ok {
			t.Errorf("%s: got %q, want %q", test.name, test.report.Advice, test.want)
		}
	}
}
