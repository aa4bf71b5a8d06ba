package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/vocoder"
	"github.com/starvc/vc/vocoder/train"
	"github.com/urfave/cli/v2"
)

const trainVocoderDescription = `Trains the vocoder, which makes sound of log-mel frames and a pitch. One vocoder serves all voices near those that it heard,
and the program has one inside: train your own for other recordings or another size, or fine-tune with --init and, so that it
learns what a voice model makes of speech, --mels-from.

The first part of the steps learns from spectra alone, which a CPU can do in an hour or two; the rest has discriminators listen
too, which is what a graphics card is for (--set spectralShare=1 leaves them out).

EXAMPLES

   vc train vocoder --speakers recordings -o vocoder.safetensors

   on a CPU, with the spectra alone:
      vc train vocoder --speakers recordings --steps 10000 --set spectralShare=1 --run runs/vocoder -o vocoder.safetensors

   Ctrl-C saves. Go on later, as if never stopped:
      vc train vocoder --run runs/vocoder --resume

   take one of 16 kHz to 24 kHz, with recordings that reach so far:
      vc train vocoder --speakers wide --init narrow.safetensors --rate 24000 --set spectralShare=1 --steps 3000 -o wide.safetensors

   fine-tune the program's own on my recordings and on what my model makes of speech, and put it into the model:
      vc train vocoder --speakers recordings --init base --mels-from my.safetensors --steps 2000 -o tuned.safetensors
      vc pack my.safetensors --net tuned.safetensors -o mine.safetensors`

func trainVocoderCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "vocoder",
		Usage:       "train the vocoder, which makes sound of mel frames",
		UsageText:   "vc train vocoder --speakers DIR -o FILE [flags]",
		Description: trainVocoderDescription,
		Flags: append(runFlags(runUsage{
			what: "vocoder", output: "vocoder.safetensors in the run folder", set: "loss.mel=3", seed: "1", half: true,
			presets: "`SIZE` of the network: tiny (tests), base or large; default base",
		}),
			&cli.StringFlag{Name: "init", Usage: "start from the vocoder in `FILE`, or base for the one that comes with the program"},
			&cli.IntFlag{Name: "rate", Usage: "sound of `N` samples a second: 16000 or 24000, which needs recordings of that rate or more; --init may have 16000", DefaultText: "16000, or that of --init"},
			&cli.StringFlag{Name: "mels-from", Usage: "learn half of the time from the mels that the voice `MODEL`, a file or base, rebuilds of each recording"},
		),
		OnUsageError: func(_ *cli.Context, err error, _ bool) error {
			return usagef("train vocoder", "train vocoder: %w", err)
		},
		Action: func(c *cli.Context) error {
			o, err := trainVocoderOptions(e, c)
			if err != nil {
				return err
			}
			return withOutput(o.Output, func() error { return train.Run(c.Context, o) })
		},
	}
}

func trainVocoderOptions(e env, c *cli.Context) (train.Options, error) {
	fail := func(format string, a ...any) (train.Options, error) {
		return train.Options{}, usagef("train vocoder", "train vocoder: "+format, a...)
	}
	if c.NArg() > 0 {
		return fail("%q is not a flag; the folder is named with --speakers", c.Args().First())
	}
	common, err := runOptions(e, c)
	if err != nil {
		return fail("%w", err)
	}
	if c.IsSet("rate") && c.Int("rate") < 1 {
		return fail("--rate is %d, want at least 1", c.Int("rate"))
	}
	o := train.Options{Options: common, Init: c.String("init"), Rate: c.Int("rate"), MelsFrom: c.String("mels-from")}
	if o.Preset != "" {
		if _, err := vocoder.NetPreset(o.Preset, features.DefaultConfig()); err != nil {
			return fail("%w", err)
		}
	}
	o.OpenMels = func(from string, cfg features.Config, speakers []string) (train.MelMaker, error) {
		m, _, err := loadModel(e, from)
		if err != nil {
			return nil, err
		}
		if err := checkMels(e, m.Networks(), cfg, speakers); err != nil {
			return nil, err
		}
		return rebuiltMels(m.Networks())
	}
	return o, nil
}

// checkMels tells whether a voice model can say again what the speakers said, and names those whom it does not know.
func checkMels(e env, m *gan.Model, cfg features.Config, speakers []string) error {
	if m.Features != cfg {
		return fmt.Errorf("the model has sound of %d Hz and frames that differ from the vocoder's, of %d Hz: name a model of the vocoder's rate", m.Features.SampleRate, cfg.SampleRate)
	}
	known := speakerNames(m.Speakers)
	unknown := slices.DeleteFunc(slices.Clone(speakers), func(s string) bool { return slices.Contains(known, s) })
	if len(unknown) == len(speakers) {
		return fmt.Errorf("no folder is named like a voice of the model, which has %s: name the folders alike, or leave --mels-from out", strings.Join(known, ", "))
	}
	if len(unknown) > 0 {
		e.tell("warning: --mels-from: the model does not know %s, and learning takes the recordings alone there", strings.Join(unknown, ", "))
	}
	return nil
}

// rebuiltMels lets a voice model say again what each of its speakers said, in the speaker's own voice.
func rebuiltMels(m *gan.Model) (train.MelMaker, error) {
	gen, err := gan.NewGenerator(m, m.Config.StemFuture)
	if err != nil {
		return nil, err
	}
	return func(speaker string, f features.Frames) ([]float32, error) {
		for i, s := range m.Speakers {
			if s.Name != speaker {
				continue
			}
			g := gen.Fork()
			g.SetStyle(m.Style(i))
			mel := g.Process(nil, f.LogMel, gan.AppendControls(nil, f.F0, f.LogEnergy))
			mel = g.Flush(mel)
			if len(mel) != len(f.LogMel) {
				return nil, errors.New("the model gives another number of frames")
			}
			return mel, nil
		}
		return f.LogMel, nil // a voice that the model does not know is learnt from as it is
	}, nil
}
