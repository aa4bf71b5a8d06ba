package main

import (
	"context"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/gan/train"
	"github.com/starvc/vc/internal/corpus"
	"github.com/urfave/cli/v2"
)

const trainDescription = `Reads a folder for each speaker, with recordings of any rate (WAV, FLAC, MP3, Ogg Vorbis and, with ffmpeg
installed, nearly all others), and trains one model for all of them. Ten minutes of clear speech per speaker are good, one minute is enough to try. Everything about the run goes into a run
folder: its configuration, losses, pictures and converted examples. A line in about.txt in a speaker's folder,
such as "woman, US English", stays with the voice.

EXAMPLES

   recordings/ann/*.wav, recordings/bob/*.wav:
      vc train --speakers recordings -o my.safetensors

   folders in different places:
      vc train --speakers ann=/data/ann,bob=/data/bob -o my.safetensors

   a quick look whether all is well, on any computer:
      vc train --speakers recordings --preset tiny --steps 300 -o quick.safetensors

   for live use, on a graphics card:
      vc train --speakers recordings --preset live --device cuda --run runs/live -o live.safetensors

   add your own voice to a trained model, from one recording of five minutes or a folder of them; the model's voices stay
   as they are, and need no recordings:
      vc train --init base --speakers me=recording.wav -o with-me.safetensors

   take a model of 16 kHz to 24 kHz, on recordings of all the voices that are to stay:
      vc train --speakers wide --init my.safetensors --rate 24000 --steps 4000 --set warmUpShare=1 -o wide.safetensors

   on all four cards of a host, a batch of 32 clips on each:
      vc train --speakers recordings --preset live --device cuda --gpus 4 --batch 128 -o live.safetensors

   Ctrl-C saves. Go on later, as if never stopped:
      vc train --run runs/live --resume

   change any number of the configuration:
      vc train --speakers recordings --set loss.cycle=2 --set learningRate=2e-4`

func trainCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "train",
		Usage:       "train a model on folders of recordings",
		UsageText:   "vc train --speakers DIR -o MODEL [flags]",
		Description: trainDescription,
		Subcommands: []*cli.Command{trainPhonesCommand(e), trainJudgeCommand(e), trainVocoderCommand(e)},
		Flags: append(runFlags(runUsage{
			what: "model", output: "model.safetensors in the run folder", set: "loss.cycle=2",
			presets: "`SIZE` of the networks: tiny (a try), small, medium (on a CPU), live, hq (on a graphics card); default medium, which is what the program's own voices have",
		}),
			&cli.StringFlag{Name: "init", Usage: "add the voices in --speakers to `MODEL`, whose own voices stay, or to base, the one in the program; takes few steps. With a higher --rate all of MODEL goes over to that rate instead"},
			&cli.BoolFlag{Name: "thorough", DisableDefaultText: true, Usage: "with --init: take five times as long for a voice that is a little nearer"},
			&cli.IntFlag{Name: "rate", Usage: "sound of `N` samples a second: 16000 or 24000, which needs recordings of that rate or more", DefaultText: "24000 where the recordings of half of the speakers reach so far"},
			&cli.StringFlag{Name: "phones", Usage: "`FILE` of the phone network that keeps the words, or none (default: the one in the program, where it fits the preset)"},
		),
		Action: func(c *cli.Context) error {
			o, err := trainOptions(e, c)
			if err != nil {
				return err
			}
			if o.Rate == 0 && !o.Resume && o.Init == "" && o.ConfigFile == "" {
				if o.Rate, err = usualRate(c.Context, e, o); err != nil {
					return err
				}
			}
			return withOutput(o.Output, func() error { return train.Run(c.Context, o) })
		},
	}
}

// usualRate is the rate of a model that such recordings can teach. What is wrong with them is left to the training to say.
func usualRate(ctx context.Context, e env, o train.Options) (int, error) {
	speakers, err := corpus.Scan(o.Speakers)
	if err != nil {
		return 0, nil
	}
	const beyondHz = 9500 // recordings that end below it teach nothing above features.SpeechHz
	full, err := corpus.FullBand(ctx, speakers, beyondHz)
	if err != nil || !full {
		return 0, err
	}
	if !o.Quiet {
		e.tell("the model is for 24 kHz, since the recordings reach so far (--rate 16000 for a smaller one)")
	}
	return 24000, nil
}

// trainOptions reads the flags. What needs more than the command line to be judged is left to train.Run.
func trainOptions(e env, c *cli.Context) (train.Options, error) {
	fail := func(format string, a ...any) (train.Options, error) {
		return train.Options{}, usagef("train", "train: "+format, a...)
	}
	if c.NArg() > 0 {
		word := c.Args().First()
		if near := nearest(word, []string{"phones", "judge", "vocoder"}); near != "" {
			return fail("%q is not known, did you mean \"vc train %s\"?", word, near)
		}
		return fail("%q is not a flag; folders are named with --speakers", word)
	}
	common, err := runOptions(e, c)
	if err != nil {
		return fail("%w", err)
	}
	o := train.Options{Options: common, Init: c.String("init"), Phones: c.String("phones"), Rate: c.Int("rate"), Thorough: c.Bool("thorough")}
	if o.Resume && o.Init != "" {
		return fail("--init starts a new run and --resume goes on with an old one: give one of them")
	}
	switch {
	case o.Thorough && o.Init == "":
		return fail("--thorough is for a voice that is added: name the model with --init")
	case o.Thorough && o.Steps > 0:
		return fail("--thorough and --steps both say how long it takes: give one of them")
	case o.Thorough && o.Rate > 0:
		return fail("--thorough is for a voice that is added, and --rate takes a whole model to another rate: give one of them")
	}
	if c.IsSet("rate") && o.Rate < 1 {
		return fail("--rate is %d, want at least 1", o.Rate)
	}
	if o.Preset != "" {
		if _, err := gan.Preset(o.Preset); err != nil {
			return fail("%w", err)
		}
	}
	if o.Init != "" && o.Preset != "" {
		// The networks are the model's. A model that cannot be read is complained of by the training.
		if m, _, err := loadModel(e, o.Init); err == nil && m.Networks().Trained.Preset != o.Preset {
			return fail("--preset %s does not fit the model of --init, which is %s: leave --preset out", o.Preset, m.Networks().Trained.Preset)
		}
	}
	return o, nil
}
