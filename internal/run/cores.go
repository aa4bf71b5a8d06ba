package run

import (
	"context"
	"runtime"

	"github.com/starvc/vc/internal/cores"
)

// OnAllCoresTold does n pieces of work that may fail or take long, on all cores: it tells say how much is done of what. The first error, or
// the end of ctx, stops it and is returned.
func OnAllCoresTold(ctx context.Context, n int, what string, say *Reporter, do func(ctx context.Context, i int) error) error {
	defer say.Finish()
	return cores.Each(ctx, runtime.GOMAXPROCS(0), n, func(done int) { say.Count(what, done, n) }, func(ctx context.Context, _, i int) error { return do(ctx, i) })
}
