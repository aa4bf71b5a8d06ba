package cores

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
)

// Every piece is done once, by a worker whose number is its own, and told in order.
func TestEach(t *testing.T) {
	const workers, n = 3, 50
	var times [n]atomic.Int32
	var busy [workers]atomic.Int32
	told := 0
	err := Each(context.Background(), workers, n, func(done int) {
		if told++; done != told {
			t.Errorf("told %d, want %d", done, told)
		}
	}, func(_ context.Context, worker, i int) error {
		if busy[worker].Add(1) != 1 {
			t.Errorf("two goroutines have the number %d", worker)
		}
		times[i].Add(1)
		busy[worker].Add(-1)
		return nil
	})
	if err != nil || told != n {
		t.Errorf("%d of %d told, error %v", told, n, err)
	}
	for i := range times {
		if k := times[i].Load(); k != 1 {
			t.Errorf("piece %d was done %d times", i, k)
		}
	}
}

func TestEachStops(t *testing.T) {
	broken := errors.New("broken")
	begun := 0
	err := Each(context.Background(), 1, 9, nil, func(ctx context.Context, _, i int) error {
		if begun++; i == 3 {
			return broken
		}
		return ctx.Err()
	})
	if err != broken || begun != 4 {
		t.Errorf("error %v after %d pieces, want %v after 4", err, begun, broken)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Each(ctx, 2, 9, nil, func(context.Context, int, int) error { t.Error("begun"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
