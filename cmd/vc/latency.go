package main

import (
	"fmt"
	"time"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/convert"
)

// latencySetting is one choice between delay and quality: the length of the pieces in which sound is taken, and how
// far generator and vocoder look ahead.
type latencySetting struct {
	name                  string
	chunk                 time.Duration
	lookAhead, vocoder    int // frames
	iterations, fadeSteps int
}

// latencies are in order of delay.
func latencies() []latencySetting {
	return []latencySetting{
		{name: "low", chunk: 10 * time.Millisecond, lookAhead: 0, vocoder: 0, iterations: 8, fadeSteps: 8},
		{name: "normal", chunk: 20 * time.Millisecond, lookAhead: 2, vocoder: 0, iterations: 8, fadeSteps: 8},
		{name: "high", chunk: 40 * time.Millisecond, lookAhead: 4, vocoder: 3, iterations: 6, fadeSteps: 8},
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

func (l latencySetting) options(m *gan.Model, rate int) convert.StreamOptions {
	return convert.StreamOptions{
		InputRate: rate, OutputRate: rate, LookAhead: min(l.lookAhead, m.Config.StemFuture),
		VocoderLookAhead: l.vocoder, VocoderIterations: l.iterations, FadeFrames: l.fadeSteps,
	}
}

func (l latencySetting) chunkSamples(rate int) int {
	return max(1, int(l.chunk*time.Duration(rate)/time.Second))
}

// milliseconds is the delay of a stream that is fed with these chunks: what the stream says, which holds for chunks of
// a hop, and the wait for the rest of a longer chunk.
func (l latencySetting) milliseconds(m *gan.Model, s *convert.Stream) float64 {
	hop := float64(m.Features.Hop) / float64(m.Features.SampleRate)
	return 1000 * (s.LatencySeconds() + max(0, l.chunk.Seconds()-hop))
}
