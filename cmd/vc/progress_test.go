package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestProgressFitsTheTerminal(t *testing.T) {
	for _, columns := range []int{1, 5, 12, 20, 26, 30, 40, 80, 200} {
		for _, part := range []float64{0, 0.004, 0.5, 0.999, 1} {
			var b bytes.Buffer
			p := newProgress(&b, true, "nvidia-cublas 13.0")
			p.columns = func() int { return columns }
			p.part = part
			if line := p.line(time.Hour); utf8.RuneCountInString(line) >= columns {
				t.Errorf("%d columns: %q", columns, line)
			}
		}
	}
	p := newProgress(nil, false, "converting")
	p.part, p.columns = 0.25, func() int { return 80 }
	if got, want := p.line(10*time.Second), "converting  25 % [#######.......................]  30s left"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// The last update may follow the one before at once.
func TestProgressShowsTheLastUpdate(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(&b, true, "converting")
	at := p.start
	p.now = func() time.Time { return at }
	p.set(0.1)
	if b.Len() > 0 {
		t.Errorf("short work flickers: %q", b.String())
	}
	at = at.Add(2 * time.Second)
	p.set(0.5)
	p.done() // for a message
	p.set(0.9)
	if shown := b.String(); !strings.Contains(shown, " 50 %") || !strings.HasSuffix(shown, "\r\x1b[K") {
		t.Errorf("%q, want the line to be gone", shown)
	}
	at = at.Add(time.Second)
	p.set(0.95)
	p.set(1)
	p.done()
	if shown := b.String(); !strings.HasSuffix(shown, "converting 100 % [##############################]  in 3s\n") {
		t.Errorf("%q, want the end of the work", shown)
	}
	p.set(1)
	p.done()
	if strings.Count(b.String(), "100 %") != 1 {
		t.Errorf("%q: the end comes twice", b.String())
	}
}
