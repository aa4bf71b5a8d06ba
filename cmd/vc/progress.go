package main

import (
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progressDelay keeps short work from flickering.
const progressDelay = 700 * time.Millisecond

// progress shows how far a piece of work is, on a terminal only, and only if it takes long.
type progress struct {
	bar   *progressbar.ProgressBar
	start time.Time
}

// newProgress returns one that shows nothing where show is false.
func newProgress(w io.Writer, show bool, what string) *progress {
	p := &progress{start: time.Now()}
	if show {
		p.bar = progressbar.NewOptions(1000,
			progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what), progressbar.OptionSetWidth(30),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetPredictTime(true),
			progressbar.OptionClearOnFinish(), progressbar.OptionSetElapsedTime(false))
	}
	return p
}

func (p *progress) set(part float64) {
	if p.bar != nil && time.Since(p.start) > progressDelay {
		// An error means that the terminal is gone, which does not stop the work.
		_ = p.bar.Set(int(min(max(part, 0), 1) * 1000))
	}
}

func (p *progress) done() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}
