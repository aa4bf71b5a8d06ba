package train

import (
	"errors"

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
	steps   *mlx.Steps
}

// newEngine runs a phone network over prepared variables.
func newEngine(c Config, backend compute.Backend, native bool, vars *mlx.Vars) *engine {
	return &engine{cfg: c, backend: backend, native: native, vars: vars, adam: optimizer(c), steps: mlx.NewSteps(backend, vars)}
}

// over is the network over one group of weights; frozen ones take no gradient.
func (e *engine) over(g *Graph, group string, frozen bool) mlx.Net {
	lookup := e.vars.Lookup(g, group)
	if frozen {
		lookup = e.vars.Frozen(g, group)
	}
	return mlx.Net{Weights: lookup, DType: dtypes.Float32, NativeConv: e.native}
}

// run executes a graph by name and frees its inputs.
func (e *engine) run(name string, build func([]*Node) []*Node, inputs ...*tensors.Tensor) (*tensors.Tensor, error) {
	out, err := e.steps.Call(name, build, inputs...)
	return out, errors.Join(err, e.steps.Free(inputs))
}
