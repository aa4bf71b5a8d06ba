package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	progressDelay  = 700 * time.Millisecond // keeps short work from flickering
	progressPause  = 100 * time.Millisecond // between two updates
	progressLength = 30                     // of the bar
)

// progress shows how far a piece of work is, in a line on a terminal, and only if it takes long. It may be used by several goroutines.
type progress struct {
	w       io.Writer // nil to show nothing
	what    string
	columns func() int
	now     func() time.Time

	mutex        sync.Mutex
	start, drawn time.Time
	part         float64
	open         bool // the line is on the screen
}

// newProgress returns one that shows nothing where show is false.
func newProgress(w io.Writer, show bool, what string) *progress {
	p := &progress{what: what, columns: func() int { return columns(w) }, now: time.Now, start: time.Now()}
	if show {
		p.w = w
	}
	return p
}

// set says that so much is done, 0 to 1.
func (p *progress) set(part float64) {
	if p.w == nil {
		return
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.part = min(max(part, 0), 1)
	now := p.now()
	if now.Sub(p.start) > progressDelay && now.Sub(p.drawn) >= progressPause && (p.part < 1 || p.open) {
		p.draw(now)
	}
}

// done makes room for other text. The line stays if the work is finished, and shows that; else it goes, and comes back with the
// next set.
func (p *progress) done() {
	if p.w == nil {
		return
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	switch {
	case !p.open:
		return
	case p.part == 1:
		p.draw(p.now()) // the last updates may have come too fast to be shown
		fmt.Fprintln(p.w)
	default:
		fmt.Fprint(p.w, "\r\x1b[K")
	}
	p.open = false
}

// draw leaves an error of the terminal alone: that it is gone does not stop the work.
func (p *progress) draw(now time.Time) {
	fmt.Fprintf(p.w, "\r\x1b[K%s", p.line(now.Sub(p.start)))
	p.drawn, p.open = now, true
}

// line is at most a column narrower than the terminal, since some begin a new line as soon as one is full. Where room is short the
// bar is shorter, then missing, then the time.
func (p *progress) line(took time.Duration) string {
	room := p.columns() - 1
	text := fmt.Sprintf("%s %3d %%", p.what, int(100*p.part))
	left := ""
	switch {
	case p.part == 1:
		left = fmt.Sprintf("  in %v", took.Round(time.Second))
	case p.part > 0:
		left = fmt.Sprintf("  %v left", time.Duration(float64(took)*(1/p.part-1)).Round(time.Second))
	}
	if bar := min(progressLength, room-utf8.RuneCountInString(text+left)-3); bar >= 5 {
		full := int(float64(bar) * p.part)
		text += " [" + strings.Repeat("#", full) + strings.Repeat(".", bar-full) + "]"
	}
	if utf8.RuneCountInString(text+left) <= room {
		return text + left
	}
	if runes := []rune(text); len(runes) > room {
		text = string(runes[:max(room, 0)])
	}
	return text
}
