package run

import (
	"slices"
	"testing"
)

func TestTurns(t *testing.T) {
	type recording struct {
		speaker int
		name    string
	}
	held := []recording{{0, "a1"}, {0, "a2"}, {1, "b1"}}
	others := []recording{{0, "a3"}, {1, "b2"}, {1, "b3"}, {2, "c1"}}
	for _, c := range []struct {
		n    int
		want []string
	}{{0, nil}, {2, []string{"a1", "b1"}}, {4, []string{"a1", "b1", "c1", "a2"}}, {9, []string{"a1", "b1", "c1", "a2", "b3"}}} {
		var got []string
		for _, r := range Turns(c.n, 3, func(r recording) int { return r.speaker }, held, others) {
			got = append(got, r.name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%d: %v, want %v", c.n, got, c.want)
		}
	}
}
