package main

import (
	"context"
	"time"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/gan/train"
	"github.com/starvc/vc/internal/mlx/profile"
	"github.com/starvc/vc/vocoder"
	vocodertrain "github.com/starvc/vc/vocoder/train"
	"github.com/urfave/cli/v2"
)

const benchTrainDescription = `Measures what a step of training spends its time on: each network, the optimizer, the average of the weights, the inputs
and their way to the device, each beside the least time in which this device could do it. The voices are made up, no
recordings are needed, and nothing is written. Compiling takes minutes on a CPU. Other programs disturb: stop them. With
--vocoder it is the step of "vc train vocoder" with the discriminators, or, with --set spectralShare=1, that without.

EXAMPLES

   vc bench train --preset small
   vc bench train --preset live --batch 32 --device cuda
   vc bench train --preset live --set bfloat16=true --json > live.json
   vc bench train --vocoder --preset base --batch 6 --set cropFrames=63`

func benchTrainCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "train",
		Usage:       "measure what a step of training spends its time on",
		UsageText:   "vc bench train [flags]",
		Description: benchTrainDescription,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "vocoder", DisableDefaultText: true, Usage: "measure a step of \"vc train vocoder\""},
			&cli.StringFlag{Name: "preset", Usage: "`SIZE` of the networks, as in \"vc train\": tiny, small, medium, live, hq; default medium; of the vocoder: tiny, base, large; default base"},
			&cli.StringFlag{Name: "device", Value: "auto", Usage: "`DEVICE` to measure: auto, cpu, go (pure Go), cuda or cuda:N"},
			&cli.IntFlag{Name: "batch", DefaultText: "chosen by the preset", Usage: "`N` clips per step"},
			&cli.StringFlag{Name: "config", Usage: "JSON `FILE` with settings that replace the preset's"},
			&cli.StringSliceFlag{Name: "set", Usage: "`KEY=VALUE` replaces one setting; may be given again"},
			&cli.Float64Flag{Name: "seconds", Value: 20, Usage: "measure for `N` seconds once all is compiled, or for five rounds, if they take longer"},
			&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "print the figures as JSON"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, DisableDefaultText: true, Usage: "say nothing but the result"},
		},
		OnUsageError: func(_ *cli.Context, err error, _ bool) error {
			return usagef("bench train", "bench train: %w", err)
		},
		Action: func(c *cli.Context) error {
			o := benchTrainOptions{
				profile: train.ProfileOptions{
					Preset: c.String("preset"), Device: c.String("device"), Batch: c.Int("batch"), ConfigFile: c.String("config"),
					Set: c.StringSlice("set"), Duration: time.Duration(c.Float64("seconds") * float64(time.Second)),
				},
				vocoder: c.Bool("vocoder"), json: c.Bool("json"), quiet: c.Bool("quiet"),
			}
			switch {
			case c.NArg() > 0:
				return usagef("bench train", "bench train: %q: there are no arguments; the size is named with --preset", c.Args().First())
			case c.IsSet("batch") && o.profile.Batch < 1:
				return usagef("bench train", "bench train: --batch is %d, want at least 1", o.profile.Batch)
			case o.vocoder && o.profile.ConfigFile != "":
				return usagef("bench train", "bench train: --config is of voices: give the vocoder's settings with --set")
			case !(c.Float64("seconds") >= 0 && c.Float64("seconds") <= 3600):
				return usagef("bench train", "bench train: --seconds is %g, want 0 to 3600", c.Float64("seconds"))
			}
			if o.profile.Preset != "" {
				_, err := gan.Preset(o.profile.Preset)
				if o.vocoder {
					_, err = vocoder.NetPreset(o.profile.Preset, features.DefaultConfig())
				}
				if err != nil {
					return usagef("bench train", "bench train: --%w", err)
				}
			}
			return runBenchTrain(c.Context, e, o)
		},
	}
}

type benchTrainOptions struct {
	profile              train.ProfileOptions
	vocoder, json, quiet bool
}

func runBenchTrain(ctx context.Context, e env, o benchTrainOptions) error {
	if !o.quiet {
		o.profile.Say = func(what string) { e.tell("%s", what) }
	}
	measure := func() (*profile.Report, error) { return train.RunProfile(ctx, o.profile) }
	if v := o.profile; o.vocoder {
		measure = func() (*profile.Report, error) {
			return vocodertrain.RunProfile(ctx, vocodertrain.ProfileOptions{
				Preset: v.Preset, Set: v.Set, Batch: v.Batch, Device: v.Device, Duration: v.Duration, Say: v.Say,
			})
		}
	}
	p, err := measure()
	if err != nil {
		return err
	}
	return printMeasured(e, p, o.json)
}
