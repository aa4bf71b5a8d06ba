package main

import (
	"context"
	"errors"
	"testing"
)

// endsSoon is a context that is over from the second question on.
type endsSoon struct {
	context.Context
	asked int
}

func (c *endsSoon) Err() error {
	if c.asked++; c.asked > 1 {
		return context.Canceled
	}
	return nil
}

// A file whose conversion was interrupted does not count as done: progress never says 100 % after Ctrl-C.
func TestInterruptedIsNotDone(t *testing.T) {
	for _, c := range []struct {
		ctx  context.Context
		want float64
	}{{&endsSoon{Context: context.Background()}, 0}, {context.Background(), 1}} {
		w := &converting{env: testEnv(), jobs: []job{{in: "a.wav", err: errors.New("it failed")}}, parts: make([]float64, 1)}
		w.bar = newProgress(nil, false, "converting")
		w.run(c.ctx, 1)
		if w.parts[0] != c.want {
			t.Errorf("%g is done, want %g", w.parts[0], c.want)
		}
	}
}
