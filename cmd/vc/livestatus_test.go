package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestLiveStatusLine(t *testing.T) {
	s := &liveStatus{keys: "m mute  q end"}
	s.voice("ann")
	s.mute(true)
	s.pitch(-2)
	s.late(74 * time.Millisecond)
	s.heard([]float32{0, -0.1}, []float32{1})
	full := s.line(200)
	for _, want := range []string{"ann -2 MUTED", "in [###########.....]", "out [################]!", "74 ms", "q end"} {
		if !strings.Contains(full, want) {
			t.Errorf("no %q in %q", want, full)
		}
	}
	for room := range 100 {
		if n := utf8.RuneCountInString(s.line(room)); n > room {
			t.Errorf("%d columns where there is room for %d", n, room)
		}
	}
	if got := peakBar(0); got != "[................] " {
		t.Errorf("silence is %q", got)
	}
}

// Text goes above the line, which is drawn anew.
func TestLiveStatusMakesRoom(t *testing.T) {
	var out bytes.Buffer
	s := &liveStatus{w: &out, show: true, columns: func() int { return 80 }, name: "ann"}
	s.draw()
	s.Write([]byte("vc: text\n"))
	s.draw()
	s.end()
	s.draw()
	line := "\r\x1b[K" + s.line(79)
	if want := line + "\r\x1b[Kvc: text\n" + line + "\r\x1b[K"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	out.Reset()
	hidden := &liveStatus{w: &out}
	hidden.begin(context.Background(), "")
	hidden.draw()
	if out.Len() > 0 {
		t.Errorf("where there is no terminal it writes %q", out.String())
	}
}
