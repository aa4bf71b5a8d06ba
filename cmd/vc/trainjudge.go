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
   vc train judge --speakers recordings --part 2/2 --hold-out ann,bob,cyd -o judge.safetensors

   Ctrl-C saves. Go on later, as if never stopped:
      vc train judge --run runs/judge --resume`

func trainJudgeCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "judge",
		Usage:       "train the judge of speaker similarity for \"vc eval\"",
		UsageText:   "vc train judge --speakers DIR --hold-out NAMES -o FILE [flags]",
		Description: trainJudgeDescription,
		Flags: append(runFlags(runUsage{what: "judge", output: "judge.safetensors", set: "noiseShare=0.4", steps: "450", seed: "1"}),
			&cli.StringFlag{Name: "hold-out", Usage: "`NAMES` of speakers to score and not to train on, joined by commas (default: none)"},
			&cli.StringFlag{Name: "part", Usage: "train on `N/M`, the Nth of M parts of each speaker's recordings (default: all)"},
		),
		OnUsageError: func(_ *cli.Context, err error, _ bool) error {
			return usagef("train judge", "train judge: %w", err)
		},
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return usagef("train judge", "train judge: %q is not a flag; the folder is named with --speakers", c.Args().First())
			}
			common, err := runOptions(e, c)
			if err != nil {
				return usagef("train judge", "train judge: %w", err)
			}
			o := train.Options{Options: common, HoldOut: splitNames(c.String("hold-out")), Part: c.String("part")}
			return withOutput(o.Output, func() error { return train.Run(c.Context, o) })
		},
	}
}
