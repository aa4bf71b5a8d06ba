package main

import (
	"fmt"
	"time"

	"github.com/starvc/vc"
)

// latencySetting is one choice between delay and quality: the length of the pieces in which sound is taken, and how
// far the generator looks ahead, and how often the vocoder goes over its result.
type latencySetting struct {
	name      string
	chunk     time.Duration
	lookAhead int // frames
	passes    int
}

const defaultLatency = "normal"

// latencies are in order of delay.
func latencies() []latencySetting {
	return []latencySetting{
		{name: "low", chunk: 10 * time.Millisecond, lookAhead: 0},
		{name: defaultLatency, chunk: 10 * time.Millisecond, lookAhead: 1},
		{name: "high", chunk: 40 * time.Millisecond, lookAhead: 4, passes: 1},
	}
}

func latencyNames() []string {
	var names []string
	for _, l := range latencies() {
		names = append(names, l.name)
	}
	return names
}

func findLatency(name string) (latencySetting, error) {
	for _, l := range latencies() {
		if l.name == name {
			return l, nil
		}
	}
	return latencySetting{}, fmt.Errorf("--latency %q is not known, known are %q", name, latencyNames())
}

func (l latencySetting) options(m *vc.Model, rate int) vc.StreamOptions {
	o := m.StreamOptions(rate)
	o.LookAhead = min(l.lookAhead, m.Networks().Config.StemFuture)
	o.VocoderPasses = l.passes
	return o
}

// delayMilliseconds is the delay of a stream that takes its input in these pieces, from microphone to loudspeaker but for the
// sound cards' own buffers and the time of computing.
func delayMilliseconds(s *vc.Stream, p vc.Pieces) float64 {
	return 1000 * s.Delay(p).Seconds()
}
