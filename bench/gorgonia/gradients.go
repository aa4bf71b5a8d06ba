package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	. "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// gradientCase is an operation on one input whose gradient is checked.
type gradientCase struct {
	name  string
	shape []int // of the input
	op    func(x *Node) (*Node, error)
}

var gradientCases = []gradientCase{
	{"square, as a control", []int{2, 3, 4, 4}, Square},
	{"Conv2d 3x3 by its image, as a control", []int{2, 3, 4, 4}, func(x *Node) (*Node, error) {
		return Conv2d(x, constant(x, 1, 2, 3, 3, 3), tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1})
	}},
	{"Conv2d 3x3 by its kernel, as a control", []int{2, 3, 3, 3}, func(w *Node) (*Node, error) {
		return Conv2d(constant(w, 1, 2, 3, 4, 4), w, tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1})
	}},
	{"AveragePool2D 2x2, stride 2, batch 1", []int{1, 1, 4, 4}, func(x *Node) (*Node, error) {
		return AveragePool2D(x, tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2})
	}},
	{"AveragePool2D 2x2, stride 2, batch 2, 3 channels", []int{2, 3, 4, 4}, func(x *Node) (*Node, error) {
		return AveragePool2D(x, tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2})
	}},
	{"product with [3 1] broadcast along one axis", []int{3, 1}, func(s *Node) (*Node, error) {
		return BroadcastHadamardProd(constant(s, 1, 3, 5), s, nil, []byte{1})
	}},
	{"product with [2 3 1 1] broadcast along two axes", []int{2, 3, 1, 1}, func(s *Node) (*Node, error) {
		return BroadcastHadamardProd(constant(s, 1, 2, 3, 4, 5), s, nil, []byte{2, 3})
	}},
	{"product with [1 3 1] broadcast along two axes", []int{1, 3, 1}, func(s *Node) (*Node, error) {
		return BroadcastHadamardProd(constant(s, 1, 2, 3, 5), s, nil, []byte{0, 2})
	}},
	{"product with [1 3 1 1] broadcast along three axes", []int{1, 3, 1, 1}, func(s *Node) (*Node, error) {
		return BroadcastHadamardProd(constant(s, 1, 2, 3, 4, 5), s, nil, []byte{0, 2, 3})
	}},
	{"mean over the last two axes", []int{2, 3, 4, 5}, func(x *Node) (*Node, error) { return Mean(x, 2, 3) }},
	{"sum over the last two axes", []int{2, 3, 4, 5}, func(x *Node) (*Node, error) { return Sum(x, 2, 3) }},
	{"mean over the last axis", []int{2, 3, 5}, func(x *Node) (*Node, error) { return Mean(x, 2) }},
	{"x less its mean over the last two axes", []int{2, 3, 4, 5}, func(x *Node) (*Node, error) {
		mean, err := Mean(x, 2, 3)
		if err != nil {
			return nil, err
		}
		if mean, err = Reshape(mean, tensor.Shape{2, 3, 1, 1}); err != nil {
			return nil, err
		}
		return BroadcastSub(x, mean, nil, []byte{2, 3})
	}},
	{"x less its mean over the last axis", []int{2, 3, 5}, func(x *Node) (*Node, error) {
		mean, err := Mean(x, 2)
		if err != nil {
			return nil, err
		}
		if mean, err = Reshape(mean, tensor.Shape{2, 3, 1}); err != nil {
			return nil, err
		}
		return BroadcastSub(x, mean, nil, []byte{2})
	}},
}

// constant is a fixed random input beside x.
func constant(x *Node, seed uint64, shape ...int) *Node {
	t := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(random(seed, shape)))
	return NewTensor(x.Graph(), Float64, len(shape), WithShape(shape...), WithValue(t), WithName(fmt.Sprintf("constant%d", seed)))
}

func random(seed uint64, shape []int) []float64 {
	v := make([]float64, tensor.Shape(shape).TotalSize())
	r := rand.New(rand.NewPCG(seed, 7))
	for i := range v {
		v[i] = r.NormFloat64()
	}
	return v
}

// check compares the gradient of the op's weighted sum with central differences: the largest difference, over the largest
// number of the true gradient. The weights are random, for plain sums hide mistakes.
func (c gradientCase) check() (relative float64, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %.60v", p)
		}
	}()
	at := random(9, c.shape)
	_, gradient, err := c.evaluate(at, true)
	if err != nil {
		return 0, err
	}
	const h = 1e-5
	var largest, difference float64
	for i := range at {
		moved := append([]float64(nil), at...)
		moved[i] = at[i] + h
		above, _, err := c.evaluate(moved, false)
		if err != nil {
			return 0, err
		}
		moved[i] = at[i] - h
		below, _, err := c.evaluate(moved, false)
		if err != nil {
			return 0, err
		}
		truth := (above - below) / (2 * h)
		largest = math.Max(largest, math.Abs(truth))
		difference = math.Max(difference, math.Abs(truth-gradient[i]))
	}
	return difference / largest, nil
}

func (c gradientCase) evaluate(at []float64, withGradient bool) (loss float64, gradient []float64, err error) {
	g := NewGraph()
	input := tensor.New(tensor.WithShape(c.shape...), tensor.WithBacking(append([]float64(nil), at...)))
	x := NewTensor(g, Float64, len(c.shape), WithShape(c.shape...), WithValue(input), WithName("x"))
	y, err := c.op(x)
	if err != nil {
		return 0, nil, err
	}
	weighted, err := HadamardProd(y, constant(x, 2, y.Shape()...))
	if err != nil {
		return 0, nil, err
	}
	sum, err := Sum(weighted)
	if err != nil {
		return 0, nil, err
	}
	var options []VMOpt
	if withGradient {
		if _, err := Grad(sum, x); err != nil {
			return 0, nil, err
		}
		options = append(options, BindDualValues(x))
	}
	vm := NewTapeMachine(g, options...)
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		return 0, nil, err
	}
	loss = sum.Value().Data().(float64)
	if withGradient {
		v, err := x.Grad()
		if err != nil {
			return 0, nil, err
		}
		gradient = append(gradient, v.Data().([]float64)...)
	}
	return loss, gradient, nil
}
