// Package mlxtest helps the tests of what is computed by internal/mlx.
package mlxtest

import (
	"testing"

	"github.com/gomlx/compute"

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
