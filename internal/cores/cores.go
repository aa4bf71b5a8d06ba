// Package cores spreads pieces of work over goroutines.
package cores

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// All calls do for each number i below n, on as many goroutines as there are cores, each with a number of its own below
// GOMAXPROCS, and returns when all are done.
func All(n int, do func(worker, i int)) { spread(runtime.GOMAXPROCS(0), n, do) }

func spread(workers, n int, do func(worker, i int)) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for worker := range min(workers, n) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(worker, i)
			}
		})
	}
	wait.Wait()
}

// Each calls do for each number i below n, on so many goroutines, each with a number of its own below workers. After each piece, tell,
// unless nil, is told how many are done, by one goroutine at a time. The first error, or the end of ctx, stops it and is returned.
func Each(ctx context.Context, workers, n int, tell func(done int), do func(ctx context.Context, worker, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	done := 0
	spread(workers, n, func(worker, i int) {
		if ctx.Err() != nil {
			return
		}
		if err := do(ctx, worker, i); err != nil {
			cancel(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if done++; tell != nil {
			tell(done)
		}
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
