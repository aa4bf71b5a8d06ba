package run

import (
	"slices"
	"time"
)

// Pace is the speed of late, not of a whole run: phases differ in the cost of their steps, and each compiles when it begins.
type Pace struct {
	at    time.Time // of the last mark, and the steps made by then
	made  int
	phase string
	paces []float64 // seconds per step between the last marks
	first bool      // paces holds but the interval in which the phase began
}

// Mark takes note of the steps made and returns the seconds per step of late in the phase; 0 at the first call.
func (p *Pace) Mark(phase string, made int) float64 {
	now := time.Now()
	last, before := p.at, p.made
	p.at, p.made = now, made
	if last.IsZero() {
		return 0
	}
	switch {
	case p.phase != phase:
		p.phase, p.paces, p.first = phase, nil, true
	case p.first: // compiling was in that interval, so this one knows better
		p.paces, p.first = nil, false
	}
	p.paces = append(p.paces[max(0, len(p.paces)-15):], now.Sub(last).Seconds()/float64(max(made-before, 1)))
	sorted := slices.Clone(p.paces)
	slices.Sort(sorted)
	return sorted[len(sorted)/2] // the median passes over compiling and validation
}

// Left is how long so many steps take at so many seconds per step.
func Left(steps int, pace float64) time.Duration {
	return time.Duration(float64(steps) * pace * float64(time.Second)).Round(time.Second)
}
