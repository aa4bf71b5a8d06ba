package train

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/starvc/vc/internal/bounded"
	"github.com/starvc/vc/internal/run"
)

// FuzzConfig reads a file of settings for --config: what Validate lets through can be counted without a panic or a number that has
// run over.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"steps":3,"rate":0.1,"gan":{"nMels":80}}`))
	f.Add([]byte(`{"batch":-1,"crop":1e9,"addVoice":{"on":true}}`))
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
			for _, p := range c.GAN.ModelParams(2) {
				for _, d := range p.Shape {
					if d < 1 {
						t.Errorf("%s has shape %v", p.Name, p.Shape)
					}
				}
			}
		})
	})
}
