package run

import (
	"strings"
	"testing"
)

// The last state of a work is shown however soon it comes after another.
func TestReporterShowsTheEnd(t *testing.T) {
	for _, c := range []struct {
		name     string
		terminal bool
		want     string
	}{
		{"plain", false, "vc: 1 of 3\nvc: a warning\nvc: 3 of 3\nvc: the end\n"},
		{"terminal", true, "\r\x1b[K1 of 3\r\x1b[K2 of 3\nvc: a warning\n\r\x1b[K3 of 3\nvc: the end\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var said strings.Builder
			p := NewReporter(&said, false)
			p.terminal = c.terminal
			p.Progress("1 of 3")
			p.Progress("2 of 3")
			p.Linef("a warning")
			p.Progress("3 of 3")
			p.Finish()
			p.Finish()
			p.Linef("the end")
			if said.String() != c.want {
				t.Errorf("said %q, want %q", said.String(), c.want)
			}
		})
	}
}
