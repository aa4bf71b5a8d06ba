package server

import (
	"math"
	"slices"
	"time"

	"github.com/starvc/vc/internal/backlog"
)

// liveMeter gathers what the client is told every second.
type liveMeter struct {
	rate  int // Hz
	piece time.Duration

	times             []time.Duration
	busy              time.Duration
	samples, late     int
	in, out           level
	queue, most, over time.Duration
	dropped           int
	droppedInAll      int
}

func newLiveMeter(rate int, piece time.Duration) *liveMeter {
	return &liveMeter{rate: rate, piece: piece, times: make([]time.Duration, 0, 256)}
}

// level is that of a second of sound.
type level struct {
	power float64
	n     int
	peak  float32
}

func (l *level) add(x []float32) {
	for _, v := range x {
		l.power += float64(v) * float64(v)
		l.peak = max(l.peak, v, -v)
	}
	l.n += len(x)
}

func (l *level) decibels() (rms, peak float64) {
	const silence = 1e-6
	return decibels(math.Sqrt(l.power/float64(max(1, l.n))), silence), decibels(float64(l.peak), silence)
}

func decibels(amplitude, least float64) float64 {
	return math.Round(200*math.Log10(max(amplitude, least))) / 10
}

// chunk is told of a piece and what became of it.
func (m *liveMeter) chunk(x, y []float32, took time.Duration) {
	m.busy += took
	m.samples += len(x)
	if len(m.times) < cap(m.times) {
		m.times = append(m.times, took)
	}
	if took > m.piece {
		m.late++
	}
	m.in.add(x)
	m.out.add(y)
}

// waits is told how much sound waits, and how much was sent before its time.
func (m *liveMeter) waits(queue, ahead time.Duration) {
	m.queue, m.most, m.over = queue, max(m.most, queue), max(m.over, ahead)
}

func (m *liveMeter) drop(samples int) { m.dropped += samples; m.droppedInAll += samples }

// line is what has happened since the last one.
func (m *liveMeter) line(c *converter) statsMessage {
	received, sent := c.counts()
	lasts := func(samples int) float64 { return milliseconds(backlog.Lasting(samples, m.rate)) }
	s := statsMessage{
		Type: "stats", Seconds: math.Round(100*float64(received)/float64(m.rate)) / 100, Queue: milliseconds(m.queue), QueueMax: milliseconds(m.most),
		Ahead: milliseconds(m.over), Dropped: lasts(m.dropped), DroppedTotal: lasts(m.droppedInAll), Late: m.late, Received: received, Sent: sent,
	}
	s.InputDB, s.InputPeakDB = m.in.decibels()
	s.OutputDB, s.OutputPeakDB = m.out.decibels()
	if m.samples > 0 {
		s.RTF = math.Round(1e4*m.busy.Seconds()/(float64(m.samples)/float64(m.rate))) / 1e4
	}
	if len(m.times) > 0 {
		slices.Sort(m.times)
		s.ChunkP99 = milliseconds(m.times[int(0.99*float64(len(m.times)-1)+0.5)])
	}
	if heard := c.stream.Heard(); heard.Frames > 0 {
		s.SpeakerHz = math.Round(10*math.Exp(heard.Pitch.Mean)) / 10
	}
	c.s.metrics.queue.Observe(m.most.Seconds())
	*m = liveMeter{rate: m.rate, piece: m.piece, times: m.times[:0], queue: m.queue, droppedInAll: m.droppedInAll}
	return s
}
