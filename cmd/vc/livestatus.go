package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// liveStatus is the last line of a terminal, which shows how loud sound comes in and goes out, and how late. What is written to it
// goes to standard error above that line.
type liveStatus struct {
	w       io.Writer
	show    bool
	columns func() int

	mu        sync.Mutex
	open      bool // the line is on the screen
	keys      string
	name      string
	semitones float64
	muted     bool
	in, out   float64 // the peaks since the last line
	delay     time.Duration
}

const (
	statusEvery = 100 * time.Millisecond
	meterFloor  = -60 // dB
	meterLength = 16
)

func newLiveStatus(e env) *liveStatus {
	return &liveStatus{w: e.stderr, show: e.stderrIsTerminal, columns: func() int { return columns(e.stderr) }}
}

// begin shows the line until ctx or the status ends.
func (s *liveStatus) begin(ctx context.Context, keys string) {
	s.mu.Lock()
	s.keys = keys
	s.mu.Unlock()
	if !s.show {
		return
	}
	go func() {
		tick := time.NewTicker(statusEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				s.draw()
			case <-ctx.Done():
				return
			}
		}
	}()
}

func (s *liveStatus) draw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.show {
		return
	}
	fmt.Fprintf(s.w, "\r\x1b[K%s", s.line(s.columns()-1))
	s.open, s.in, s.out = true, 0, 0
}

// line is at most so long; where room is short the keys go first.
func (s *liveStatus) line(room int) string {
	text := s.name
	if s.semitones != 0 {
		text += fmt.Sprintf(" %+g", s.semitones)
	}
	if s.muted {
		text += " MUTED"
	}
	text += fmt.Sprintf("  in %s  out %s  %3.0f ms", peakBar(s.in), peakBar(s.out), 1000*s.delay.Seconds())
	if utf8.RuneCountInString(text)+3+len(s.keys) <= room && s.keys != "" {
		return text + "   " + s.keys
	}
	if runes := []rune(text); len(runes) > room {
		return string(runes[:max(room, 0)])
	}
	return text
}

// peakBar draws a peak, from -60 dB up to full scale.
func peakBar(peak float64) string {
	db := 20 * math.Log10(peak+1e-9)
	full := int(math.Round(meterLength * (db - meterFloor) / -meterFloor))
	full = min(max(full, 0), meterLength)
	bar := "[" + strings.Repeat("#", full) + strings.Repeat(".", meterLength-full) + "]"
	if peak >= 0.99 {
		return bar + "!"
	}
	return bar + " "
}

// Write puts text above the line.
func (s *liveStatus) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	return s.w.Write(p)
}

func (s *liveStatus) clear() {
	if s.open {
		fmt.Fprint(s.w, "\r\x1b[K")
		s.open = false
	}
}

func (s *liveStatus) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	s.show = false
}

// heard is told of sound that came in or goes out.
func (s *liveStatus) heard(in, out []float32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.in, s.out = max(s.in, peak(in)), max(s.out, peak(out))
}

func peak(x []float32) float64 {
	most := float32(0)
	for _, v := range x {
		most = max(most, v, -v)
	}
	return float64(most)
}

// late is told how late the sound at hand will be heard.
func (s *liveStatus) late(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = d
}

func (s *liveStatus) voice(name string) { s.mu.Lock(); s.name = name; s.mu.Unlock() }
func (s *liveStatus) mute(on bool)      { s.mu.Lock(); s.muted = on; s.mu.Unlock() }
func (s *liveStatus) pitch(by float64)  { s.mu.Lock(); s.semitones = by; s.mu.Unlock() }
