package train

import (
	"errors"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/internal/run"
)

// inputs draws the batches of steps and puts them on the device, see tensorsOf. The batcher is no longer the caller's.
func (e *engine) inputs(b *batcher) run.Inputs[[]*tensors.Tensor] {
	host := b.newBatch()
	return run.Inputs[[]*tensors.Tensor]{
		Draw: func(step int) ([]*tensors.Tensor, error) {
			b.fill(host, step)
			return e.ready(host)
		},
		Free: e.steps.Free,
	}
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
