package corpus

import "context"

// Prefetcher draws the batches of consecutive steps ahead of their use.
type Prefetcher struct {
	batches chan *Batch
	ctx     context.Context
	cancel  context.CancelFunc
	done    chan struct{}
}

// Prefetch starts a goroutine that draws the batches from step from on and keeps up to depth of them ready (at least
// one). The caller must Close the result, also after ctx is done.
func Prefetch(ctx context.Context, b *Batcher, from, depth int) *Prefetcher {
	ctx, cancel := context.WithCancel(ctx)
	p := &Prefetcher{batches: make(chan *Batch, max(depth, 1)), ctx: ctx, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		for step := from; ctx.Err() == nil; step++ {
			batch := b.At(step)
			select {
			case p.batches <- batch:
			case <-ctx.Done():
			}
		}
	}()
	return p
}

// Next is the batch of the next step, equal to Batcher.At of that step. The caller owns it. After ctx is done or after
// Close it returns the context's error.
func (p *Prefetcher) Next() (*Batch, error) {
	if err := p.ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case batch := <-p.batches:
		return batch, nil
	case <-p.ctx.Done():
		return nil, p.ctx.Err()
	}
}

// Close stops the goroutine and waits for it. It may be called more than once.
func (p *Prefetcher) Close() {
	p.cancel()
	<-p.done
}
