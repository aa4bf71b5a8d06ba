package train

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/starvc/vc/internal/bounded"
	"github.com/starvc/vc/internal/run"
)

// FuzzConfig reads a file of settings for --config: no panic, and no layer without width in what Validate lets through.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"steps":3,"net":{"width":64}}`))
	f.Add([]byte(`{"batch":-1,"cropFrames":1000000000}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "c.json")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		bounded.Allocates(t, bounded.Beyond, func() {
			c, err := DefaultConfig("tiny")
			if err != nil {
				t.Fatal(err)
			}
			if run.ApplyFile(&c, path) != nil || c.Validate() != nil {
				return
			}
			for _, p := range c.Net.Params() {
				for _, d := range p.Shape {
					if d < 1 {
						t.Errorf("%s has shape %v", p.Name, p.Shape)
					}
				}
			}
		})
	})
}
