package train

import (
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
