package main

import (
	"fmt"

	"github.com/starvc/vc"
	"github.com/starvc/vc/internal/livesound"
)

func findLatency(name string) (livesound.Latency, error) {
	l, ok := livesound.Find(name)
	if !ok {
		return l, fmt.Errorf("--latency %q is not known, known are %q", name, livesound.Names())
	}
	return l, nil
}

// delayMilliseconds is the delay of a stream that takes its input in these pieces, from microphone to loudspeaker but for the
// sound cards' own buffers and the time of computing.
func delayMilliseconds(s *vc.Stream, p vc.Pieces) float64 {
	return 1000 * s.Delay(p).Seconds()
}
