package mlx

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Steps compiles graphs over one set of variables and runs them, by name, on one device or, after Share, on several.
type Steps struct {
	// Refuse, if not nil, is asked before a graph runs; its error is Call's. It stands for a device in tests.
	Refuse func(name string) error

	backend compute.Backend
	vars    *Vars
	execs   map[string]*model.Exec
	mesh    *mesh // nil for one device
	devices int   // of the mesh
}

// NewSteps runs graphs on backend.
func NewSteps(backend compute.Backend, vars *Vars) *Steps {
	return &Steps{backend: backend, vars: vars, execs: map[string]*model.Exec{}}
}

// Share has all graphs from now on run on the backend's first devices together. Each has all variables and its part of the
// items: of every input the first axis is the batch, which the number of devices divides, but vectors, which all items share,
// go to every device whole. What Call gives is that of the whole batch, as on one device but for rounding. devices below 2
// change nothing; more than the backend has are an error.
func (s *Steps) Share(devices int) error {
	if devices < 2 {
		return nil
	}
	if have := s.backend.NumDevices(); have < devices {
		return fmt.Errorf("steps: the backend has %d devices, want %d", have, devices)
	}
	m, err := newMesh(devices)
	if err != nil {
		return fmt.Errorf("steps on %d devices: %w", devices, err)
	}
	s.mesh, s.devices = m, devices
	return nil
}

// Devices is how many run each graph together.
func (s *Steps) Devices() int { return max(1, s.devices) }

// Call executes a graph that gives one tensor, compiling it when its name is new. A panic of the graph builder becomes an
// error. The inputs stay, on the device too, for another call: Free them in the end.
func (s *Steps) Call(name string, build func([]*graph.Node) []*graph.Node, inputs ...*tensors.Tensor) (out *tensors.Tensor, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s step: %v", name, p)
		}
	}()
	if s.Refuse != nil {
		if err := s.Refuse(name); err != nil {
			return nil, fmt.Errorf("%s step: %w", name, err)
		}
	}
	exec := s.execs[name]
	if exec == nil {
		exec, err = model.NewExec(s.backend, s.vars.Store(), func(_ *model.Scope, in []*graph.Node) []*graph.Node { return build(in) })
		if err != nil {
			return nil, fmt.Errorf("%s step: %w", name, err)
		}
		if s.mesh != nil {
			if err := s.mesh.configure(exec, inputs); err != nil {
				return nil, fmt.Errorf("%s step: %w", name, err)
			}
		}
		s.execs[name] = exec
	}
	args := make([]any, len(inputs))
	for i, t := range inputs {
		args[i] = t
		if s.mesh != nil {
			if args[i], err = s.mesh.shard(t); err != nil {
				return nil, fmt.Errorf("%s step: input %d: %w", name, i, err)
			}
		}
	}
	outs, err := exec.Call(args...)
	if err != nil {
		return nil, fmt.Errorf("%s step: %w", name, err)
	}
	return outs[0], free(outs[1:]) // the other devices' copies
}

// Upload puts inputs for a later Call on the device, or on each device its part of them, so that Call need not. It may be called
// beside Call and Free, for other tensors. After an error too the caller frees all of them.
func (s *Steps) Upload(inputs []*tensors.Tensor) error {
	for i, t := range inputs {
		parts := []*tensors.Tensor{t}
		if s.mesh != nil {
			shards, err := s.mesh.shard(t)
			if err != nil {
				return fmt.Errorf("upload: input %d: %w", i, err)
			}
			parts = shards.Shards()
		}
		for device, part := range parts {
			if err := part.MaterializeOnDevice(s.backend, true, compute.DeviceNum(device)); err != nil {
				return fmt.Errorf("upload: input %d: %w", i, err)
			}
		}
	}
	return nil
}

// Free gives the memory of Call's inputs back, here and on the devices.
func (s *Steps) Free(ts []*tensors.Tensor) error {
	if s.mesh != nil {
		if err := s.mesh.free(ts); err != nil {
			return fmt.Errorf("step: %w", err)
		}
	}
	return free(ts)
}

func free(ts []*tensors.Tensor) error {
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

// Tensor is a value on a device, for packages that hand it on and know nothing else of the engine.
type Tensor = tensors.Tensor

// Take reads a float32 tensor's values, waiting for the device to have made them, and frees it.
func Take(t *Tensor) []float32 {
	v := tensors.MustCopyFlatData[float32](t)
	t.MustFinalizeAll()
	return v
}
