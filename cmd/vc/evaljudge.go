package main

import (
	"github.com/starvc/vc/internal/judge/train"
	"github.com/urfave/cli/v2"
)

const trainJudgeDescription = `Trains the judge with which "vc eval" measures how alike two voices are. It is a small network of its own that never
takes part in training a model. Name some speakers with --hold-out: they are not trained on, and the equal error rate on
them, which is written into the file, says how far the judge can be relied on.

To keep the judge apart from a model that is trained on the same speakers, train the one on --part 2/2 of the recordings.

EXAMPLES

   vc train judge --speakers recordings --hold-out ann,bob,cyd -o judge.safetensors
   vc train judge --speakers recordings --part 2/2 --hold-out ann,bob,cyd -o judge.safetensors`

func trainJudgeCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "judge",
		Usage:       "train the judge of speaker similarity for \"vc eval\"",
		UsageText:   "vc train judge --speakers DIR --hold-out NAMES -o FILE [flags]",
		Description: trainJudgeDescription,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "speakers", Usage: "`DIR` with a folder per speaker, or NAME=DIR,NAME=DIR"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "judge.safetensors", Usage: "write the judge to `FILE`"},
			&cli.StringFlag{Name: "hold-out", Usage: "`NAMES` of speakers to score and not to train on, joined by commas (default: none)"},
			&cli.StringFlag{Name: "part", Usage: "train on `N/M`, the Nth of M parts of each speaker's recordings (default: all)"},
			&cli.IntFlag{Name: "steps", DefaultText: "450", Usage: "train for `N` steps"},
			&cli.StringFlag{Name: "device", Value: "auto", Usage: "`DEVICE` to train on: auto, cpu, go (pure Go), cuda or cuda:N"},
			&cli.Uint64Flag{Name: "seed", DefaultText: "1", Usage: "`SEED` of all randomness"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, DisableDefaultText: true, Usage: "say nothing but errors"},
		},
		OnUsageError: func(_ *cli.Context, err error, _ bool) error {
			return usagef("train judge", "train judge: %w", err)
		},
		Action: func(c *cli.Context) error {
			o := train.Options{
				Speakers: c.String("speakers"), Output: c.String("output"), HoldOut: splitNames(c.String("hold-out")), Part: c.String("part"),
				Steps: c.Int("steps"), Device: c.String("device"), Seed: c.Uint64("seed"), Quiet: c.Bool("quiet"), Stderr: e.stderr, Version: e.version,
			}
			switch {
			case c.NArg() > 0:
				return usagef("train judge", "train judge: %q is not a flag; the folder is named with --speakers", c.Args().First())
			case o.Speakers == "":
				return usagef("train judge", "train judge: --speakers is missing: a folder that holds one folder of recordings per speaker")
			case c.IsSet("steps") && o.Steps < 1:
				return usagef("train judge", "train judge: --steps is %d, want at least 1", o.Steps)
			}
			return withOutput(o.Output, func() error { return train.Run(c.Context, o) })
		},
	}
}
