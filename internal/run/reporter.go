package run

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// Reporter tells a person how the work goes: one line that renews itself on a terminal, plain lines now and then elsewhere.
type Reporter struct {
	w        io.Writer
	quiet    bool
	terminal bool
	open     bool   // a renewed line is on the screen
	held     string // the latest progress, while it was too early to show it
	last     time.Time
}

// plainInterval is the time between lines of progress where nothing can be renewed.
const plainInterval = 10 * time.Second

// renewInterval is that between two states of a line on a terminal.
const renewInterval = 100 * time.Millisecond

// NewReporter reports to w; nil is nowhere. A quiet one lets only warnings through.
func NewReporter(w io.Writer, quiet bool) *Reporter {
	if w == nil {
		w = io.Discard
	}
	f, ok := w.(*os.File)
	return &Reporter{w: w, quiet: quiet, terminal: ok && term.IsTerminal(int(f.Fd()))}
}

// Linef writes a line that stays.
func (p *Reporter) Linef(format string, a ...any) {
	if p.quiet && !strings.HasPrefix(format, "warning") {
		return
	}
	p.endLine()
	fmt.Fprintf(p.w, "vc: "+format+"\n", a...)
}

// Progress shows the present state of long work: now, or if the last one is too near, with the next one, or by Finish.
func (p *Reporter) Progress(line string) {
	if p.quiet {
		return
	}
	pause := plainInterval
	if p.terminal {
		pause = renewInterval
	}
	if time.Since(p.last) < pause {
		p.held = line
		return
	}
	p.show(line)
	p.last = time.Now()
}

func (p *Reporter) show(line string) {
	p.held = ""
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K%s", line)
		p.open = true
		return
	}
	fmt.Fprintf(p.w, "vc: %s\n", line)
}

// Count shows done out of total.
func (p *Reporter) Count(what string, done, total int) {
	if p.terminal || done == total {
		p.Progress(fmt.Sprintf("%s %s %d/%d", what, Bar(done, total), done, total))
	}
}

// Finish shows how the work ended, and ends a renewed line.
func (p *Reporter) Finish() {
	if p.held != "" {
		p.show(p.held)
	}
	p.endLine()
}

// endLine makes room below a line that renews itself, which stays as of now. Plain lines of progress stay as rare as they are.
func (p *Reporter) endLine() {
	if !p.open {
		return
	}
	if p.held != "" {
		p.show(p.held)
	}
	fmt.Fprintln(p.w)
	p.open = false
}

// Bar draws done out of total in twenty characters.
func Bar(done, total int) string {
	const width = 20
	full := width
	if total > 0 {
		full = width * done / total
	}
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "]"
}

// Write lets a longer text through, below the line that renews itself.
func (p *Reporter) Write(text []byte) (int, error) {
	p.endLine()
	return p.w.Write(text)
}
