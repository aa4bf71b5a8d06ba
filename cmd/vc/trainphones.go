package main

import (
	"strings"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/phones/train"
	"github.com/urfave/cli/v2"
)

const trainPhonesDescription = `Trains the phone network: it learns from speech with phone times to tell which phone is spoken, whoever speaks and
wherever: three in four clips are put into a room, noise, babble or a telephone first. "vc train --phones" then keeps the
words of a conversion by its hidden layer. One network serves all voices and languages near those that it heard.

DIR of --labels holds a table for each speaker, SPEAKER.tsv, in it or in a folder inside it, with the columns utt, start_s,
end_s and phone, where utt is a recording's file name without extension. Phones are ARPAbet without stress, and SIL.
Speakers without a table are left out.

DIR of --teacher holds what a larger network, such as Whisper's encoder, makes of the clean recordings: SPEAKER.safetensors
for each speaker, with a tensor [frames, numbers] for each recording, named as in the labels. The phone network learns to
give that too, from what it hears. Speakers who have no phone times then teach as well.

Few voices are learnt by heart. --voices has a voice model say every recording in others as well, with the same times:
three each (--set voicesPer=N), never in the voice of a speaker who is held out.
Do not let such a network judge those voices (vc eval --phones): it has learnt to read their faults.

As it learns, the network is scored on speech that it does not learn from, clean, in noise, in babble and in a room. The one
with the fewest phone errors is written, for after it a small corpus is learnt by heart.

EXAMPLES

   vc train phones --speakers recordings --labels phones --preset live -o phones.safetensors

   an honest score, on voices that it never heard:
      vc train phones --speakers recordings --labels phones --hold-out ann,bob --run runs/phones -o phones.safetensors

   few speakers: let the voices in the program say the recordings too:
      vc train phones --speakers recordings --labels phones --voices base --hold-out ann,bob -o phones.safetensors

   with a teacher, and an encoder that hears a second back in place of a third of one, for the same work:
      vc train phones --speakers recordings --labels phones --teacher whisper --hold-out ann,bob \
        --set 'gan.encoderDilations=[1,2,4,8,1]' -o phones.safetensors

   more rooms, and worse ones, for the network in the program; it is to hear in them what it heard without:
      vc train phones --speakers recordings --labels phones --init base --teacher self \
        --set roomShare=0.6 --set minDirectDB=-9 -o phones.safetensors

   less noise, no rooms:
      vc train phones --speakers recordings --labels phones --set minSNRDB=15 --set roomShare=0 -o phones.safetensors

   how much better is a finished run's network than the one in the program?
      vc train phones --run runs/phones --resume --compare base

   Ctrl-C saves. Go on later, as if never stopped:
      vc train phones --run runs/phones --resume`

func trainPhonesCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "phones",
		Usage:       "train the phone network, which keeps the words in \"vc train --phones\"",
		UsageText:   "vc train phones --speakers DIR --labels DIR -o FILE [flags]",
		Description: trainPhonesDescription,
		Flags: append(runFlags(runUsage{
			what: "phone network", output: "phones.safetensors", set: "warpRange=0.3", seed: "1", half: true,
			presets: "`SIZE` of the model that it is for: tiny, small, medium, live or hq; default medium",
		}),
			&cli.StringFlag{Name: "labels", Usage: "`DIR` with the phone times, SPEAKER.tsv"},
			&cli.StringFlag{Name: "hold-out", Usage: "`NAMES` of speakers to score and not to train on, joined by commas (default: none)"},
			&cli.StringFlag{Name: "teacher", Usage: "`DIR` with features of a larger network, SPEAKER.safetensors, to learn beside the phones, or self for those of --init (default: none)"},
			&cli.StringFlag{Name: "init", Usage: "go on from the phone network in `FILE`, or base for the one that comes with the program; takes a third of the steps, at a fifth of the rate (default: a fresh one)"},
			&cli.StringFlag{Name: "voices", Usage: "`MODEL` whose voices say every recording too, or base, the one in the program (default: none)"},
			&cli.StringFlag{Name: "compare", Usage: "score the phone network in `FILE`, or base, the one in the program, beside the trained one (default: none)"},
		),
		OnUsageError: func(_ *cli.Context, err error, _ bool) error {
			return usagef("train phones", "train phones: %w", err)
		},
		Action: func(c *cli.Context) error {
			o, err := trainPhonesOptions(e, c)
			if err != nil {
				return err
			}
			return withOutput(o.Output, func() error { return train.Run(c.Context, o) })
		},
	}
}

func trainPhonesOptions(e env, c *cli.Context) (train.Options, error) {
	fail := func(format string, a ...any) (train.Options, error) {
		return train.Options{}, usagef("train phones", "train phones: "+format, a...)
	}
	if c.NArg() > 0 {
		return fail("%q is not a flag; folders are named with --speakers and --labels", c.Args().First())
	}
	common, err := runOptions(e, c)
	if err != nil {
		return fail("%w", err)
	}
	o := train.Options{
		Options: common, Labels: c.String("labels"), Teacher: c.String("teacher"), Voices: c.String("voices"), Init: c.String("init"),
		Compare: c.String("compare"),
	}
	for name := range strings.SplitSeq(c.String("hold-out"), ",") {
		if name = strings.TrimSpace(name); name != "" {
			o.HoldOut = append(o.HoldOut, name)
		}
	}
	if o.Labels == "" && !o.Resume {
		return fail("--labels is missing: a folder with a table of phone times per speaker")
	}
	if o.Preset != "" {
		if _, err := gan.Preset(o.Preset); err != nil {
			return fail("%w", err)
		}
	}
	return o, nil
}
