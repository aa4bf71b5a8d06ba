// Package livesound is what all ways to hear a voice live have in common: the choices between delay and quality, and the mixing of
// the voice with what came in.
package livesound

import (
	"time"

	"github.com/starvc/vc"
)

// Latency is one choice between delay and quality.
type Latency struct {
	Name      string
	About     string        // what it is good for
	Chunk     time.Duration // of the pieces in which sound is taken
	LookAhead int           // how far the generator looks ahead, in frames of 10 ms
	Passes    int           // how often the vocoder goes over its result
}

// Normal is the name of the usual choice.
const Normal = "normal"

// Latencies are in order of delay.
func Latencies() []Latency {
	return []Latency{
		{Name: "low", About: "the least delay", Chunk: 10 * time.Millisecond},
		{Name: Normal, About: "clearer words", Chunk: 10 * time.Millisecond, LookAhead: 1},
		{Name: "high", About: "the best sound", Chunk: 40 * time.Millisecond, LookAhead: 4, Passes: 1},
	}
}

// Names are those of the latencies, in order of delay.
func Names() []string {
	var names []string
	for _, l := range Latencies() {
		names = append(names, l.Name)
	}
	return names
}

// Find is the latency of that name. ok is false where there is none.
func Find(name string) (l Latency, ok bool) {
	for _, l := range Latencies() {
		if l.Name == name {
			return l, true
		}
	}
	return Latency{}, false
}

// Options are those of a stream of m, with sound at one rate in and out, in Hz.
func (l Latency) Options(m *vc.Model, rate int) vc.StreamOptions {
	o := m.StreamOptions(rate)
	o.LookAhead = min(l.LookAhead, m.Networks().Config.StemFuture)
	o.VocoderPasses = l.Passes
	return o
}
