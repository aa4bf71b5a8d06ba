package main

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/starvc/vc/internal/device"
	"github.com/starvc/vc/internal/mlx"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// size is that of the convolution: images of side x side.
type size struct{ batch, channels, side int }

// operations are those of the forward pass and of the two gradients, which cost as much each.
func (s size) operations() float64 {
	return 3 * 2 * 9 * float64(s.batch*s.side*s.side) * float64(s.channels*s.channels)
}

// engine is one of those compared: what runs a step, and how long the fastest took.
type engine struct {
	name    string
	open    func(size) (step func() error, err error)
	seconds float64
	err     error
}

// measure takes turns, so that other programs on the machine disturb all alike. The first round compiles and is not counted.
func measure(engines []*engine, s size, rounds int) {
	steps := make([]func() error, len(engines))
	for i, e := range engines {
		e.seconds = math.Inf(1)
		steps[i], e.err = e.open(s)
	}
	for round := range rounds + 1 {
		for i, e := range engines {
			if e.err != nil {
				continue
			}
			began := time.Now()
			if e.err = steps[i](); e.err == nil && round > 0 {
				e.seconds = math.Min(e.seconds, time.Since(began).Seconds())
			}
		}
	}
}

func floats(n int) []float32 {
	v := make([]float32, n)
	r := rand.New(rand.NewPCG(uint64(n), 1))
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

func gorgoniaConvolution(s size) (func() error, error) {
	g := gorgonia.NewGraph()
	input := func(name string, shape ...int) *gorgonia.Node {
		t := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(floats(tensor.Shape(shape).TotalSize())))
		return gorgonia.NewTensor(g, gorgonia.Float32, len(shape), gorgonia.WithShape(shape...), gorgonia.WithValue(t), gorgonia.WithName(name))
	}
	x := input("x", s.batch, s.channels, s.side, s.side)
	w := input("w", s.channels, s.channels, 3, 3)
	y, err := gorgonia.Conv2d(x, w, tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1})
	if err != nil {
		return nil, err
	}
	sum, err := gorgonia.Sum(y)
	if err != nil {
		return nil, err
	}
	if _, err := gorgonia.Grad(sum, x, w); err != nil {
		return nil, err
	}
	vm := gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(x, w))
	return func() error {
		vm.Reset()
		return vm.RunAll()
	}, nil
}

func mlxConvolution(device string, s size) (func() error, error) {
	d, err := device.Find(device)
	if err != nil {
		return nil, err
	}
	backend, err := mlx.Open(d)
	if err != nil {
		return nil, err
	}
	vars := mlx.NewVars()
	if err := vars.Set(mlx.GroupWeights, "c.w", []int{3, 3, s.channels, s.channels}, floats(9*s.channels*s.channels)); err != nil {
		return nil, err
	}
	exec, err := model.NewExec(backend, vars.Store(), func(_ *model.Scope, in []*graph.Node) []*graph.Node {
		x := in[0]
		net := mlx.Net{Weights: vars.Lookup(x.Graph(), mlx.GroupWeights), DType: dtypes.Float32, NativeConv: d.NativeConv()}
		y := net.Conv2D(x, "c", false)
		return graph.Gradient(graph.ReduceAllSum(y), x, vars.Node(x.Graph(), mlx.GroupWeights, "c.w"))
	})
	if err != nil {
		return nil, err
	}
	x := tensors.FromFlatDataAndDimensions(floats(s.batch*s.side*s.side*s.channels), s.batch, s.side, s.side, s.channels)
	return func() error {
		outs, err := exec.Call(x)
		if err != nil {
			return err
		}
		for _, t := range outs { // waits for the device
			_ = tensors.MustCopyFlatData[float32](t)
			t.MustFinalizeAll()
		}
		return nil
	}, nil
}
