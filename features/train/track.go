package train

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"sync"

	"github.com/starvc/vc/features"
)

// judge decides about the voicing of a frame.
type judge = func(in *[inputs]float64) bool

// collect runs the tracker over a recording and keeps what its network sees in every frame that is not silent. guide
// decides about the voicing meanwhile, or the recording's own F0 where it is nil.
func collect(c Recording, guide judge, weight float64) Frames {
	var f Frames
	frame := 0
	p := features.NewF0Tracker(features.DefaultConfig())
	p.SetVoicing(func(in *[inputs]float64) bool {
		voiced := c.F0[frame] > 0
		f.In = append(f.In, *in)
		f.Voiced = append(f.Voiced, voiced)
		f.Weight = append(f.Weight, weight)
		if guide != nil {
			return guide(in)
		}
		return voiced
	})
	cfg := features.DefaultConfig()
	var got []float32
	at := 0
	for ; frame < len(c.F0); frame++ {
		end := frame*cfg.Hop + cfg.WinLength/2
		if end > len(c.Samples) {
			break
		}
		got = p.Process(got[:0], c.Samples[at:end])
		at = end
	}
	return f
}

// collectAll is the frames of all recordings, in their order.
func collectAll(ctx context.Context, all []Recording, guide judge, weight float64) (Frames, error) {
	parts := make([]Frames, len(all))
	err := inParallel(ctx, len(all), func(i int) { parts[i] = collect(all[i], guide, weight) })
	var f Frames
	for _, p := range parts {
		f.append(p)
	}
	return f, err
}

// inParallel calls do(0) to do(n-1), as many at once as there are processors.
func inParallel(ctx context.Context, n int, do func(i int)) error {
	numbers := make(chan int)
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for i := range numbers {
				do(i)
			}
		})
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		numbers <- i
	}
	close(numbers)
	wait.Wait()
	return ctx.Err()
}

// Score is what the tracker and the teacher disagree about.
type Score struct {
	Frames  int
	Voicing int // frames that only one of them calls voiced
	Both    int // frames that both call voiced
	Gross   int // of those, with F0s more than 20 % apart
}

func (s *Score) add(t Score) {
	s.Frames += t.Frames
	s.Voicing += t.Voicing
	s.Both += t.Both
	s.Gross += t.Gross
}

// String has the voicing error and the gross error, in percent.
func (s Score) String() string {
	return fmt.Sprintf("%6.2f %6.2f", 100*float64(s.Voicing)/float64(max(1, s.Frames)),
		100*float64(s.Gross)/float64(max(1, s.Both)))
}

// scoreOf tracks a recording with the network, or the tracker's own where it is nil.
func scoreOf(c Recording, n *Network) Score {
	p := features.NewF0Tracker(features.DefaultConfig())
	if n != nil {
		p.SetVoicing(n.Voiced)
	}
	got := p.Flush(p.Process(nil, c.Samples))
	var s Score
	for i := range min(len(got), len(c.F0)) {
		s.Frames++
		switch {
		case (got[i] > 0) != (c.F0[i] > 0):
			s.Voicing++
		case got[i] > 0:
			s.Both++
			if math.Abs(float64(got[i])/c.F0[i]-1) > 0.2 {
				s.Gross++
			}
		}
	}
	return s
}

// scores are the speakers', added up over their recordings.
func scores(ctx context.Context, all []Recording, n *Network) (map[string]Score, error) {
	parts := make([]Score, len(all))
	err := inParallel(ctx, len(all), func(i int) { parts[i] = scoreOf(all[i], n) })
	out := map[string]Score{}
	for i, c := range all {
		s := out[c.Speaker]
		s.add(parts[i])
		out[c.Speaker] = s
	}
	return out, err
}
