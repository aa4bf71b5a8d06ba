package profile

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/internal/mlx"
)

// What a device can do at best is measured by a chain of square matrix products in the type of activations, and by adding
// long vectors. Either grows until a call takes floorTime, for a small one measures how a device starts.
const (
	floorTime    = 20 * time.Millisecond
	productChain = 8
	productLeast = 256
	productMost  = 8192
	vectorLeast  = 1 << 22
	vectorMost   = 1 << 26
)

// floor is a measurement of the device that grows.
type floor struct {
	extent int
	timer  *timer
}

// productFloor finds an extent n of n by n matrices.
func (p *Profiler) productFloor() (floor, error) {
	build := func(in []*Node) []*Node {
		x, w := in[0], in[1]
		if p.Report.BFloat16 {
			x, w = ConvertDType(x, dtypes.BFloat16), ConvertDType(w, dtypes.BFloat16)
		}
		for range productChain {
			x = Dot(x, w).Product()
		}
		return mlx.Results(ReduceAllSum(Square(mlx.Float(x))))
	}
	return p.grow("product", productLeast, productMost, 2, func(n int) (*timer, error) {
		table := RandomNumbers(rand.New(rand.NewPCG(1, 2)), 4099) // a prime: rows differ
		x, w := make([]float32, n*n), make([]float32, n*n)
		scale := float32(1 / math.Sqrt(float64(n)))
		for i := range x {
			x[i], w[i] = table[i%4099], table[(i+17)%4099]*scale
		}
		return p.graph(fmt.Sprintf("product of %d", n), build,
			tensors.FromFlatDataAndDimensions(x, n, n), tensors.FromFlatDataAndDimensions(w, n, n)), nil
	})
}

// productOperations are those of productFloor.
func productOperations(n int) float64 { return productChain * 2 * math.Pow(float64(n), 3) }

// memoryFloor finds a length of vectors. One is halved and added to, in place: two are read and one is written.
func (p *Profiler) memoryFloor() (floor, error) {
	return p.grow("memory", vectorLeast, vectorMost, 4, func(n int) (*timer, error) {
		x, y := fmt.Sprintf("sum.%d", n), fmt.Sprintf("term.%d", n)
		data := make([]float32, n)
		for i := range data {
			data[i] = float32(i % 7)
		}
		for _, name := range []string{x, y} {
			if err := p.vars.Set(groupProbe, name, []int{n}, data); err != nil {
				return nil, err
			}
		}
		return p.graph("memory of "+x, func(in []*Node) []*Node {
			g := in[0].Graph()
			p.vars.Update(groupProbe, x, Add(MulScalar(p.vars.Node(g, groupProbe, x), 0.5), p.vars.Node(g, groupProbe, y)))
			return callProbe(in)
		}, schedule()), nil
	})
}

// memoryBytes are what memoryFloor moves.
func memoryBytes(n int) float64 { return 3 * 4 * float64(n) }

// grow takes the first extent that is long enough to measure, or the last.
func (p *Profiler) grow(what string, least, most, factor int, at func(n int) (*timer, error)) (floor, error) {
	for n := least; ; n *= factor {
		t, err := at(n)
		if err != nil {
			return floor{}, fmt.Errorf("%s: %w", what, err)
		}
		for range 2 { // the first call compiles
			if err := t.measure(); err != nil {
				return floor{}, fmt.Errorf("%s: %w", what, err)
			}
		}
		if t.times[1] >= floorTime || n >= most {
			t.times = nil
			return floor{n, t}, nil
		}
	}
}
