package gan

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// grow lengthens dst by n, allocating only where there is no room.
func grow(dst []float32, n int) []float32 {
	return slices.Grow(dst, n)[:len(dst)+n]
}

// Pieces of a recording that are converted beside each other: long enough that the frames computed twice at their
// beginnings do not count, short enough that there are some for every thread.
const (
	minPieceFrames = 256
	maxPieceFrames = 4096
)

// Offline converts a whole recording, logMel [frames, nMels] and controls [frames, Controls], on up to threads
// cores, and gives [frames, nMels]. g's own stream is neither used nor changed. The output is that of Process and
// Flush, bit for bit: the network sees a bounded stretch of the past, so a piece that starts that much earlier than
// it is needed comes out the same as if all before it had been there. The only error is ctx's.
func (g *Generator) Offline(ctx context.Context, logMel, controls []float32, threads int) ([]float32, error) {
	c := g.net.cfg
	frames := g.frames(logMel, controls)
	threads = max(1, threads)
	piece := min(max((frames+threads-1)/threads, minPieceFrames), maxPieceFrames)
	if threads == 1 {
		piece = max(frames, 1)
	}
	out := make([]float32, frames*c.NMels)
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(threads, (frames+piece-1)/piece) {
		wait.Go(func() {
			f := g.Fork()
			for {
				start := int(next.Add(1)-1) * piece
				if start >= frames || ctx.Err() != nil {
					return
				}
				f.piece(ctx, out, logMel, controls, start, min(start+piece, frames))
			}
		})
	}
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return out, nil
}

// piece fills out's frames start to end. The stream is fresh before and after, unless ctx ends.
func (g *Generator) piece(ctx context.Context, out, logMel, controls []float32, start, end int) {
	nMels := g.net.cfg.NMels
	frames := len(logMel) / nMels
	from := max(0, start-g.net.cfg.receptivePast())
	to := min(frames, end+g.net.lookAhead)
	at := from
	buf := make([]float32, 0, 2*blockFrames*nMels)
	keep := func() {
		for t := range len(buf) / nMels {
			if at+t >= start && at+t < end {
				copy(out[(at+t)*nMels:(at+t+1)*nMels], buf[t*nMels:])
			}
		}
		at += len(buf) / nMels
		buf = buf[:0]
	}
	for done := from; done < to && ctx.Err() == nil; {
		n := min(blockFrames, to-done)
		buf = g.Process(buf, logMel[done*nMels:(done+n)*nMels], controls[done*Controls:(done+n)*Controls])
		keep()
		done += n
	}
	buf = g.Flush(buf) // what the end of the recording still owes; elsewhere it lies behind end
	keep()
}
