package train

import (
	"errors"

	"github.com/gomlx/gomlx/core/tensors"
)

// loader draws the batches of consecutive steps and puts them on the device while earlier steps run there.
type loader struct {
	ready    chan loaded
	quit     chan struct{}
	finished chan struct{}
	engine   *engine
	unused   []*tensors.Tensor // what was made when the loading ended
}

type loaded struct {
	in  []*tensors.Tensor // see engine.tensorsOf
	err error
}

// loadAhead is how many batches wait on the device.
const loadAhead = 2

// load begins with step from. The batcher is the loader's from now on; the caller closes the loader.
func (e *engine) load(b *batcher, from, to int) *loader {
	l := &loader{ready: make(chan loaded, loadAhead), quit: make(chan struct{}), finished: make(chan struct{}), engine: e}
	go func() {
		defer close(l.finished)
		host := b.newBatch()
		for step := from; step < to; step++ {
			b.fill(host, step)
			in, err := e.tensorsOf(host)
			select {
			case l.ready <- loaded{in, err}:
			case <-l.quit:
				l.unused = in
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return l
}

// next is the batch of the next step, which the caller frees. After an error it must not be called again.
func (l *loader) next() ([]*tensors.Tensor, error) {
	b := <-l.ready
	return b.in, b.err
}

// close ends the loading and frees what was not used.
func (l *loader) close() error {
	close(l.quit)
	<-l.finished
	close(l.ready)
	err := l.engine.steps.Free(l.unused)
	for b := range l.ready {
		err = errors.Join(err, l.engine.steps.Free(b.in))
	}
	return err
}
