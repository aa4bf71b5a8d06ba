package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/starvc/vc/gan/train"
	"github.com/starvc/vc/internal/run"
	"github.com/urfave/cli/v2"
)

const tryDescription = `Trains the smallest preset for about a minute on two voices that come with the source, converts a clip that it has not
heard, and says where the result lies: sound, and a picture of before and after. It needs nothing but this program
and the folder testdata of its source. A minute is too short for a good voice: it shows that all works.

EXAMPLES

   go run ./cmd/vc try
   vc try --dir /tmp/look --steps 1000`

// trySteps take about a minute on two cores.
const trySteps = 120

func tryCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "try",
		Usage:       "see all of it in a minute, on two voices that come with the source",
		UsageText:   "vc try [flags]",
		Description: tryDescription,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", Value: "vc-try", Usage: "put everything into `DIR`"},
			&cli.IntFlag{Name: "steps", Value: trySteps, Usage: "train for `N` steps"},
			&cli.StringFlag{Name: "testdata", Usage: "`DIR` with voices/ and clips/ (default: looked for from here upwards)"},
			&cli.StringFlag{Name: "device", Value: "go", Usage: "`DEVICE` to train on: go (pure Go, which begins at once), auto, cpu, cuda or cuda:N"},
		},
		Action: func(c *cli.Context) error {
			o := tryOptions{dir: c.String("dir"), steps: c.Int("steps"), testdata: c.String("testdata"), device: c.String("device")}
			switch {
			case c.NArg() > 0:
				return usagef("try", "try: %q is not wanted here; your own recordings go to \"vc train\"", c.Args().First())
			case o.steps < 1:
				return usagef("try", "try: --steps is %d, want at least 1", o.steps)
			case o.dir == "":
				return usagef("try", "try: --dir is empty")
			}
			return runTry(c.Context, e, o)
		},
	}
}

type tryOptions struct {
	dir, testdata, device string
	steps                 int
}

func runTry(ctx context.Context, e env, o tryOptions) error {
	data, err := findTestdata(o.testdata)
	if err != nil {
		return err
	}
	clip, to, err := tryClip(data)
	if err != nil {
		return err
	}
	model := filepath.Join(o.dir, "model.safetensors")
	if err := checkWritable(model, true); err != nil {
		return err
	}
	voices := filepath.Join(data, "voices")
	e.tell("1. training preset tiny for %d steps on the voices in %s (about a minute for %d steps)", o.steps, voices, trySteps)
	folder := freeFolder(filepath.Join(o.dir, "run"))
	err = train.Run(ctx, train.Options{Phones: "none", Options: run.Options{
		Speakers: voices, Preset: "tiny", Steps: o.steps, RunDir: folder, Output: model, Force: true, Device: o.device, Stderr: e.stderr, Version: e.version, Names: flagName,
	}})
	if err != nil {
		return err
	}
	out := filepath.Join(o.dir, filepath.Base(outputName(clip, to)))
	picture := strings.TrimSuffix(out, ".wav") + ".png"
	e.tell("2. converting %s to the voice of %s", clip, to)
	err = runConvert(ctx, e, convertOptions{
		inputs: []string{clip}, voiceChoice: voiceChoice{to: to}, model: model, output: out, picture: picture, quiet: true,
	})
	if err != nil {
		return err
	}
	e.tell("done:\n"+
		"    before    %s\n"+
		"    after     %s\n"+
		"    picture   %s\n"+
		"    model     %s\n"+
		"    training  %s (losses, pictures, examples)\n"+
		"A minute of training gives a rough voice. For a good one:\n"+
		"    vc train --speakers DIR -o my.safetensors     (DIR holds one folder of recordings per speaker)",
		clip, out, picture, model, folder)
	return nil
}

// freeFolder returns the name, or name-2 and so on, of a folder that does not exist: earlier tries are kept.
func freeFolder(name string) string {
	free := name
	for n := 2; ; n++ {
		if _, err := os.Lstat(free); err != nil {
			return free
		}
		free = fmt.Sprintf("%s-%d", name, n)
	}
}

// findTestdata looks for the recordings that come with the source, from the current folder upwards.
func findTestdata(named string) (string, error) {
	if named != "" {
		if _, err := os.Stat(filepath.Join(named, "voices")); err != nil {
			return "", fmt.Errorf("%s: holds no folder called voices", named)
		}
		return named, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for up := ""; ; up = filepath.Join(up, "..") {
		candidate := filepath.Join(up, "testdata")
		if info, err := os.Stat(filepath.Join(candidate, "voices")); err == nil && info.IsDir() {
			return candidate, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("the folder testdata of the source is not here nor above: clone the repository and run " +
				"\"go run ./cmd/vc try\" in it, or name the folder with --testdata")
		}
		dir = parent
	}
}

// tryClip picks a clip, and a voice that is not the clip's. Clips are called SPEAKER_name.
func tryClip(data string) (clip, to string, err error) {
	clips, err := filepath.Glob(filepath.Join(data, "clips", "*"))
	if err != nil {
		return "", "", err
	}
	voices, err := os.ReadDir(filepath.Join(data, "voices"))
	if err != nil {
		return "", "", err
	}
	for _, clip := range clips {
		for _, own := range voices {
			if !strings.HasPrefix(filepath.Base(clip), own.Name()+"_") {
				continue
			}
			for _, other := range voices {
				if other.IsDir() && other.Name() != own.Name() {
					return clip, other.Name(), nil
				}
			}
		}
	}
	return "", "", fmt.Errorf("%s: holds no clip of one voice that could be converted to another", data)
}
