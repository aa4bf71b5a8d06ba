package mlx

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/internal/device"
)

func openGo(t testing.TB) compute.Backend {
	t.Helper()
	d, err := device.Find("go")
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Finalize)
	return b
}

// array is what the direct versions compute on: float64, row-major.
type array struct {
	dims []int
	v    []float64
}

func zeroArray(dims ...int) array {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return array{dims, make([]float64, n)}
}

// normal draws numbers that float32 holds exactly, so that graph and direct version see the same.
func normal(r *rand.Rand, dims ...int) array {
	a := zeroArray(dims...)
	for i := range a.v {
		a.v[i] = float64(float32(r.NormFloat64()))
	}
	return a
}

func (a array) tensor() *tensors.Tensor {
	v := make([]float32, len(a.v))
	for i, x := range a.v {
		v[i] = float32(x)
	}
	return tensors.FromFlatDataAndDimensions(v, a.dims...)
}

// offset is the place of an index in v.
func (a array) offset(index ...int) int {
	at := 0
	for i, d := range a.dims {
		at = at*d + index[i]
	}
	return at
}

func (a array) at(index ...int) float64 { return a.v[a.offset(index...)] }

// layerCase is a layer with its inputs and weights by name, and the same arithmetic written down directly.
type layerCase struct {
	name   string
	inputs map[string]array
	fixed  []string // inputs that take no gradient
	native bool
	build  func(n Net, in func(string) *Node) *Node
	direct func(in map[string]array) array
}

// check compares the layer's output with the direct version's, and the gradients with respect to every input with
// central differences of the direct version in float64. The outputs are weighted by random numbers: a plain sum hides
// gradients that end up in the wrong place.
func (c layerCase) check(t *testing.T, backend compute.Backend) {
	t.Helper()
	names := make([]string, 0, len(c.inputs))
	args := make([]any, 0, len(c.inputs)+1)
	for name := range c.inputs {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		args = append(args, c.inputs[name].tensor())
	}
	want := c.direct(c.inputs)
	r := rand.New(rand.NewPCG(17, 4))
	weighting := normal(r, want.dims...)
	args = append(args, weighting.tensor())

	outs, err := CallOnceN(backend, func(in []*Node) []*Node {
		find := func(name string) *Node {
			i := slices.Index(names, name)
			if i < 0 {
				panic("no input " + name)
			}
			return in[i]
		}
		n := Net{Weights: find, DType: dtypes.Float32, NativeConv: c.native}
		y := c.build(n, find)
		loss := ReduceAllSum(Mul(y, in[len(names)]))
		return append([]*Node{y}, Gradient(loss, in[:len(names)]...)...)
	}, args...)
	if err != nil {
		t.Fatal(err)
	}
	if got := outs[0].Shape().Dimensions; !slices.Equal(got, want.dims) {
		t.Fatalf("output has shape %v, want %v", got, want.dims)
	}
	compare(t, "output", tensors.MustCopyFlatData[float32](outs[0]), want.v, 2e-5)

	for i, name := range names {
		if slices.Contains(c.fixed, name) {
			continue
		}
		got := tensors.MustCopyFlatData[float32](outs[1+i])
		compare(t, "gradient of "+name, got, c.difference(name, weighting), 1e-4)
	}
}

// difference is the gradient of the weighted output by central differences.
func (c layerCase) difference(name string, weighting array) []float64 {
	const h = 1e-5
	at := c.inputs[name].v
	moved := func(i int, by float64) float64 {
		old := at[i]
		at[i] = old + by
		defer func() { at[i] = old }()
		var sum float64
		for j, v := range c.direct(c.inputs).v {
			sum += v * weighting.v[j]
		}
		return sum
	}
	grad := make([]float64, len(at))
	for i := range at {
		grad[i] = (moved(i, h) - moved(i, -h)) / (2 * h)
	}
	return grad
}

// compare allows tolerance times the largest magnitude that is wanted.
func compare(t *testing.T, what string, got []float32, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	largest := 1e-3
	for _, v := range want {
		largest = math.Max(largest, math.Abs(v))
	}
	for i, v := range want {
		if d := math.Abs(float64(got[i]) - v); !(d <= tolerance*largest) {
			t.Errorf("%s: number %d is %g, want %g (largest %g)", what, i, got[i], v, largest)
			return
		}
	}
}
