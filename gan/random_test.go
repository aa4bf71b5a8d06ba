package gan

import (
	"fmt"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/untrained/weights"
)

// random is untrained.Model, which is built from this package and so cannot be used by tests inside it.
func random(c Config, speakers int, seed uint64) *Model {
	tensors, pitch := weights.Star(c.ModelParams(speakers), c.Kernel, speakers, seed)
	table := make([]SpeakerInfo, speakers)
	for i, p := range pitch {
		table[i] = SpeakerInfo{Name: fmt.Sprintf("spk%d", i), LogF0Mean: p.Mean, LogF0Std: p.Std, Seconds: 60}
	}
	f := features.DefaultConfig()
	f.NMels = c.NMels
	m, err := NewModel(f, c, table, Trained{Preset: "random"}, tensors)
	if err != nil {
		panic(err)
	}
	return m
}
