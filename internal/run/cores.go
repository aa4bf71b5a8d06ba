package run

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// OnAllCores calls do for each number i below n, on as many goroutines as there are cores, each with a number of its own below
// GOMAXPROCS, and returns when all are done.
func OnAllCores(n int, do func(worker, i int)) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for worker := range min(runtime.GOMAXPROCS(0), n) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(worker, i)
			}
		})
	}
	wait.Wait()
}

// OnAllCoresTold is OnAllCores for work that may fail or take long: it tells say how much is done of what. The first error, or
// the end of ctx, stops it and is returned.
func OnAllCoresTold(ctx context.Context, n int, what string, say *Reporter, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	done := 0
	OnAllCores(n, func(_, i int) {
		if ctx.Err() != nil {
			return
		}
		if err := do(ctx, i); err != nil {
			cancel(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		done++
		say.Count(what, done, n)
	})
	say.Finish()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
