package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/starvc/vc"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/synth"
	"github.com/urfave/cli/v2"
)

const packDescription = `Writes a model anew: with a vocoder of its own inside, so that one file holds all that its voices need, or with weights of 16
bits, which sound the same in half the room. Voices can be left out, and put on more strongly or less from the start.

EXAMPLES

   a vocoder that learnt what my model makes of speech, and the model with it inside:
      vc train vocoder --speakers recordings --init base --mels-from my.safetensors --steps 2000 -o tuned.safetensors
      vc pack my.safetensors --net tuned.safetensors -o whole.safetensors
      vc convert in.wav --to ann --model whole.safetensors

   half the size, to send to somebody:
      vc pack my.safetensors --float16 -o small.safetensors

   back to the vocoder of the program:
      vc pack whole.safetensors --net none -o plain.safetensors

   all voices at 0.85 of their distance from the mean, for the words' sake, but ann as she is, and without bob:
      vc pack my.safetensors --strength 0.85,ann=1 --drop bob -o calm.safetensors`

// noVocoder takes a model's own vocoder out of it.
const noVocoder = "none"

func packCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "pack",
		Usage:       "put a vocoder into a model, or halve its size",
		UsageText:   "vc pack MODEL -o FILE [--net FILE] [--strength N] [--drop NAMES] [--float16]",
		ArgsUsage:   "MODEL",
		Description: packDescription,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the model to `FILE`"},
			&cli.StringFlag{Name: "net", Usage: "neural vocoder to go inside, a `FILE` from vc train vocoder; none for none"},
			renamedFlag("vocoder"),
			&cli.StringFlag{Name: "strength", Usage: "`N` for all voices, NAME=N for one, joined by commas: the distance of the stored styles from the mean of all, 0.1 to 2"},
			&cli.StringFlag{Name: "drop", Usage: "leave out the voices of these `NAMES`, joined by commas"},
			&cli.BoolFlag{Name: "float16", DisableDefaultText: true, Usage: "write 16-bit weights, half the size"},
		},
		Action: func(c *cli.Context) error {
			switch {
			case c.NArg() != 1:
				return usagef("pack", "pack: name one model, such as my.safetensors or base")
			case c.String("output") == "":
				return usagef("pack", "pack: -o is missing: the file to write the model to")
			}
			net, err := renamed(e, c, "net", "vocoder")
			if err != nil {
				return err
			}
			o := packOptions{model: c.Args().First(), net: net, output: c.String("output"), half: c.Bool("float16"), drop: splitNames(c.String("drop"))}
			if o.strength, err = parseStrengths(c.String("strength")); err != nil {
				return usagef("pack", "pack: --strength: %w", err)
			}
			return runPack(e, o)
		},
	}
}

type packOptions struct {
	model, net, output string
	half               bool
	strength           map[string]float64 // by voice, "" for all others
	drop               []string
}

// parseStrengths reads "0.85,ann=1".
func parseStrengths(list string) (map[string]float64, error) {
	out := make(map[string]float64)
	for _, item := range splitNames(list) {
		name, number, found := strings.Cut(item, "=")
		if !found {
			name, number = "", item
		}
		n, err := strconv.ParseFloat(number, 64)
		if err != nil || !(n >= vc.MinStrength && n <= vc.MaxStrength) {
			return nil, fmt.Errorf("%q: want a number from %g to %d, or NAME=N", item, vc.MinStrength, vc.MaxStrength)
		}
		out[name] = n
	}
	return out, nil
}

func runPack(e env, o packOptions) error {
	if err := checkWritable(o.output, false); err != nil {
		return err
	}
	loaded, _, err := loadModel(e, o.model)
	if err != nil {
		return err
	}
	m := loaded.Networks()
	if len(o.strength) > 0 {
		if m, err = m.WithStrength(o.strength); err != nil {
			return err
		}
	}
	if len(o.drop) > 0 {
		if m, err = m.Without(o.drop...); err != nil {
			return err
		}
	}
	switch o.net {
	case "":
	case noVocoder:
		m, err = m.WithVocoder(nil)
	default:
		m, err = synth.WithNet(m, o.net)
	}
	if err != nil {
		return err
	}
	precision := gan.Full
	if o.half {
		precision = gan.Half
	}
	if err := m.Save(o.output, precision); err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	if loaded, err = vc.Open(o.output); err != nil { // as those will find it who use it
		return err
	}
	info, err := os.Stat(o.output)
	if err != nil {
		return err
	}
	return describeModel(e, o.output, info.Size(), loaded)
}
