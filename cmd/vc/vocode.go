package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/atomicfile"
	"github.com/starvc/vc/internal/plot"
	"github.com/starvc/vc/internal/synth"
	"github.com/starvc/vc/vocoder"
	"github.com/urfave/cli/v2"
)

const vocodeDescription = `Takes a recording apart into the frames that a voice model works on and makes sound of them again, without changing the
voice: what the best of all conversions would sound like with that vocoder. With --compare it scores all vocoders on one or
several recordings instead.

EXAMPLES

   with the vocoder that conversions are made with, and with another one; the result is in-VOCODER.wav, or what -o says:
      vc vocode in.wav
      vc vocode in.wav --vocoder griffin-lim --iterations 100 -o lim.wav

   as near to the recording as its frames allow, which no conversion can be: the neural vocoder's sound, refined by Griffin-Lim:
      vc vocode in.wav --vocoder refined

   with a vocoder of your own, or the one inside a voice model, and a picture of before and after:
      vc vocode in.wav --net vocoder.safetensors -o out.wav --picture look.png

   a table of scores of every vocoder, and all that they made as WAV files for other judges:
      vc vocode --compare test/ann/*.wav --net vocoder.safetensors --export copies/

   one recording and what each vocoder makes of it, in a picture:
      vc vocode --compare in.wav --picture look.png`

func vocodeCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "vocode",
		Usage:       "make sound of a recording's own frames, to hear and score vocoders",
		UsageText:   "vc vocode FILE [-o FILE] [flags]\n   vc vocode --compare FILE... [flags]",
		ArgsUsage:   "FILE...",
		Description: vocodeDescription,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write to `FILE`, \"-\" is standard output (default: IN-VOCODER.wav beside the input)"},
			&cli.StringFlag{
				Name: "vocoder", DefaultText: "neural where there is one, else source-filter",
				Usage: "`KIND` of sound synthesis: neural, source-filter, griffin-lim or rtisi, or refined, which is neural and then griffin-lim",
			},
			&cli.StringFlag{Name: "net", Usage: "weights of the neural vocoder: a `FILE` of one, or a voice model that has its own, or base, the program's, which is the default"},
			&cli.IntFlag{Name: "iterations", DefaultText: "as many as are good for recordings", Usage: "`N` iterations of griffin-lim and refined, or of rtisi per frame, or passes of neural and source-filter"},
			&cli.Uint64Flag{Name: "seed", DefaultText: "1", Usage: "`SEED` of the noise in the voice"},
			&cli.StringFlag{Name: "picture", Usage: "draw spectrograms of recording and copy, or with --compare of all copies, into `FILE`.png"},
			renamedFlag("png"),
			&cli.BoolFlag{Name: "compare", DisableDefaultText: true, Usage: "print a table of scores of every vocoder, or of the one that --vocoder names; folders are searched"},
			&cli.StringFlag{Name: "export", Usage: "with --compare, write recordings and copies into `DIR`, a folder per vocoder"},
			&cli.StringFlag{Name: "json", Usage: "with --compare, write all scores, those of single files included, to `FILE`"},
			&cli.IntFlag{Name: "threads", DefaultText: "all", Usage: "use at most `N` processor cores"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, DisableDefaultText: true, Usage: "say nothing but warnings and errors"},
		},
		Action: func(c *cli.Context) error {
			picture, err := renamed(e, c, "picture", "png")
			if err != nil {
				return err
			}
			o := vocodeOptions{
				inputs: c.Args().Slice(), output: c.String("output"), vocoder: synth.Vocoder(c.String("vocoder")), net: c.String("net"),
				iterations: c.Int("iterations"), seed: c.Uint64("seed"), picture: picture, compare: c.Bool("compare"),
				export: c.String("export"), json: c.String("json"), threads: c.Int("threads"), quiet: c.Bool("quiet"),
			}
			if err := o.validate(c.IsSet("iterations")); err != nil {
				return &usageError{"vocode", fmt.Errorf("vocode: %w", err)}
			}
			if o.compare {
				return runCompare(c.Context, e, o)
			}
			return runVocode(c.Context, e, o)
		},
	}
}

type vocodeOptions struct {
	inputs          []string
	output, picture string
	vocoder         synth.Vocoder
	net             string
	iterations      int
	seed            uint64
	compare         bool
	export, json    string
	threads         int
	quiet           bool
}

func (o vocodeOptions) validate(iterationsSet bool) error {
	switch {
	case len(o.inputs) == 0:
		return errors.New("no input: name a recording, or - for standard input")
	case o.compare && o.output != "":
		return errors.New("--compare prints a table: -o does not go with it; --export DIR writes what was made, --picture draws it")
	case !o.compare && (o.export != "" || o.json != ""):
		return errors.New("--export and --json go with --compare")
	case !o.compare && len(o.inputs) > 1:
		return errors.New("one file at a time, or several with --compare")
	case o.output != standardStream && badExtension(o.output, ".wav", ".wave"):
		return fmt.Errorf("-o %s: results are WAV files: let the name end in .wav", o.output)
	case badExtension(o.picture, ".png"):
		return fmt.Errorf("--picture %s: pictures are PNG files: let the name end in .png", o.picture)
	case iterationsSet && o.iterations < 1:
		return fmt.Errorf("--iterations is %d, want 1 or more", o.iterations)
	}
	return synth.Options{Threads: o.threads, Vocoder: o.vocoder}.Validate()
}

// findNet reads the weights that --net names, else the program's, and the frames that go with them; there may be none.
func (o vocodeOptions) findNet() (*vocoder.Net, features.Config, error) {
	if o.net != "" && o.net != baseModel {
		net, err := synth.LoadNet(o.net)
		if err != nil {
			return nil, features.Config{}, err
		}
		return net, net.Features(), nil
	}
	for _, rate := range []int{24000, 16000} {
		cfg, err := features.ConfigForRate(rate)
		if err != nil {
			return nil, features.Config{}, err
		}
		if net, err := synth.BaseNet(cfg); net != nil || err != nil {
			return net, cfg, err
		}
	}
	return nil, features.DefaultConfig(), nil
}

func (o vocodeOptions) synthesizer(v synth.Vocoder, net *vocoder.Net, cfg features.Config) (*synth.Synthesizer, error) {
	return synth.New(cfg, synth.Options{
		Vocoder: v, Net: net, Seed: o.seed, Iterations: o.iterations, Threads: o.threads,
	})
}

func runVocode(ctx context.Context, e env, o vocodeOptions) error {
	net, cfg, err := o.findNet()
	if err != nil {
		return err
	}
	o.threads = cmp.Or(o.threads, runtime.GOMAXPROCS(0))
	s, err := o.synthesizer(o.vocoder, net, cfg)
	if err != nil {
		return err
	}
	in, out := o.inputs[0], o.output
	switch {
	case in == standardStream && e.stdinIsTerminal:
		return errors.New("standard input is a terminal: pipe a recording into it")
	case out == "" && in == standardStream:
		out = standardStream
	case out == "":
		out = outputName(in, string(s.Vocoder()))
	}
	if out == standardStream && e.stdoutIsTerminal {
		return errors.New("standard output is a terminal: name a file with -o, or pipe the sound on")
	}
	for _, path := range []string{out, o.picture} {
		if sameAsInput(path, []input{{path: in}}) != "" {
			return fmt.Errorf("%s would overwrite the input: choose another name", path)
		}
		if err := checkWritable(path, false); err != nil {
			return err
		}
	}
	clip, err := readClip(ctx, e, in)
	if err != nil {
		return err
	}
	for _, text := range clip.Warnings {
		e.tell("warning: %s: %s", in, text)
	}
	start := time.Now()
	bar := newProgress(e.stderr, e.stderrIsTerminal && !o.quiet, "vocoding")
	recording, err := features.Analyze(cfg, clip)
	if err != nil {
		return err
	}
	if len(recording.Samples) == 0 {
		return fmt.Errorf("%s: the recording holds no samples", in)
	}
	frames := recording.Frames
	y, err := s.Synthesize(ctx, frames.LogMel, frames.F0, len(recording.Samples), bar.set)
	bar.done()
	if err != nil {
		return err
	}
	recording.Restore(y, cfg.SampleRate)
	took := time.Since(start)
	copied := audio.Clip{Samples: y, Rate: cfg.SampleRate}
	if err := writeClip(e, out, copied); err != nil {
		return err
	}
	if o.picture != "" {
		if err := drawCopy(o.picture, in, s.Vocoder(), cfg, frames, copied); err != nil {
			return err
		}
	}
	if !o.quiet && out != standardStream {
		e.tell("%s -> %s by %s (%.1f s of sound in %.1f s)", in, out, s.Vocoder(), copied.Duration().Seconds(), took.Seconds())
	}
	return nil
}

// drawCopy draws the recording's features above those of its copy, which is analysed anew.
func drawCopy(path, in string, v synth.Vocoder, cfg features.Config, frames features.Frames, copied audio.Clip) error {
	out, err := features.Analyze(cfg, copied)
	if err != nil {
		return err
	}
	name := strings.TrimSuffix(filepath.Base(in), filepath.Ext(in))
	return atomicfile.Write(path, func(w io.Writer) error {
		return plot.Mels(w, []plot.Mel{
			plot.FromFrames("recording", cfg, frames), plot.FromFrames("copy: "+string(v), cfg, out.Frames),
		}, plot.MelOptions{Title: name + " by " + string(v)})
	})
}
