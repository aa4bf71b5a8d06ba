package main

import (
	"context"
	"time"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/gan/train"
	"github.com/urfave/cli/v2"
)

const benchTrainDescription = `Measures what a step of training spends its time on: each network, the optimizer, the average of the weights, the inputs
and their way to the device, each beside the least time in which this device could do it. The voices are made up, no
recordings are needed, and nothing is written. Compiling takes minutes on a CPU. Other programs disturb: stop them.

EXAMPLES

   vc bench train --preset small
   vc bench train --preset live --batch 32 --device cuda
   vc bench train --preset live --set bfloat16=true --json > live.json`

func benchTrainCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "train",
		Usage:       "measure what a step of training spends its time on",
		UsageText:   "vc bench train [flags]",
		Description: benchTrainDescription,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "preset", Usage: "`SIZE` of the networks, as in \"vc train\": tiny, small, medium, live, hq; default medium"},
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
				json: c.Bool("json"), quiet: c.Bool("quiet"),
			}
			switch {
			case c.NArg() > 0:
				return usagef("bench train", "bench train: %q: there are no arguments; the size is named with --preset", c.Args().First())
			case c.IsSet("batch") && o.profile.Batch < 1:
				return usagef("bench train", "bench train: --batch is %d, want at least 2", o.profile.Batch)
			case !(c.Float64("seconds") >= 0 && c.Float64("seconds") <= 3600):
				return usagef("bench train", "bench train: --seconds is %g, want 0 to 3600", c.Float64("seconds"))
			}
			if o.profile.Preset != "" {
				if _, err := gan.Preset(o.profile.Preset); err != nil {
					return usagef("bench train", "bench train: --%w", err)
				}
			}
			return runBenchTrain(c.Context, e, o)
		},
	}
}

type benchTrainOptions struct {
	profile     train.ProfileOptions
	json, quiet bool
}

func runBenchTrain(ctx context.Context, e env, o benchTrainOptions) error {
	if !o.quiet {
		o.profile.Say = func(what string) { e.tell("%s", what) }
	}
	p, err := train.RunProfile(ctx, o.profile)
	if err != nil {
		return err
	}
	return printMeasured(e, p, o.json)
}
