package main

import (
	"bufio"
	"fmt"
	"math"

	"github.com/starvc/vc"
	"github.com/urfave/cli/v2"
)

const speakersDescription = `Prints one speaker a line, without a heading, fields parted by tabs: the name that --to takes, the minutes of
speech that the model has learnt the voice from, the voice's mean pitch in Hz, and a word about the voice, if the folder
of the speaker's recordings held one in about.txt when the model was trained.

EXAMPLES

   vc speakers
   vc speakers --model my.safetensors
   vc speakers my.safetensors | cut -f1`

func speakersCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "speakers",
		Usage:       "list the voices of a model, one a line",
		UsageText:   "vc speakers [--model MODEL]",
		ArgsUsage:   "[MODEL]",
		Description: speakersDescription,
		Flags:       []cli.Flag{modelFlag()},
		Action: func(c *cli.Context) error {
			path := c.String("model")
			if c.NArg() > 1 || c.NArg() == 1 && path != "" {
				return usagef("speakers", "speakers: name one model")
			}
			if c.NArg() == 1 {
				path = c.Args().First()
			}
			m, _, err := loadModel(e, path)
			if err != nil {
				return err
			}
			return printSpeakers(e, m)
		},
	}
}

func printSpeakers(e env, m *vc.Model) error {
	w := bufio.NewWriter(e.stdout)
	for _, s := range m.Voices() {
		about := ""
		if s.About != "" {
			about = "\t" + s.About
		}
		fmt.Fprintf(w, "%s\t%.1f min\t%.0f Hz%s\n", s.Name, s.Seconds/60, math.Exp(s.LogF0Mean), about)
	}
	return w.Flush()
}
