package convert

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/vocoder"
)

const (
	griffinLimIterations = 32
	sourceFilterPasses   = 3 // none or fewer in streams, where they cost latency
	rtisiLookAhead       = 3 // frames, likewise
	rtisiIterations      = 8
	chunkFrames          = 100

	// Recordings longer than a piece are cut at quiet places, so that pieces can be done beside each other and the
	// memory in use does not depend on the length.
	pieceFrames   = 1000
	searchFrames  = 300 // a cut is the quietest frame of the last so many of a piece
	contextFrames = 16  // frames beyond each end that are synthesised too and thrown away
)

// Vocode makes that many samples of frames as a Converter with vocoder v would: what a conversion that changes nothing
// sounds like.
func Vocode(ctx context.Context, cfg features.Config, v Vocoder, f features.Frames, samples int) ([]float32, error) {
	o := Options{Threads: 1, Vocoder: v}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	c := Converter{model: &gan.Model{Features: cfg}, o: o.withDefaults()}
	return c.synthesize(ctx, f.LogMel, f.F0, samples, func(float64) {})
}

// synthesize makes samples of normalised log-mel frames, [frames, nMels], and their F0, [frames].
func (c *Converter) synthesize(ctx context.Context, logMel, f0 []float32, samples int, progress func(float64)) ([]float32, error) {
	if c.o.Vocoder != GriffinLim {
		return c.synthesizeInOrder(ctx, logMel, f0, samples, progress)
	}
	cfg := c.model.Features
	cuts := quietCuts(logMel, cfg.NMels)
	pieces := len(cuts) - 1
	made := make([][]float32, pieces)
	workers := min(c.o.Threads, pieces)
	makers := make([]*vocoder.GriffinLim, workers)
	for i := range makers {
		var err error
		if makers[i], err = vocoder.NewGriffinLim(cfg, griffinLimIterations); err != nil {
			return nil, err
		}
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	var mutex sync.Mutex
	done := 0
	for _, g := range makers {
		wait.Go(func() {
			for {
				i := int(next.Add(1) - 1)
				if i >= pieces || ctx.Err() != nil {
					return
				}
				made[i] = piece(g, cfg, logMel, samples, cuts[i], cuts[i+1])
				mutex.Lock()
				done++
				progress(float64(done) / float64(pieces))
				mutex.Unlock()
			}
		})
	}
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return join(made, cuts, cfg.Hop, samples), nil
}

// piece synthesises frames from to to with context, and returns the samples from one hop before the first frame's
// centre to one hop beyond the centre of frame to, as far as the recording has them.
func piece(g *vocoder.GriffinLim, cfg features.Config, logMel []float32, samples, from, to int) []float32 {
	frames := len(logMel) / cfg.NMels
	a, b := max(0, from-contextFrames), min(frames, to+contextFrames)
	n := samples - a*cfg.Hop
	if b < frames {
		n = (b - 1 - a) * cfg.Hop
	}
	x := g.Synthesize(logMel[a*cfg.NMels:b*cfg.NMels], n)
	start := max(0, (from-1)*cfg.Hop) - a*cfg.Hop
	end := n
	if b < frames || to < frames {
		end = min(n, (to+1-a)*cfg.Hop)
	}
	return x[start:end]
}

// join lays the pieces beside each other, cross-faded over one hop to both sides of each cut.
func join(pieces [][]float32, cuts []int, hop, samples int) []float32 {
	out := make([]float32, samples)
	for i, x := range pieces {
		start := max(0, (cuts[i]-1)*hop)
		for k, v := range x {
			at := start + k
			w := float32(1)
			if i > 0 {
				w = min(w, float32(at-start)/float32(2*hop))
			}
			if i < len(pieces)-1 {
				w = min(w, float32((cuts[i+1]+1)*hop-at)/float32(2*hop))
			}
			out[at] += w * v
		}
	}
	return out
}

// quietCuts returns the first frame of every piece, and the number of frames at the end.
func quietCuts(logMel []float32, nMels int) []int {
	frames := len(logMel) / nMels
	cuts := []int{0}
	for at := 0; frames-at > pieceFrames+searchFrames; {
		best, quietest := 0, float32(0)
		for t := at + pieceFrames - searchFrames; t < at+pieceFrames; t++ {
			level := float32(0)
			for _, v := range logMel[t*nMels : (t+1)*nMels] {
				level += v
			}
			if best == 0 || level < quietest {
				best, quietest = t, level
			}
		}
		at = best
		cuts = append(cuts, at)
	}
	return append(cuts, frames)
}

func (c *Converter) synthesizeInOrder(ctx context.Context, logMel, f0 []float32, samples int, progress func(float64)) ([]float32, error) {
	cfg := c.model.Features
	v, err := StreamOptions{
		Vocoder: c.o.Vocoder, VocoderPasses: sourceFilterPasses, VocoderLookAhead: rtisiLookAhead, VocoderIterations: rtisiIterations,
	}.NewVocoder(cfg)
	if err != nil {
		return nil, err
	}
	out := make([]float32, 0, samples+cfg.Hop)
	for at := 0; at < len(f0); at += chunkFrames {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		end := min(at+chunkFrames, len(f0))
		out = v.Process(out, logMel[at*cfg.NMels:end*cfg.NMels], f0[at:end])
		progress(float64(end) / float64(len(f0)))
	}
	return v.FlushTo(out, samples), nil
}
