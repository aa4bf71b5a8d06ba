package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/bench"
	"github.com/starvc/vc/internal/livesound"
	"github.com/starvc/vc/internal/untrained"
	"github.com/urfave/cli/v2"
)

const benchDescription = `Measures on one core: a recording, live streams with each --latency, the stages they are made of, the matrix kernel, and
how long a model takes to load. RTF is the time of computing divided by the duration of the sound: below 1 is faster
than real time. "cpu" columns count this thread's processor time, which other programs do not disturb. "vc bench train"
measures training.

EXAMPLES

   vc bench
   vc bench --model my.safetensors
   vc bench --preset hq --json > hq.json`

func benchCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "bench",
		Usage:       "measure the speed of conversion on this machine",
		UsageText:   "vc bench [flags]",
		Description: benchDescription,
		Subcommands: []*cli.Command{benchTrainCommand(e)},
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "preset", Usage: "measure an untrained model of `PRESET`: " + fmt.Sprint(gan.Presets())},
			&cli.StringFlag{Name: "model", Aliases: []string{"m"}, Usage: "measure the model in `FILE` (default: the voices in the program)"},
			&cli.IntFlag{Name: "rate", Aliases: []string{"r"}, Value: 48000, Usage: "streams have `N` samples a second"},
			&cli.Float64Flag{Name: "seconds", Value: 20, Usage: "use `N` seconds of sound for each figure"},
			&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "print the figures as JSON"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, DisableDefaultText: true, Usage: "say nothing but the result"},
		},
		Action: func(c *cli.Context) error {
			o := benchOptions{
				preset: c.String("preset"), model: c.String("model"), rate: c.Int("rate"), seconds: c.Float64("seconds"),
				json: c.Bool("json"), quiet: c.Bool("quiet"),
			}
			if c.NArg() > 0 {
				return usagef("bench", "bench: %q: there are no arguments; a model is named with --model", c.Args().First())
			}
			if c.IsSet("preset") && c.IsSet("model") {
				return usagef("bench", "bench: --preset and --model exclude each other")
			}
			if o.preset == "" && o.model == "" {
				o.model = baseModel
			}
			if err := o.validate(); err != nil {
				return &usageError{"bench", fmt.Errorf("bench: %w", err)}
			}
			return runBench(c.Context, e, o)
		},
	}
}

type benchOptions struct {
	preset, model string
	rate          int
	seconds       float64
	json, quiet   bool
}

func (o benchOptions) validate() error {
	if o.preset != "" {
		if _, err := gan.Preset(o.preset); err != nil {
			return fmt.Errorf("--%w", err)
		}
	}
	switch {
	case o.rate < audio.MinRate || o.rate > audio.MaxRate:
		return fmt.Errorf("--rate is %d, want %d to %d", o.rate, audio.MinRate, audio.MaxRate)
	case !(o.seconds >= 1 && o.seconds <= 3600):
		return fmt.Errorf("--seconds is %g, want 1 to 3600", o.seconds)
	}
	return nil
}

func runBench(ctx context.Context, e env, o benchOptions) error {
	var m *gan.Model
	if o.model != "" {
		loaded, _, err := loadModel(e, o.model)
		if err != nil {
			return err
		}
		m = loaded.Networks()
	} else {
		c, err := gan.Preset(o.preset)
		if err != nil {
			return err
		}
		m = untrained.Model(c, 3, 1)
		m.Trained.Preset = o.preset + ", untrained"
	}
	path := o.model
	if path == baseModel {
		path = "" // which writes it to a file first
	}
	b := bench.Options{Model: m, Path: path, Duration: time.Duration(o.seconds * float64(time.Second))}
	if !o.quiet {
		b.Say = func(what string) { e.tell("measuring: %s", what) }
	}
	for i, l := range livesound.Latencies() {
		if l.Name == livesound.Normal {
			b.Stages = i
		}
		b.Settings = append(b.Settings, bench.Setting{Name: l.Name, Chunk: l.Chunk, Stream: l.Options(vc.New(m), o.rate)})
	}
	r, err := bench.Run(ctx, b)
	if err != nil {
		return err
	}
	return printMeasured(e, r, o.json)
}

// printMeasured prints a table for people, or JSON.
func printMeasured(e env, r interface{ WriteTable(io.Writer) error }, asJSON bool) error {
	if !asJSON {
		return r.WriteTable(e.stdout)
	}
	enc := json.NewEncoder(e.stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}
