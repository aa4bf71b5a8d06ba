package server

import "time"

// latency is a choice between delay and quality, of a live stream.
type latency struct {
	id        string
	about     string
	chunk     time.Duration
	lookAhead int // frames of 10 ms
	passes    int // of the vocoder over its result
}

// latencies are those of vc stream, in order of delay.
func latencies() []latency {
	return []latency{
		{id: "low", about: "the least delay", chunk: 10 * time.Millisecond},
		{id: "normal", about: "clearer words", chunk: 10 * time.Millisecond, lookAhead: 1},
		{id: "high", about: "the best sound", chunk: 40 * time.Millisecond, lookAhead: 4, passes: 1},
	}
}

func findLatency(id string) (latency, bool) {
	if id == "" {
		id = "normal"
	}
	for _, l := range latencies() {
		if l.id == id {
			return l, true
		}
	}
	return latency{}, false
}
