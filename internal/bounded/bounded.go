// Package bounded holds tests of readers to an amount of memory. A header can claim any length; what a reader allocates must follow from
// what is there.
package bounded

import (
	"runtime/metrics"
	"testing"
)

// Beyond is how many bytes a reader may allocate in all for a small input, beside what it hands out: 64 MB.
const Beyond = 64 << 20

// Allocates fails t if f, and whatever else runs beside it, allocates more than most bytes.
func Allocates(t testing.TB, most uint64, f func()) {
	t.Helper()
	before := allocated()
	f()
	if n := allocated() - before; n > most {
		t.Errorf("%d bytes were allocated, want %d at most", n, most)
	}
}

func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
