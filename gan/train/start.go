package train

import (
	"fmt"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/mlx/gannet"
)

// prepare creates every variable of a run that is missing: weights, optimizer state and moving averages.
func prepare(vars *mlx.Vars, cfg Config, speakers int) error {
	g := cfg.GAN
	for _, params := range [][]gan.Param{
		g.GeneratorParams(), g.MappingParams(speakers), g.StyleParams(speakers),
		cfg.judgeParams(speakers), g.DiscriminatorParams("cls", speakers),
	} {
		if err := gannet.Initialise(vars, params, cfg.Seed); err != nil {
			return err
		}
	}
	adam := optimizer(cfg)
	prefixes := append([]string{"map.", "sty.", "disc.", "cls."}, generatorParts...)
	if cfg.AddVoice.On {
		prefixes = append(prefixes, "map.head.", "sty.head.")
	}
	for _, prefix := range prefixes {
		if err := adam.Prepare(vars, prefix); err != nil {
			return err
		}
	}
	for _, prefix := range []string{"gen.", "map.", "sty."} {
		if err := mlx.PrepareEMA(vars, prefix); err != nil {
			return err
		}
	}
	return nil
}

// optimizer is the AdamW of all networks.
func optimizer(cfg Config) mlx.AdamW {
	return mlx.AdamW{Beta1: 0, Beta2: 0.99, Epsilon: 1e-8, WeightDecay: cfg.WeightDecay, Clip: cfg.Clip}
}

// widenModel makes a model fit features of a higher sample rate, whose bands up to 8 kHz are the same. It gives the bands that it gave
// before, and above them its highest one again, on which training goes on. E, whose body halves the bands again and again, must come
// to as many at the end; its filters then meet the upper bands as they are.
func widenModel(m *gan.Model, to features.Config) (*gan.Model, error) {
	from := m.Features
	if !features.SameSpeech(from, to) || from.HasUpper() || !to.HasUpper() {
		return nil, fmt.Errorf("the model has sound of %d Hz, which does not go over into %d Hz", from.SampleRate, to.SampleRate)
	}
	if m.Config.DecoderBands > 0 {
		return nil, fmt.Errorf("the model's decoder works on an image of %d bands, which cannot be made higher", m.Config.DecoderBands)
	}
	cfg := Config{GAN: m.Config}.withFeatures(to).GAN
	tensors := make(map[string][]float32)
	for _, p := range cfg.ModelParams(len(m.Speakers)) {
		data := m.Tensor(p.Name)
		if p.Name == "gen.out.w" || p.Name == "gen.out.b" {
			data = repeatLast(data, from.NMels, to.NMels)
		}
		tensors[p.Name] = data
	}
	return gan.NewModel(to, cfg, m.Speakers, m.Trained, tensors)
}

// repeatLast makes rows of n numbers ones of more, by the last number of each.
func repeatLast(rows []float32, n, more int) []float32 {
	out := make([]float32, 0, len(rows)/n*more)
	for ; len(rows) > 0; rows = rows[n:] {
		out = append(out, rows[:n]...)
		for range more - n {
			out = append(out, rows[n-1])
		}
	}
	return out
}
