package train

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/safetensors"
)

// The phone network P has the form of G's encoder: stem, blocks and bottleneck under the prefix "pho", so that its hidden
// layer, the bottleneck, can be compared between a source and its conversion, and so that it can be G's first encoder.

// phonesConfigKey is where a phone network's file keeps the configuration of its encoder, in the header.
const phonesConfigKey = "vc.phones"

// PhoneParams lists P's weights for a number of phones.
func PhoneParams(c gan.Config, phones int) []gan.Param {
	var params []gan.Param
	for _, p := range c.GeneratorParams() {
		if isEncoder(p.Name) {
			params = append(params, gan.Param{Name: "pho" + strings.TrimPrefix(p.Name, "gen"), Shape: p.Shape})
		}
	}
	return append(params,
		gan.Param{Name: "pho.head.w", Shape: []int{c.Bottleneck, phones}}, gan.Param{Name: "pho.head.b", Shape: []int{phones}})
}

func isEncoder(name string) bool {
	for _, part := range generatorParts[:encoderParts] {
		if strings.HasPrefix(name, part) {
			return true
		}
	}
	return false
}

// loadPhones adds P's weights to a run and, if start is set, makes G's encoder begin as P.
func loadPhones(vars *mlx.Vars, cfg Config, path string, start bool) error {
	f, err := safetensors.ReadFile(path)
	if err != nil {
		return fmt.Errorf("--phones: %w", err)
	}
	text, ok := f.Metadata()[phonesConfigKey]
	if !ok {
		return fmt.Errorf("--phones: %s is not a phone network (its header has no %s)", path, phonesConfigKey)
	}
	var own gan.Config
	if err := json.Unmarshal([]byte(text), &own); err != nil {
		return fmt.Errorf("--phones: %s: %w", path, err)
	}
	for _, p := range PhoneParams(cfg.GAN, 0) {
		if strings.HasPrefix(p.Name, "pho.head.") {
			continue // the content loss needs the hidden layer only
		}
		data, err := f.Tensor(p.Name, p.Shape...)
		if err != nil {
			return fmt.Errorf("--phones: %s: %w (a phone network must have the width and blocks of the encoder: it was made for %d wide, %d blocks, bottleneck %d)",
				path, err, own.Width, own.EncoderBlocks, own.Bottleneck)
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
