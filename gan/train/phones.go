package train

import (
	"fmt"
	"strings"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/base"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/phones"
	"github.com/starvc/vc/internal/run"
	"github.com/starvc/vc/internal/safetensors"
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

// noneAtAll asks for no phone network.
const noneAtAll = "none"

// usualPhones is the phone network that a run takes if none is named: the program's own where it has the form of G's encoder.
func usualPhones(c Config) string {
	if !base.Has(base.Phones) {
		return ""
	}
	f, err := base.OpenPhones(base.Name)
	if err != nil || fitsPhones(f, withEncoderOf(c, f)) != nil {
		return ""
	}
	return base.Name
}

// fitsPhones tells why a phone network cannot be compared with G's encoder, nil if it can.
func fitsPhones(f *safetensors.File, c Config) error {
	h, err := phones.HeaderOf(f)
	if err != nil {
		return err
	}
	own, input := h.Encoder, h.Features
	if !features.SameSpeech(input, c.Features) || own.HeardMels() != c.GAN.HeardMels() {
		return fmt.Errorf("it was trained on features %+v, whose bands up to 8 kHz are others than those of this run, %+v: train it anew with `vc train phones`", input, c.Features)
	}
	for _, p := range phones.EncoderParams(c.GAN) {
		if _, err := f.Tensor(p.Name, p.Shape...); err != nil {
			return fmt.Errorf("%w (a phone network must have the width and blocks of the encoder: it was made for %d wide, %d blocks, bottleneck %d)",
				err, own.Width, own.EncoderBlocks, own.Bottleneck)
		}
	}
	for i := range c.GAN.EncoderBlocks { // as many as P has, or a tensor had been missing
		if own.EncoderBlocks != c.GAN.EncoderBlocks || own.EncoderDilation(i) != c.GAN.EncoderDilation(i) {
			return fmt.Errorf("its encoder has %d blocks and dilations %v, this run's %d and %v: leave gan.encoderDilations to the phone network, or name one of this form",
				own.EncoderBlocks, own.EncoderDilations, c.GAN.EncoderBlocks, c.GAN.EncoderDilations)
		}
	}
	return nil
}

// dilationsFixed says that a run keeps its encoder's dilations: no weight's shape would tell of others.
func dilationsFixed(was string, now gan.Config) run.Fixed {
	return run.Fixed{Option: "set gan.encoderDilations", Was: was, Now: fmt.Sprint(now.EncoderDilations)}
}

// withEncoderOf is c with the dilations of a phone network's encoder, which a new G takes over with its weights, unless c says
// something of its own or has another number of blocks.
func withEncoderOf(c Config, f *safetensors.File) Config {
	h, err := phones.HeaderOf(f)
	own := h.Encoder
	if err == nil && len(c.GAN.EncoderDilations) == 0 && own.EncoderBlocks == c.GAN.EncoderBlocks && len(own.EncoderDilations) == own.EncoderBlocks {
		c.GAN.EncoderDilations = own.EncoderDilations
	}
	return c
}
