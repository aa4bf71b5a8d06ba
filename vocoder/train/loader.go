package train

import (
	"errors"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/internal/run"
)

// load draws the batches of the steps in [from, to) and puts them on the device, see tensorsOf, while earlier steps run there. The
// batcher is no longer the caller's, who closes the result.
func (e *engine) load(b *batcher, from, to int) *run.Ahead[[]*tensors.Tensor] {
	host := b.newBatch()
	return run.StartAhead(from, to, func(step int) ([]*tensors.Tensor, error) {
		b.fill(host, step)
		return e.ready(host)
	}, e.steps.Free)
}

// ready puts on the device what the step of a batch takes.
func (e *engine) ready(b *batch) ([]*tensors.Tensor, error) {
	in, err := e.tensorsOf(b)
	if err != nil {
		return nil, err
	}
	if err := e.steps.Upload(in); err != nil { // several cards' parts; one has all already
		return nil, errors.Join(err, e.steps.Free(in))
	}
	return in, nil
}
