package runtest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/starvc/vc/internal/bounded"
)

// FuzzConfig has f write files of settings. shapes reads one as --config does, and gives the shapes, by name, of the weights of what it
// lets through, nil for a file that it refuses. None may panic or take memory without bound, and no axis may be empty.
func FuzzConfig(f *testing.F, shapes func(t *testing.T, path string) map[string][]int) {
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "c.json")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		bounded.Allocates(t, bounded.Beyond, func() {
			for name, shape := range shapes(t, path) {
				for _, d := range shape {
					if d < 1 {
						t.Errorf("%s has shape %v", name, shape)
					}
				}
			}
		})
	})
}
