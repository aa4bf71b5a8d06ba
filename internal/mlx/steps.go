package mlx

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Steps compiles graphs over one set of variables and runs them, by name.
type Steps struct {
	backend compute.Backend
	vars    *Vars
	execs   map[string]*model.Exec
}

// NewSteps runs graphs on backend.
func NewSteps(backend compute.Backend, vars *Vars) *Steps {
	return &Steps{backend: backend, vars: vars, execs: map[string]*model.Exec{}}
}

// Call executes a graph that gives one tensor, compiling it when its name is new. A panic of the graph builder becomes an
// error. The inputs stay, on the device too, for another call: Free them in the end.
func (s *Steps) Call(name string, build func([]*graph.Node) []*graph.Node, inputs ...*tensors.Tensor) (out *tensors.Tensor, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s step: %v", name, p)
		}
	}()
	exec := s.execs[name]
	if exec == nil {
		exec, err = model.NewExec(s.backend, s.vars.Store(), func(_ *model.Scope, in []*graph.Node) []*graph.Node { return build(in) })
		if err != nil {
			return nil, fmt.Errorf("%s step: %w", name, err)
		}
		s.execs[name] = exec
	}
	args := make([]any, len(inputs))
	for i, t := range inputs {
		args[i] = t
	}
	outs, err := exec.Call(args...)
	if err != nil {
		return nil, fmt.Errorf("%s step: %w", name, err)
	}
	return outs[0], nil
}

// Free gives the memory of tensors back, here and on the device.
func Free(ts []*tensors.Tensor) error {
	for _, t := range ts {
		if err := t.FinalizeAll(); err != nil {
			return fmt.Errorf("step: %w", err)
		}
	}
	return nil
}

// At is element i of a vector, a scalar: one of several numbers that enter a graph as one input.
func At(v *graph.Node, i int) *graph.Node {
	return graph.Reshape(graph.SliceAxis(v, 0, graph.AxisElem(i)))
}

// Results joins scalars to the one float32 vector that a graph for Call gives.
func Results(scalars ...*graph.Node) []*graph.Node {
	flat := make([]*graph.Node, len(scalars))
	for i, s := range scalars {
		flat[i] = graph.Reshape(Float(s), 1)
	}
	return []*graph.Node{graph.Concatenate(flat, 0)}
}
