package run

import "errors"

// Ahead makes what consecutive steps take, such as their batches on the device, on a goroutine of its own while earlier steps run.
type Ahead[T any] struct {
	ready chan inAdvance[T]
	quit  chan struct{}
	free  func(T) error
}

type inAdvance[T any] struct {
	made T
	err  error
}

// stepsAhead is for how many steps all is ready, at most; what the one after them takes is in the making.
const stepsAhead = 2

// StartAhead begins with step from and ends before step to. The goroutine calls produce for one step after the other, until the
// first error; what produce gives beside an error is not freed. free gives back what no step took. The caller closes the result.
func StartAhead[T any](from, to int, produce func(step int) (T, error), free func(T) error) *Ahead[T] {
	a := &Ahead[T]{
		ready: make(chan inAdvance[T], stepsAhead), quit: make(chan struct{}), free: free,
	}
	go func() {
		defer close(a.ready)
		for step := from; step < to; step++ {
			select {
			case <-a.quit:
				return
			default:
			}
			made, err := produce(step)
			a.ready <- inAdvance[T]{made, err} // Close takes what Next does not
			if err != nil {
				return
			}
		}
	}()
	return a
}

// Next is what the next step takes; the caller frees it. After an error, or the last step, it must not be called again.
func (a *Ahead[T]) Next() (T, error) {
	next := <-a.ready
	return next.made, next.err
}

// Close ends the goroutine, waits for it, and frees what was not taken.
func (a *Ahead[T]) Close() error {
	close(a.quit)
	var err error
	for left := range a.ready { // until the goroutine is done
		if left.err == nil {
			err = errors.Join(err, a.free(left.made))
		}
	}
	return err
}
