package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/convert"
	"github.com/starvc/vc/internal/eval"
	"github.com/urfave/cli/v2"
)

const evalDescription = `Measures how near conversions come to the target's own recordings of the same words: mel-cepstral distortion in dB
after time alignment, per direction, beside that of the unconverted source and of the vocoder alone. It needs recordings
of the same sentences by several speakers of the model, which the model must not have been trained on: a folder per
speaker, the same file name for the same words.

EXAMPLES

   vc eval --parallel test/ --model my.safetensors --out scores/
   vc eval --parallel test/ --speakers slt,bdl,rms --utterances s019,s067`

func evalCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "eval",
		Usage:       "score conversions against the target's own recordings",
		UsageText:   "vc eval --parallel DIR [flags]",
		Description: evalDescription,
		Flags: []cli.Flag{
			modelFlag(),
			&cli.StringFlag{Name: "parallel", Usage: "`DIR` with a folder per speaker, the same words under the same file name"},
			&cli.StringFlag{Name: "speakers", Usage: "`NAMES` to convert between, joined by commas (default: all that model and DIR share)"},
			&cli.StringFlag{Name: "utterances", Usage: "file `NAMES` without extension, joined by commas (default: all in common)"},
			vocoderFlag(),
			&cli.StringFlag{Name: "out", Value: "vc-eval", Usage: "write conversions, manifest and scores to `DIR`"},
		},
		Action: func(c *cli.Context) error {
			o := evalOptions{
				model: c.String("model"), parallel: c.String("parallel"), out: c.String("out"),
				vocoder:  convert.Vocoder(c.String("vocoder")),
				speakers: splitNames(c.String("speakers")), utterances: splitNames(c.String("utterances")),
			}
			switch {
			case c.NArg() > 0:
				return usagef("eval", "eval: %q is not a flag; the folder is named with --parallel", c.Args().First())
			case o.parallel == "":
				return usagef("eval", "eval: --parallel is missing: a folder with a folder per speaker")
			case o.out == "":
				return usagef("eval", "eval: --out is empty")
			}
			if err := (convert.Options{Vocoder: o.vocoder}).Validate(); err != nil {
				return usagef("eval", "eval: %w", err)
			}
			return runEval(c.Context, e, o)
		},
	}
}

type evalOptions struct {
	model, parallel, out string
	speakers, utterances []string
	vocoder              convert.Vocoder
}

func splitNames(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

func runEval(ctx context.Context, e env, o evalOptions) error {
	m, _, err := loadModel(e, o.model)
	if err != nil {
		return err
	}
	if len(o.speakers) == 0 {
		for _, s := range m.Speakers {
			if info, err := os.Stat(filepath.Join(o.parallel, s.Name)); err == nil && info.IsDir() {
				o.speakers = append(o.speakers, s.Name)
			}
		}
	}
	voices := map[string]convert.Voice{}
	for _, name := range o.speakers {
		i, err := m.Speaker(name)
		if err != nil {
			return err
		}
		voices[name] = convert.SpeakerVoice(m, i)
	}
	converter, err := convert.New(m, convert.Options{Vocoder: o.vocoder})
	if err != nil {
		return err
	}
	cfg := eval.DefaultParallelConfig()
	cfg.Vocoder = string(converter.Vocoder())
	cfg.Vocode = func(ctx context.Context, _ features.Config, f features.Frames, samples int) ([]float32, error) {
		return converter.Vocode(ctx, f, samples)
	}
	bar := newProgress(e.stderr, e.stderrIsTerminal, "converting")
	table, err := eval.Run(ctx, eval.RunOptions{
		Root: o.parallel, Speakers: o.speakers, Utterances: o.utterances, Out: o.out,
		Convert: func(ctx context.Context, clip audio.Clip, to string) (audio.Clip, error) {
			result, err := converter.Convert(ctx, clip, voices[to], nil)
			if err != nil {
				return audio.Clip{}, err
			}
			return result.Clip, nil
		},
		Converted:      func(done, total int) { bar.set(float64(done) / float64(total)) },
		ParallelConfig: cfg,
	})
	bar.done()
	if err != nil {
		return err
	}
	if err := table.WriteText(e.stdout); err != nil {
		return err
	}
	e.tell("conversions and scores lie in %s", o.out)
	return nil
}
