package run

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// Reporter tells a person how the work goes: one line that renews itself on a terminal, plain lines now and then elsewhere.
// Several goroutines may use it.
type Reporter struct {
	mu       sync.Mutex
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
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endLine()
	fmt.Fprint(p.w, p.filled("vc: "+fmt.Sprintf(format, a...)+"\n"))
}

// filled is text whose lines keep to the terminal's width, those that go on indented. Commands to copy, behind "next: ", stay whole.
func (p *Reporter) filled(text string) string {
	if !p.terminal {
		return text
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "vc: next: ") {
			b.WriteString(line)
			continue
		}
		b.WriteString(fold(line, p.width()))
	}
	return b.String()
}

// fold breaks a line at blanks so that none is longer than so many characters, where its words allow it.
func fold(line string, columns int) string {
	length := func(s string) int { return len([]rune(s)) }
	if length(line) <= columns {
		return line
	}
	start := len(line) - len(strings.TrimLeft(line, " "))
	indent := strings.Repeat(" ", start+4)
	var b strings.Builder
	used := 0
	for i, word := range strings.Split(strings.TrimRight(line[start:], "\n"), " ") {
		switch {
		case i == 0:
			b.WriteString(line[:start] + word)
			used = start + length(word)
		case used+1+length(word) > columns:
			b.WriteString("\n" + indent + word)
			used = len(indent) + length(word)
		default:
			b.WriteString(" " + word)
			used += 1 + length(word)
		}
	}
	return b.String() + "\n"
}

// Progress shows the present state of long work: now, or if the last one is too near, with the next one, or by Finish.
func (p *Reporter) Progress(line string) {
	if p.quiet {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
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
		if width := p.width(); len([]rune(line)) >= width { // a line that wraps could not be renewed
			line = string([]rune(line)[:width-1])
		}
		fmt.Fprintf(p.w, "\r\x1b[K%s", line)
		p.open = true
		return
	}
	fmt.Fprintf(p.w, "vc: %s\n", line)
}

// ProgressOf shows a state of several parts, the most important first. On a terminal those at the end that the line has no room for are
// left out, and before them bar, which stands behind the first.
func (p *Reporter) ProgressOf(first, bar string, others ...string) {
	all := append([]string{first + " " + bar}, others...)
	if p.terminal {
		all = p.fitting(p.width()-1, first, bar, others)
	}
	p.Progress(strings.Join(all, "  "))
}

// fitting is those parts that a line of so many characters has room for.
func (p *Reporter) fitting(width int, first, bar string, others []string) []string {
	length := func(s string) int { return len([]rune(s)) }
	all, used := []string{first}, length(first)
	for _, part := range others {
		if used += 2 + length(part); used > width {
			break
		}
		all = append(all, part)
	}
	if len(all) == len(others)+1 && used+1+length(bar) <= width {
		all[0] += " " + bar
	}
	return all
}

// Count shows done out of total.
func (p *Reporter) Count(what string, done, total int) {
	if p.terminal || done == total {
		p.Progress(fmt.Sprintf("%s %s %d/%d", what, Bar(done, total), done, total))
	}
}

// Finish shows how the work ended, and ends a renewed line.
func (p *Reporter) Finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
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
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endLine()
	if _, err := io.WriteString(p.w, p.filled(string(text))); err != nil {
		return 0, err
	}
	return len(text), nil
}

// unknownWidth is that of a terminal that does not tell.
const unknownWidth = 80

// width is the terminal's, in characters.
func (p *Reporter) width() int {
	if f, ok := p.w.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 1 {
			return w
		}
	}
	return unknownWidth
}

// Clock shows how long something has been going on that tells nothing of itself, beside how long it usually takes where that is
// known, until stop is called, which waits for the last word. Nothing is shown of what takes less than a second.
func (p *Reporter) Clock(what string, usual time.Duration) (stop func()) {
	done, ended, began := make(chan struct{}), make(chan struct{}), time.Now()
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				line := fmt.Sprintf("%s, %.0f s so far", what, time.Since(began).Seconds())
				if usual > 0 {
					line += fmt.Sprintf("; usually %.0f s", usual.Seconds())
				}
				p.Progress(line)
			}
		}
	}()
	return func() { close(done); <-ended }
}
