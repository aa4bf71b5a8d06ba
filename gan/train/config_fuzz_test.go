package train

import (
	"testing"

	"github.com/starvc/vc/internal/run"
	"github.com/starvc/vc/internal/run/runtest"
)

// FuzzConfig reads a file of settings for --config: what Validate lets through can be counted without a panic or a number that has
// run over.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"steps":3,"rate":0.1,"gan":{"nMels":80}}`))
	f.Add([]byte(`{"batch":-1,"crop":1e9,"addVoice":{"on":true}}`))
	runtest.FuzzConfig(f, func(t *testing.T, path string) map[string][]int {
		c, err := DefaultConfig("tiny")
		if err != nil {
			t.Fatal(err)
		}
		if run.ApplyFile(&c, path) != nil || c.Validate() != nil {
			return nil
		}
		shapes := map[string][]int{}
		for _, p := range c.GAN.ModelParams(2) {
			shapes[p.Name] = p.Shape
		}
		return shapes
	})
}
