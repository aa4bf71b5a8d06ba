package vocoder

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
)

// RandomWeights are untrained weights for every name in cfg.Params, row-major, of the size that weights have when a
// training begins: for tests, and for measurements of speed. The voice that they make is a hoarse one. The same seed
// gives the same weights.
func RandomWeights(cfg NetConfig, seed uint64) map[string][]float32 {
	r := rand.New(rand.NewPCG(seed, 0x766f63))
	weights := make(map[string][]float32)
	for _, p := range cfg.Params() {
		numbers := 1
		for _, d := range p.Shape {
			numbers *= d
		}
		data := make([]float32, numbers)
		mean, spread := 0.0, 0.02
		switch {
		case strings.HasSuffix(p.Name, ".gain"):
			mean = 1
		case strings.HasSuffix(p.Name, ".w"):
			spread = 0.5 / math.Sqrt(float64(p.Shape[0]))
		}
		for i := range data {
			data[i] = float32(mean + spread*r.NormFloat64())
		}
		weights[p.Name] = data
	}
	return weights
}

// RandomNet is a network of RandomWeights. It panics if cfg is not valid.
func RandomNet(cfg NetConfig, seed uint64) *Net {
	n, err := NetOf(cfg, RandomWeights(cfg, seed))
	if err != nil {
		panic(err)
	}
	return n
}

// NetOf is NewNet for weights that are at hand by name, row-major.
func NetOf(cfg NetConfig, tensors map[string][]float32) (*Net, error) {
	return NewNet(cfg, func(name string, _ ...int) ([]float32, error) {
		data, ok := tensors[name]
		if !ok {
			return nil, fmt.Errorf("tensor %q: missing", name)
		}
		return data, nil
	})
}
