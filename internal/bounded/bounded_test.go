package bounded

import (
	"fmt"
	"testing"
)

// failed notes failures, and that it was a helper.
type failed struct {
	testing.TB
	said string
}

func (f *failed) Helper() {}

func (f *failed) Errorf(format string, a ...any) { f.said += fmt.Sprintf(format, a...) }

var kept []byte

func TestAllocates(t *testing.T) {
	for _, bytes := range []int{1 << 10, 1 << 24} {
		f := &failed{TB: t}
		Allocates(f, 1<<20, func() { kept = make([]byte, bytes) })
		if (f.said != "") != (bytes > 1<<20) {
			t.Errorf("%d bytes: %q", bytes, f.said)
		}
	}
	kept = nil
}
