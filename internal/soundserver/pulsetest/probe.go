package pulsetest

import (
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/starvc/vc/internal/soundserver"
)

// Rate is that of all that is played and heard here, in Hz.
const Rate = 48000

// Dial connects to the server of that environment until the test ends.
func Dial(t testing.TB, env map[string]string) *soundserver.Server {
	t.Helper()
	s, err := soundserver.Dial("vc test", func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Play plays x to a sink in real time, without a gap, and returns when all of it has been played.
func Play(t testing.TB, s *soundserver.Server, sink string, x []float32) {
	t.Helper()
	sinks, err := s.Sinks()
	if err != nil {
		t.Fatal(err)
	}
	d, err := soundserver.Find(sinks, sink)
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Play(soundserver.PlayConfig{Sink: d, Rate: Rate, Block: 5 * time.Millisecond, Title: "test sound"})
	if err != nil {
		t.Fatal(err)
	}
	const ahead = 500 * time.Millisecond
	if err := p.Silence(ahead); err != nil {
		t.Fatal(err)
	}
	for len(x) > 0 {
		n := min(len(x), Rate/50)
		if err := p.Write(x[:n]); err != nil {
			t.Fatal(err)
		}
		x = x[n:]
		time.Sleep(p.Ahead() - ahead)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

// Probe hears a source, and when.
type Probe struct {
	recorder *soundserver.Recorder
	start    time.Time

	mu    sync.Mutex
	x     []float32
	comes []come
}

type come struct {
	first int // sample
	at    time.Duration
}

// Listen hears a source until the connection ends.
func Listen(t testing.TB, s *soundserver.Server, source string, start time.Time) *Probe {
	t.Helper()
	sources, err := s.Sources()
	if err != nil {
		t.Fatal(err)
	}
	d, err := soundserver.Find(sources, source)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Record(soundserver.RecordConfig{Source: d, Rate: Rate, Fragment: 5 * time.Millisecond, Title: "test probe"})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	p := &Probe{recorder: r, start: start}
	go func() {
		x := make([]float32, Rate)
		for {
			n, err := r.Read(x)
			if err != nil {
				return
			}
			now := time.Since(start)
			p.mu.Lock()
			p.comes = append(p.comes, come{len(p.x), now})
			p.x = append(p.x, x[:n]...)
			p.mu.Unlock()
		}
	}()
	return p
}

// Heard is all that was heard so far, and when its first sample was. Sound comes in fragments, some of them late: what counts is what
// most of those around a sample say.
func (p *Probe) Heard() ([]float32, func(sample int) time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x, comes := slices.Clone(p.x), slices.Clone(p.comes)
	return x, func(sample int) time.Duration {
		i, _ := slices.BinarySearchFunc(comes, sample, func(c come, n int) int { return c.first - n })
		const around = 50 // fragments
		var begins []time.Duration
		for _, c := range comes[max(0, i-around):min(len(comes), i+around)] {
			begins = append(begins, c.at-lasting(c.first))
		}
		slices.Sort(begins)
		return begins[len(begins)/4] + lasting(sample)
	}
}

func lasting(samples int) time.Duration {
	return time.Duration(float64(samples) / Rate * float64(time.Second))
}

// Clicks are short sounds, every half second, over a hum of -60 dB, which keeps gates open.
func Clicks(seconds int) []float32 {
	x := make([]float32, seconds*Rate)
	for i := range x {
		x[i] = float32(0.001 * math.Sin(2*math.Pi*100*float64(i)/Rate))
	}
	for at := Rate / 4; at+48 < len(x); at += Rate / 2 {
		for i := range 48 {
			x[at+i] = 0.9
		}
	}
	return x
}

// Onsets are the times of the clicks that were heard.
func (p *Probe) Onsets() []time.Duration {
	x, when := p.Heard()
	var found []time.Duration
	quiet := 0
	for i, v := range x {
		switch {
		case v < 0.3 && v > -0.3:
			quiet++
		case quiet > Rate/10:
			found = append(found, when(i))
			quiet = 0
		default:
			quiet = 0
		}
	}
	return found
}

// Delays are from each click in early to the next one in late, none where there is none within half a second.
func Delays(early, late []time.Duration) []time.Duration {
	var found []time.Duration
	for _, a := range early {
		i := slices.IndexFunc(late, func(b time.Duration) bool { return b >= a })
		if i >= 0 && late[i]-a < 500*time.Millisecond {
			found = append(found, late[i]-a)
		}
	}
	return found
}
