package train

import (
	"testing"

	"github.com/starvc/vc/internal/run"
	"github.com/starvc/vc/internal/run/runtest"
)

// FuzzConfig reads a file of settings for --config: no panic, and no layer without width in what Validate lets through.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"steps":3,"net":{"width":64}}`))
	f.Add([]byte(`{"batch":-1,"cropFrames":1000000000}`))
	runtest.FuzzConfig(f, func(t *testing.T, path string) map[string][]int {
		c, err := DefaultConfig("tiny")
		if err != nil {
			t.Fatal(err)
		}
		if run.ApplyFile(&c, path) != nil || c.Validate() != nil {
			return nil
		}
		shapes := map[string][]int{}
		for _, p := range c.Net.Params() {
			shapes[p.Name] = p.Shape
		}
		return shapes
	})
}
