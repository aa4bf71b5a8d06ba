package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/internal/backlog"
)

// meter measures a live stream and prints a line every second, where it has somewhere to print to.
type meter struct {
	out   io.Writer
	rate  int
	chunk time.Duration
	since time.Time // of this line
	start time.Time // of this chunk

	times           []time.Duration // of this line's chunks, as far as there is room
	busy            time.Duration   // of all of this line's chunks
	samples, underr int
	oldest          time.Duration // the greatest age of this line
	dropped         int           // samples of this line
	in, got         []float32     // this line's sound, at most a second or two of it
}

// newMeter prints to out, which may be nil for nobody.
func newMeter(out io.Writer, rate int, chunk time.Duration) *meter {
	return &meter{out: out, rate: rate, chunk: chunk, times: make([]time.Duration, 0, 256), in: make([]float32, 0, 2*rate), got: make([]float32, 0, 2*rate)}
}

func (m *meter) begin(x []float32) {
	if m.out == nil {
		return
	}
	m.start = time.Now()
	if m.since.IsZero() {
		m.since = m.start
	}
	m.in = appendWithin(m.in, x)
}

// appendWithin never lets x grow: the figures are about the last second, and a stream may run for days.
func appendWithin(x, more []float32) []float32 {
	return append(x, more[:min(len(more), cap(x)-len(x))]...)
}

// delayFigures are about the sound that waits when a chunk goes out.
type delayFigures struct {
	live bool
	age  time.Duration // of the oldest sound that waits to be converted or played
	dry  time.Duration // for so long a player has had nothing to play
}

// drop is told of samples that were dropped.
func (m *meter) drop(samples int) { m.dropped += samples }

// ranDry is told by a player that it has had nothing to play.
func (m *meter) ranDry() { m.underr++ }

// end takes the sound that went out, for so many samples that came in. It is an underrun if a chunk took longer than its sound
// lasts, or if it goes out so long after the ones before it, whatever the cause, that a player has run dry for half a chunk.
func (m *meter) end(y []float32, received int, delay delayFigures) {
	if m.out == nil || received == 0 {
		return
	}
	now := time.Now()
	took := now.Sub(m.start)
	m.busy += took
	if len(m.times) < cap(m.times) {
		m.times = append(m.times, took)
	}
	if took > m.chunk || delay.dry > m.chunk/2 {
		m.underr++
	}
	m.oldest = max(m.oldest, delay.age)
	m.samples += received
	m.got = appendWithin(m.got, y)
	if now.Sub(m.since) < time.Second {
		return
	}
	slices.Sort(m.times)
	at := func(p float64) float64 {
		return m.times[int(p*float64(len(m.times)-1)+0.5)].Seconds() * 1000
	}
	rtf := m.busy.Seconds() / (float64(m.samples) / float64(m.rate))
	inDB, _ := audio.Level(m.in)
	outDB, _ := audio.Level(m.got)
	fmt.Fprintf(m.out, "vc: rtf %.3f  chunk p50 %.2f p95 %.2f p99 %.2f ms  underruns %d  %s  in %s  out %s\n",
		rtf, at(0.5), at(0.95), at(0.99), m.underr, m.pile(delay.live), decibels(inDB), decibels(outDB))
	m.oldest, m.dropped = 0, 0
	m.since, m.samples, m.busy, m.times, m.in, m.got = now, 0, 0, m.times[:0], m.in[:0], m.got[:0]
}

// pile says how much sound has waited and was dropped. With a file it has no meaning how much waits.
func (m *meter) pile(live bool) string {
	if !live {
		return "not live"
	}
	return fmt.Sprintf("waited %.0f ms  dropped %.0f ms", 1000*m.oldest.Seconds(), 1000*backlog.Lasting(m.dropped, m.rate).Seconds())
}
