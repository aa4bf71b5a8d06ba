package main

import (
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/gan/train"
	"github.com/starvc/vc/internal/run"
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

   add your own voice to a trained model, from five minutes of you in mine/me/*.wav; the model's voices stay as they are,
   and need no recordings:
      vc train --init base --speakers mine -o with-me.safetensors

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
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "speakers", Usage: "`DIR` with a folder per speaker, or NAME=DIR,NAME=DIR"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the model to `MODEL` (default: model.safetensors in the run folder)"},
			&cli.StringFlag{Name: "preset", Usage: "`SIZE` of the networks: tiny (a try), small, medium (on a CPU), live, hq (on a graphics card); default medium, which is what the program's own voices have"},
			&cli.IntFlag{Name: "steps", DefaultText: "chosen by the preset", Usage: "train for `N` steps"},
			&cli.StringFlag{Name: "run", Usage: "run folder `DIR` (default: a new one under runs/)"},
			&cli.BoolFlag{Name: "resume", DisableDefaultText: true, Usage: "go on with the run in --run"},
			&cli.IntFlag{Name: "snapshot-every", DefaultText: "chosen by the preset", Usage: "save every `N` steps"},
			&cli.StringFlag{Name: "init", Usage: "add the voices in --speakers to `MODEL`, whose own voices stay, or to base, the one in the program; takes few steps"},
			&cli.StringFlag{Name: "device", Value: "auto", Usage: "`DEVICE` to train on: auto, cpu, go (pure Go), cuda or cuda:N"},
			&cli.IntFlag{Name: "gpus", Value: 1, Usage: "share each batch between `N` cards of this host, from the one in --device on"},
			&cli.Uint64Flag{Name: "seed", DefaultText: "chosen by the preset", Usage: "`SEED` of all randomness; the same seed gives the same run on a CPU"},
			&cli.IntFlag{Name: "rate", Usage: "sound of `N` samples a second: 16000 or 24000, which needs recordings of that rate or more", DefaultText: "16000"},
			&cli.IntFlag{Name: "batch", DefaultText: "chosen by the preset", Usage: "`N` clips per step"},
			&cli.StringFlag{Name: "config", Usage: "JSON `FILE` with settings that replace the preset's"},
			&cli.StringSliceFlag{Name: "set", Usage: "`KEY=VALUE` replaces one setting; may be given again"},
			&cli.StringFlag{Name: "phones", Usage: "`FILE` of the phone network that keeps the words, or none (default: the one in the program, where it fits the preset)"},
			&cli.BoolFlag{Name: "last", DisableDefaultText: true, Usage: "make the model of the last step, not of the best snapshot by held-out speech"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, DisableDefaultText: true, Usage: "say nothing but warnings and errors"},
		},
		Action: func(c *cli.Context) error {
			o, err := trainOptions(e, c)
			if err != nil {
				return err
			}
			return train.Run(c.Context, o)
		},
	}
}

// trainOptions reads the flags. What needs more than the command line to be judged is left to train.Run.
func trainOptions(e env, c *cli.Context) (train.Options, error) {
	fail := func(format string, a ...any) (train.Options, error) {
		return train.Options{}, usagef("train", "train: "+format, a...)
	}
	o := train.Options{
		Options: run.Options{
			Speakers:      c.String("speakers"),
			Preset:        c.String("preset"),
			Steps:         c.Int("steps"),
			RunDir:        c.String("run"),
			Resume:        c.Bool("resume"),
			SnapshotEvery: c.Int("snapshot-every"),
			Output:        c.String("output"),
			Device:        c.String("device"),
			GPUs:          c.Int("gpus"),
			ConfigFile:    c.String("config"),
			Set:           c.StringSlice("set"),
			Seed:          c.Uint64("seed"),
			Batch:         c.Int("batch"),
			Quiet:         c.Bool("quiet"),
			Last:          c.Bool("last"),
			Stderr:        e.stderr,
			Version:       e.version,
		},
		Init:   c.String("init"),
		Phones: c.String("phones"),
		Rate:   c.Int("rate"),
	}
	if c.NArg() > 0 {
		word := c.Args().First()
		if near := nearest(word, []string{"phones", "judge", "vocoder"}); near != "" {
			return fail("%q is not known, did you mean \"vc train %s\"?", word, near)
		}
		return fail("%q is not a flag; folders are named with --speakers", word)
	}
	switch {
	case o.Resume && o.RunDir == "":
		return fail("--resume needs --run with the folder of the run to go on with")
	case !o.Resume && o.Speakers == "":
		return fail("--speakers is missing: a folder that holds one folder of recordings per speaker")
	case o.Resume && o.Init != "":
		return fail("--init starts a new run and --resume goes on with an old one: give one of them")
	}
	for _, n := range []struct {
		flag  string
		value int
	}{{"steps", o.Steps}, {"snapshot-every", o.SnapshotEvery}, {"batch", o.Batch}, {"rate", o.Rate}, {"gpus", o.GPUs}} {
		if c.IsSet(n.flag) && n.value < 1 {
			return fail("--%s is %d, want at least 1", n.flag, n.value)
		}
	}
	if o.Preset != "" {
		if _, err := gan.Preset(o.Preset); err != nil {
			return fail("%w", err)
		}
	}
	return o, nil
}
