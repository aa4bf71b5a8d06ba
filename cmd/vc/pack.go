package main

import (
	"fmt"
	"os"

	"github.com/starvc/vc"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/synth"
	"github.com/urfave/cli/v2"
)

const packDescription = `Writes a model anew: with a vocoder of its own inside, so that one file holds all that its voices need, or with weights of 16
bits, which sound the same in half the room.

EXAMPLES

   a vocoder that learnt what my model makes of speech, and the model with it inside:
      vc train vocoder --speakers recordings --init base --mels-from my.safetensors --steps 2000 -o tuned.safetensors
      vc pack my.safetensors --net tuned.safetensors -o whole.safetensors
      vc convert in.wav --to ann --model whole.safetensors

   half the size, to send to somebody:
      vc pack my.safetensors --float16 -o small.safetensors

   back to the vocoder of the program:
      vc pack whole.safetensors --net none -o plain.safetensors`

// noVocoder takes a model's own vocoder out of it.
const noVocoder = "none"

func packCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "pack",
		Usage:       "put a vocoder into a model, or halve its size",
		UsageText:   "vc pack MODEL -o FILE [--net FILE] [--float16]",
		ArgsUsage:   "MODEL",
		Description: packDescription,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the model to `FILE`"},
			&cli.StringFlag{Name: "net", Usage: "neural vocoder to go inside, a `FILE` from vc train vocoder; none for none"},
			renamedFlag("vocoder"),
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
			return runPack(e, c.Args().First(), net, c.String("output"), c.Bool("float16"))
		},
	}
}

func runPack(e env, model, net, output string, half bool) error {
	if err := checkWritable(output, false); err != nil {
		return err
	}
	loaded, _, err := loadModel(e, model)
	if err != nil {
		return err
	}
	m := loaded.Networks()
	switch net {
	case "":
	case noVocoder:
		m, err = m.WithVocoder(nil)
	default:
		m, err = synth.WithNet(m, net)
	}
	if err != nil {
		return err
	}
	precision := gan.Full
	if half {
		precision = gan.Half
	}
	if err := m.Save(output, precision); err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	if loaded, err = vc.Open(output); err != nil { // as those will find it who use it
		return err
	}
	info, err := os.Stat(output)
	if err != nil {
		return err
	}
	return describeModel(e, output, info.Size(), loaded)
}
