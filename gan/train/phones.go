package train

import (
	"fmt"
	"strings"

	"github.com/starvc/vc/internal/base"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/phones"
)

// The phone network P has the form of G's encoder: stem, blocks and bottleneck under the prefix "pho", so that its hidden
// layer, the bottleneck, can be compared between a source and its conversion, and so that it can be G's first encoder.

// loadPhones adds P's weights to a run and, if start is set, makes G's encoder begin as P.
func loadPhones(vars *mlx.Vars, cfg Config, path string, start bool) error {
	f, err := base.OpenPhones(path)
	if err != nil {
		return err
	}
	if err := fitsPhones(f, cfg); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, p := range phones.EncoderParams(cfg.GAN) {
		data, err := f.Tensor(p.Name, p.Shape...)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := vars.Set(mlx.GroupWeights, p.Name, p.Shape, data); err != nil {
			return err
		}
		if start {
			if err := vars.Set(mlx.GroupWeights, "gen"+strings.TrimPrefix(p.Name, "pho"), p.Shape, data); err != nil {
				return err
			}
		}
	}
	return nil
}
