package vc

import "time"

// outputs returns how many output samples Process has given in all after n input samples since the beginning.
func (s *Stream) outputs(n int64) int64 {
	hop := int64(s.cfg.Hop)
	frames := int64(0)
	if wait := int64(s.cfg.WinLength - s.cfg.WinLength/2); s.in.Outputs(n) >= wait {
		frames = (s.in.Outputs(n)-wait)/hop + 1
	}
	frames -= int64(s.o.LookAhead)
	return s.out.Outputs(max(0, frames*hop-int64(s.vocoder.Latency())))
}

// Pieces cuts a live input: a first piece of its own length, then pieces of one duration, to the sample below where that
// is no whole number of samples, without drifting.
type Pieces struct {
	rate  int
	first int // samples
	every time.Duration

	begun bool
	carry int64 // what earlier pieces are too short, in samples times nanoseconds
}

// NewPieces cuts an input of that rate, in Hz. first and the samples in every must be at least 1.
func NewPieces(rate, first int, every time.Duration) Pieces {
	return Pieces{rate: rate, first: first, every: every}
}

// Next is the length of the next piece, in samples.
func (p *Pieces) Next() int {
	if !p.begun {
		p.begun = true
		return p.first
	}
	p.carry += int64(p.rate) * int64(p.every)
	n := p.carry / int64(time.Second)
	p.carry -= n * int64(time.Second)
	return int(n)
}

// Longest is the length that no piece exceeds.
func (p *Pieces) Longest() int {
	return max(p.first, int((int64(p.rate)*int64(p.every)+int64(time.Second)-1)/int64(time.Second)))
}

// delaySeconds is over how much sound Delay looks for the longest wait. Rates that have a common measure repeat
// themselves much sooner.
const delaySeconds = 2

// Delay is the time from a sound to its conversion where the input arrives in real time, is taken in these pieces, and the
// output is played without a gap, if computing took no time. It holds the wait for the rest of a piece, the windows and
// look-aheads, and the resamplers.
func (s *Stream) Delay(p Pieces) time.Duration {
	in, out := int64(s.o.InputRate), int64(s.o.OutputRate)
	// In units of 1/(in*out) seconds: what has been given must last until the end of the next piece.
	at := int64(p.Next())
	longest := at * out
	for at < delaySeconds*in {
		end := at + int64(p.Next())
		longest = max(longest, end*out-s.outputs(at)*in)
		at = end
	}
	return time.Duration(float64(longest) / float64(in*out) * float64(time.Second))
}

// Pieces cuts the input so that Delay is as short as it can be with pieces of that duration: they end where frames do.
func (s *Stream) Pieces(every time.Duration) Pieces {
	rate := s.o.InputRate
	best := NewPieces(rate, max(1, int(int64(rate)*int64(every)/int64(time.Second))), every)
	shortest := s.Delay(best)
	for first := 1; first < best.Longest(); first++ {
		p := NewPieces(rate, first, every)
		if d := s.Delay(p); d < shortest {
			best, shortest = p, d
		}
	}
	return best
}
