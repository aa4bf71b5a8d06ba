package vc

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// outputs must foretell what Process gives, sample by sample.
func TestStreamOutputs(t *testing.T) {
	for _, c := range []struct{ in, out, lookAhead int }{
		{16000, 16000, 0}, {16000, 16000, 4}, {48000, 48000, 2}, {44100, 44100, 2}, {22050, 48000, 1}, {8000, 8000, 2}, {44101, 16000, 0},
	} {
		s := stream(t, c.in, c.out, c.lookAhead)
		x := vowel(c.in, c.in/6)
		given := 0
		var y []float32
		for n := range x {
			y = s.Process(y[:0], x[n:n+1])
			given += len(y)
			if want := s.outputs(int64(n + 1)); int64(given) != want {
				t.Fatalf("%+v: %d samples gave %d, outputs says %d", c, n+1, given, want)
			}
		}
	}
}

// play feeds a stream in real time and says how late its output can be played without a gap: a player that starts at
// that time never waits for a sample.
func play(s *Stream, in, out int, x []float32, p Pieces) (delay float64) {
	at := p.Next()
	delay = float64(at) / float64(in)
	given := 0
	y := s.Process(nil, x[:at])
	for {
		next := p.Next()
		if at+next > len(x) {
			return delay
		}
		given += len(y)
		delay = max(delay, float64(at+next)/float64(in)-float64(given)/float64(out))
		y = s.Process(y[:0], x[at:at+next])
		at += next
	}
}

func TestStreamDelay(t *testing.T) {
	for _, rate := range []int{8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000} {
		for _, lookAhead := range []int{0, 2} {
			for _, ms := range []int{10, 20} {
				t.Run(fmt.Sprintf("%d Hz, look-ahead %d, %d ms", rate, lookAhead, ms), func(t *testing.T) {
					s := stream(t, rate, rate, lookAhead)
					every := time.Duration(ms) * time.Millisecond
					p := s.Pieces(every)
					said := s.Delay(p)
					heard := play(s, rate, rate, vowel(rate, rate), p)
					if d := math.Abs(said.Seconds() - heard); d > 1/float64(rate) {
						t.Errorf("Delay says %v, it is %.3f ms", said, 1000*heard)
					}
					// Windows, look-ahead, what of the chunk is more than a hop, and 2 ms for each resampler.
					want := 25 + float64(10*lookAhead) + float64(ms-10)
					if rate != 16000 {
						want += 4.3
					}
					if got := 1000 * said.Seconds(); got > want+1e-6 {
						t.Errorf("delay of %.3f ms, want %.3f at most", got, want)
					}
					if s.Delay(NewPieces(rate, rate*ms/1000, every)) < said {
						t.Error("the first piece is not the best")
					}
					t.Logf("delay %.2f ms", 1000*heard)
				})
			}
		}
	}
}

func TestDelayOfSamples(t *testing.T) {
	s := stream(t, 16000, 16000, 2)
	p := NewPieces(16000, 1, time.Second/16000)
	if got, want := s.Delay(p), time.Duration(s.Latency())*time.Second/16000; got != want {
		t.Errorf("sample by sample the delay is %v, want %v", got, want)
	}
}

func TestPieces(t *testing.T) {
	p := NewPieces(22050, 7, 10*time.Millisecond)
	sum, longest := 0, 0
	for range 1 + 100*3600 {
		n := p.Next()
		sum, longest = sum+n, max(longest, n)
	}
	if sum != 7+22050*3600 || longest != p.Longest() {
		t.Errorf("an hour has %d samples in pieces of at most %d, Longest says %d", sum, longest, p.Longest())
	}
}
