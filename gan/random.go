package gan

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/starvc/vc/features"
)

// Random makes an untrained model for tests and benchmarks: the weights are drawn by the seed, scaled so that
// activations stay of moderate size, and nothing is zero or one where a mistake could hide behind it. The speakers
// are called spk0, spk1 and so on, at 16000 samples per second. It panics where the configuration is not valid.
func Random(c Config, speakers int, seed uint64) *Model {
	r := rand.New(rand.NewPCG(seed, 0x5eed))
	tensors := map[string][]float32{}
	for _, p := range c.ModelParams(speakers) {
		data := make([]float32, p.numbers())
		spread, centre := 0.1, 0.0
		switch {
		case strings.HasSuffix(p.Name, ".gain"):
			centre = 1
		case p.Name == "speakers.style":
			spread = 1
		case strings.HasSuffix(p.Name, ".dw.w"):
			spread = 1 / math.Sqrt(float64(c.Kernel))
		case strings.HasSuffix(p.Name, ".head.w") && len(p.Shape) == 3:
			spread = 1 / math.Sqrt(float64(p.Shape[1]))
		case strings.HasSuffix(p.Name, ".w"):
			out := p.Shape[len(p.Shape)-1]
			spread = 1 / math.Sqrt(float64(len(data)/out))
		}
		for i := range data {
			data[i] = float32(centre + spread*r.NormFloat64())
		}
		tensors[p.Name] = data
	}
	table := make([]SpeakerInfo, speakers)
	for i := range table {
		table[i] = SpeakerInfo{
			Name: fmt.Sprintf("spk%d", i), LogF0Mean: 4.7 + 0.6*r.Float64(), LogF0Std: 0.15 + 0.1*r.Float64(), Seconds: 60,
		}
	}
	f := features.DefaultConfig()
	f.NMels = c.NMels
	m, err := NewModel(f, c, table, Trained{Preset: "random"}, tensors)
	if err != nil {
		panic(err)
	}
	return m
}
