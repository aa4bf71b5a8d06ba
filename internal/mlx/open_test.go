package mlx

import (
	"strings"
	"testing"
)

// The default parallelism of the Go backend can wait for itself for ever.
func TestOpenGo(t *testing.T) {
	if text := openGo(t).Description(); !strings.Contains(text, "parallelism=-1") {
		t.Errorf("the Go backend is opened as %q", text)
	}
}
