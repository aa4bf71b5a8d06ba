// Package mlxtest helps the tests of what is computed by internal/mlx.
package mlxtest

import (
	"math"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/starvc/vc/internal/device"
	"github.com/starvc/vc/internal/mlx"
)

// OpenGo is the backend in pure Go, which any machine has. It is closed when the test ends.
func OpenGo(t testing.TB) compute.Backend {
	t.Helper()
	d, err := device.Find("go")
	if err != nil {
		t.Fatal(err)
	}
	b, err := mlx.Open(d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Finalize)
	return b
}

// Products are the floating-point operations of all products of matrices that a node of a graph takes.
func Products(n *graph.Node) float64 { return products(n, map[*graph.Node]bool{}) }

func products(n *graph.Node, seen map[*graph.Node]bool) (operations float64) {
	if seen[n] {
		return 0
	}
	seen[n] = true
	if n.Type() == graph.NodeTypeDotGeneral {
		size := float64(n.Shape().Size())
		for _, in := range n.Inputs() {
			size *= float64(in.Shape().Size())
		}
		operations = 2 * math.Sqrt(size) // of [m,k], [k,n] and [m,n]
	}
	for _, in := range n.Inputs() {
		operations += products(in, seen)
	}
	return operations
}
