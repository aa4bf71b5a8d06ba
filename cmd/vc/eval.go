package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/disturb"
	"github.com/starvc/vc/internal/eval"
	"github.com/starvc/vc/internal/synth"
	"github.com/urfave/cli/v2"
)

const evalDescription = `Converts recordings that the model was not trained on, each to each voice, and measures what comes out:

   similarity  to the target and to the source, by a judge that took no part in training
   words       phone errors by a phone network (the kind that training uses), against the source and against labels
   melody      F0 of the output against the F0 that was asked for: correlation, voicing, octave errors; and of voices that
               are converted to themselves, semitones out per semitone in
   envelope    mel-cepstral distortion (MCD) where the target says the same words
   faults      clipping, silence, values that are no numbers; speed and latency

beside three baselines: the source as it is, the target's own recordings, and those after the vocoder alone. The worst pair
is named; brackets hold 95 % intervals.

DIR of --sources and of --targets holds a folder per speaker; those of the targets are named like voices of the model. A
transcripts.tsv (columns utt, text) beside the recordings tells which say the same words.

With --disturb the same sources are converted again, each disturbed in every way of the list, and the conversions measured
against the words, the melody and the voices of the clean recordings: noise and babble (4 to 6 other sources talking) so many
dB below the speech, a room by its reverberation time in seconds, a telephone, a recording so many dB quieter, peaks cut off,
a lossy codec.

With --parallel alone, only MCD and melody against the target's own recordings of the same words are measured, and the
conversions written to --out.

EXAMPLES

   vc eval --model my.safetensors --sources test/ --targets test/ --judge judge.safetensors --html report.html
   vc eval --sources test/ --phones phones.safetensors --labels labels/ --speakers ann,bob --json scores.json
   vc eval --sources test/ --disturb noise=15,babble=15,room=0.6,phone,quiet=30
   vc eval --sources test/ --random-check 10
   vc eval --sources test/ --export converted/            for judges that are not ours
   vc eval --parallel test/ --model my.safetensors --out scores/`

func evalCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "eval",
		Usage:       "score conversions: similarity, words, melody, speed",
		UsageText:   "vc eval --sources DIR [flags]\nvc eval --parallel DIR [flags]",
		Description: evalDescription,
		Flags: []cli.Flag{
			modelFlag(),
			&cli.StringFlag{Name: "sources", Usage: "`DIR` with a folder per speaker, to be converted (default: that of --targets)"},
			&cli.StringFlag{Name: "targets", Usage: "`DIR` with recordings of the model's voices (default: that of --sources)"},
			&cli.StringFlag{Name: "parallel", Usage: "`DIR` for both, where the same words have the same file name"},
			&cli.StringFlag{Name: "speakers", Usage: "`NAMES` of the voices to convert to, joined by commas (default: all that model and DIR share); with --parallel alone, to convert between"},
			&cli.StringFlag{Name: "from", Usage: "`NAMES` of the speakers to convert (default: all in the folder)"},
			&cli.StringFlag{Name: "utterances", Usage: "file `NAMES` without extension, joined by commas (default: all)"},
			&cli.IntFlag{Name: "per-source", Value: 3, Usage: "convert `N` recordings of each source, 0 for all"},
			&cli.StringFlag{Name: "judge", Usage: "`FILE` of the judge of similarity, from \"vc train judge\" (default: the one in the program)"},
			&cli.StringFlag{Name: "phones", Usage: "`FILE` of the phone network, from \"vc train phones\", or none (default: the one in the program)"},
			&cli.StringFlag{Name: "labels", Usage: "`DIR` with the phones that were spoken, SPEAKER.tsv as for \"vc train phones\""},
			&cli.StringFlag{Name: "speaker-table", Usage: "`FILE` with the columns id and sex, separated by tabs (default: speakers.tsv in the sources' folder)"},
			&cli.StringFlag{Name: "json", Usage: "write all scores to `FILE`"},
			&cli.StringFlag{Name: "html", Usage: "write a page with sounds and pictures to `FILE`"},
			&cli.IntFlag{Name: "examples", Value: 6, Usage: "let `N` pairs be heard on the page"},
			&cli.StringFlag{Name: "export", Usage: "write conversions to `DIR`/source/target/utterance.wav, with manifest.tsv"},
			&cli.StringFlag{Name: "disturb", Usage: "convert disturbed sources too, `LIST` such as noise=15,babble=15,room=0.6,phone,quiet=30 (also clip=12, codec=9, room=0.6+noise=15)"},
			&cli.IntFlag{Name: "random-check", Usage: "draw `N` styles for each voice, and see whether they are that voice and differ"},
			&cli.StringFlag{Name: "latency", Usage: "convert as \"vc stream --latency `L`\" does, from a cold start: low, normal or high (default: as files are converted)"},
			vocoderFlag(),
			strengthFlag(),
			markFlag(),
			&cli.StringFlag{Name: "out", Value: "vc-eval", Usage: "with --parallel alone, write conversions, manifest and scores to `DIR`"},
		},
		Action: func(c *cli.Context) error {
			o := evalOptions{
				model: c.String("model"), parallel: c.String("parallel"), out: c.String("out"),
				vocoder:  vc.Vocoder(c.String("vocoder")),
				strength: c.Float64("strength"), noMark: c.Bool(noMark),
				speakers: splitNames(c.String("speakers")), utterances: splitNames(c.String("utterances")),
				suite: suiteOptions{
					sources: c.String("sources"), targets: c.String("targets"), from: splitNames(c.String("from")),
					judge: c.String("judge"), phones: c.String("phones"), labels: c.String("labels"), table: c.String("speaker-table"),
					perSource: c.Int("per-source"), json: c.String("json"), html: c.String("html"), export: c.String("export"),
					examples: c.Int("examples"), random: c.Int("random-check"), latency: c.String("latency"),
				},
			}
			o.suite.to, o.suite.utterances = o.speakers, o.utterances
			if c.IsSet("disturb") {
				var err error
				if o.suite.disturb, err = disturb.Parse(c.String("disturb")); err != nil {
					return usagef("eval", "eval: --disturb: %w", err)
				}
			}
			if err := o.settle(c); err != nil {
				return usagef("eval", "eval: %w", err)
			}
			if o.full {
				return runSuite(c.Context, e, o)
			}
			return runEval(c.Context, e, o)
		},
	}
}

// settle checks the flags and says which evaluation they ask for.
func (o *evalOptions) settle(c *cli.Context) error {
	for _, flag := range []string{"sources", "targets", "from", "per-source", "judge", "phones", "labels", "speaker-table", "json", "html", "examples", "export", "disturb", "random-check", "latency"} {
		o.full = o.full || c.IsSet(flag)
	}
	s := &o.suite
	switch {
	case c.NArg() > 0:
		return fmt.Errorf("%q is not a flag; the folder is named with --sources or --parallel", c.Args().First())
	case o.parallel != "" && (s.sources != "" || s.targets != ""):
		return errors.New("--parallel stands for both --sources and --targets: give it alone")
	case o.parallel == "" && s.sources == "" && s.targets == "":
		return errors.New("--sources is missing: a folder with a folder of recordings per speaker (or --parallel, where all say the same words)")
	case o.out == "":
		return errors.New("--out is empty")
	case s.perSource < 0 || s.examples < 0 || s.random < 0:
		return errors.New("--per-source, --examples and --random-check must not be negative")
	case o.full && c.IsSet("out"):
		return errors.New("--out belongs to --parallel alone; with other flags conversions go to --export, and scores to --json and --html")
	}
	if o.parallel != "" {
		s.sources, s.targets, s.sameWords = o.parallel, o.parallel, true
	}
	if s.sources == "" {
		s.sources = s.targets
	}
	if s.targets == "" {
		s.targets = s.sources
	}
	return checkConversion(vc.Options{Vocoder: o.vocoder, Strength: o.strength})
}

type evalOptions struct {
	model, parallel, out string
	speakers, utterances []string
	vocoder              vc.Vocoder
	strength             float64
	noMark               bool
	suite                suiteOptions
	full                 bool // what suite says is asked for
}

func splitNames(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// converter is what an evaluation asks of every conversion, and the sound of a recording's own frames made as conversions' is.
type converter struct {
	ask   vc.Options
	sound *synth.Synthesizer
}

func newConverter(m *vc.Model, ask vc.Options) (converter, error) {
	n, err := synth.FindNet(m.Networks())
	if err != nil {
		return converter{}, err
	}
	threads := ask.Threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	sound, err := synth.New(m.Features(), synth.Options{Vocoder: synth.Vocoder(ask.Vocoder), Net: n, Threads: threads, Made: true})
	return converter{ask, sound}, err
}

func (c converter) vocode(ctx context.Context, _ features.Config, f features.Frames, samples int) ([]float32, error) {
	return c.sound.Synthesize(ctx, f.LogMel, f.F0, samples, nil)
}

func runEval(ctx context.Context, e env, o evalOptions) error {
	m, _, err := loadConverter(e, o.model, o.noMark)
	if err != nil {
		return err
	}
	if len(o.speakers) == 0 {
		for _, s := range m.Voices() {
			if info, err := os.Stat(filepath.Join(o.parallel, s.Name)); err == nil && info.IsDir() {
				o.speakers = append(o.speakers, s.Name)
			}
		}
	}
	voices := map[string]vc.Voice{}
	for _, name := range o.speakers {
		if voices[name], err = m.Voice(name); err != nil {
			return err
		}
	}
	converter, err := newConverter(m, vc.Options{Vocoder: o.vocoder, Strength: o.strength})
	if err != nil {
		return err
	}
	cfg := eval.DefaultParallelConfig()
	cfg.Vocoder = string(converter.sound.Vocoder())
	cfg.Vocode = converter.vocode
	bar := newProgress(e.stderr, e.stderrIsTerminal, "converting")
	table, err := eval.Run(ctx, eval.RunOptions{
		Root: o.parallel, Speakers: o.speakers, Utterances: o.utterances, Out: o.out,
		Convert: func(ctx context.Context, clip audio.Clip, to string) (audio.Clip, error) {
			result, err := m.Convert(ctx, clip, voices[to], converter.ask)
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
