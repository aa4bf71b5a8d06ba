package train

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/internal/mlx"
)

// engine compiles and runs the graphs of a phone network.
type engine struct {
	cfg     Config
	backend compute.Backend
	native  bool // the backend's own convolution
	vars    *mlx.Vars
	adam    mlx.AdamW
	cards   int        // of the backend that share each batch, 0 for one
	steps   *mlx.Steps // made with the first

	refuse func(graph string, batch int) error // for tests: what a device says that has no memory left
}

// newEngine runs a phone network over prepared variables.
func newEngine(c Config, backend compute.Backend, native bool, vars *mlx.Vars) *engine {
	return &engine{cfg: c, backend: backend, native: native, vars: vars, adam: optimizer(c)}
}

// over is the network over one group of weights; frozen ones take no gradient.
func (e *engine) over(g *Graph, group string, frozen bool) mlx.Net {
	lookup := e.vars.Lookup(g, group)
	if frozen {
		lookup = e.vars.Frozen(g, group)
	}
	return mlx.Net{Weights: lookup, DType: dtypes.Float32, NativeConv: e.native}
}

// open makes the steps, once; for what is done beside them it has to be called before.
func (e *engine) open() error {
	if e.steps != nil {
		return nil
	}
	steps := mlx.NewSteps(e.backend, e.vars)
	if err := steps.Share(e.cards); err != nil {
		return err
	}
	e.steps = steps
	return nil
}

// run executes a graph by name and frees its inputs.
func (e *engine) run(name string, build func([]*Node) []*Node, inputs ...*tensors.Tensor) (*tensors.Tensor, error) {
	if err := e.open(); err != nil {
		return nil, err
	}
	if e.refuse != nil {
		if err := e.refuse(name, e.cfg.Batch); err != nil {
			return nil, errors.Join(fmt.Errorf("%s step: %w", name, err), e.steps.Free(inputs))
		}
	}
	out, err := e.steps.Call(name, build, inputs...)
	return out, errors.Join(err, e.steps.Free(inputs))
}
