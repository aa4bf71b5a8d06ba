package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/starvc/vc"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/base"
	"github.com/starvc/vc/internal/run"
	"github.com/urfave/cli/v2"
	"github.com/xrash/smetrics"
)

// modelInFolder is the model that is used when none is named.
const modelInFolder = "model.safetensors"

// baseModel is how --model names the model that comes with the program, even where there is another one in the folder. A
// file of that name can be reached as ./base.
const baseModel = "base"

func modelFlag() cli.Flag {
	return &cli.StringFlag{Name: "model", Aliases: []string{"m"},
		Usage: "`FILE` of the model, or base for the one that comes with the program (default: $VC_MODEL, else model.safetensors in this folder, else base)"}
}

const noMark = "no-mark"

// markFlag is of all commands that convert.
func markFlag() cli.Flag {
	return &cli.BoolFlag{Name: noMark, DisableDefaultText: true,
		Usage: "leave out the inaudible mark by which \"vc detect\" knows converted speech: it is then for you to say what it is, wherever you pass it on"}
}

// loadConverter is loadModel for a command with markFlag.
func loadConverter(e env, flag string, unmarked bool) (*vc.Model, string, error) {
	m, path, err := loadModel(e, flag)
	if err == nil && unmarked {
		m = m.Unmarked()
	}
	return m, path, err
}

// findModel decides which model to use: the one named on the command line, else the one that $VC_MODEL names, else
// model.safetensors in the current folder, else baseModel, if the program was built with one.
func findModel(e env, flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	if p := e.getenv("VC_MODEL"); p != "" {
		return p, nil
	}
	if _, err := os.Stat(modelInFolder); err == nil {
		return modelInFolder, nil
	}
	if e.openBase != nil {
		return baseModel, nil
	}
	return "", errors.New(`no model: name one with --model FILE or $VC_MODEL, or train one first:
    vc train --speakers DIR -o model.safetensors     (DIR holds one folder of recordings per speaker)
or see the whole of it in a minute with "vc try"`)
}

// embedded is what the program can be built with; see internal/base.
func embedded() func() (io.Reader, error) {
	if !base.Has(base.Voices) {
		return nil
	}
	return func() (io.Reader, error) { return base.Open(base.Voices) }
}

// loadModel finds and reads a model, and returns its path too.
func loadModel(e env, flag string) (*vc.Model, string, error) {
	path, err := findModel(e, flag)
	if err != nil {
		return nil, "", err
	}
	if path == baseModel {
		m, _, err := loadBase(e)
		return m, path, err
	}
	path = run.ModelOf(path)
	m, err := vc.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		from := ""
		if flag == "" && path != modelInFolder {
			from = " (from $VC_MODEL)"
		}
		return nil, "", fmt.Errorf("model %s%s: there is no such file", path, from)
	}
	if err != nil {
		if isVoiceFile(path) {
			return nil, "", fmt.Errorf("model %s: this is a saved voice, not a model: take it on with --to %[1]s", path)
		}
		if model, lookErr := looksLikeModel(path); lookErr == nil && !model {
			return nil, "", fmt.Errorf("model %s: this is no voice model (see `vc info %[1]s`): want a .safetensors file that \"vc train\" made", path)
		}
	}
	return m, path, err
}

// loadBase reads the model that comes with the program, and says how many bytes it has.
func loadBase(e env) (*vc.Model, int64, error) {
	if e.openBase == nil {
		return nil, 0, errors.New("this program was built without a base model: name a file with --model")
	}
	r, err := e.openBase()
	if err != nil {
		return nil, 0, err
	}
	counted := &countingReader{r: r}
	m, err := vc.Read(counted)
	if err != nil {
		return nil, 0, fmt.Errorf("the model inside the program: %w", err)
	}
	return m, counted.n, nil
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

func speakerNames(speakers []gan.SpeakerInfo) []string {
	var names []string
	for _, s := range speakers {
		names = append(names, s.Name)
	}
	return names
}

// nearest returns the known name that name is most likely a slip of, or nothing where all are far or name is a path.
func nearest(name string, known []string) string {
	if strings.ContainsAny(name, `/\`) {
		return ""
	}
	best, least := "", math.MaxInt
	for _, k := range slices.Sorted(slices.Values(known)) {
		if d := smetrics.WagnerFischer(strings.ToLower(name), strings.ToLower(k), 1, 1, 1); d < least {
			best, least = k, d
		}
	}
	if least > max(1, len(name)/2) {
		return ""
	}
	return best
}
