package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/starvc/vc/gan"
	"github.com/urfave/cli/v2"
	"github.com/xrash/smetrics"
)

// modelInFolder is the model that is used when none is named.
const modelInFolder = "model.safetensors"

func modelFlag() cli.Flag {
	return &cli.StringFlag{Name: "model", Aliases: []string{"m"},
		Usage: "`FILE` of the model (default: $VC_MODEL, else model.safetensors in this folder)"}
}

// findModel decides which model file to use: the one named on the command line, else the one that $VC_MODEL names,
// else model.safetensors in the current folder.
//
// A base model that is embedded in the binary will be the last resort here, once there is one: a go:embed variable in
// this file, which loadModel will read with gan.Read where findModel finds no file.
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
	return "", errors.New(`no model: name one with --model FILE or $VC_MODEL, or train one first:
    vc train --speakers DIR -o model.safetensors     (DIR holds one folder of recordings per speaker)
or see the whole of it in a minute with "vc try"`)
}

// loadModel finds and reads a model, and returns its path too.
func loadModel(e env, flag string) (*gan.Model, string, error) {
	path, err := findModel(e, flag)
	if err != nil {
		return nil, "", err
	}
	m, err := gan.Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		from := ""
		if flag == "" && path != modelInFolder {
			from = " (from $VC_MODEL)"
		}
		return nil, "", fmt.Errorf("model %s%s: there is no such file", path, from)
	}
	return m, path, err
}

func speakerNames(m *gan.Model) []string {
	var names []string
	for _, s := range m.Speakers {
		names = append(names, s.Name)
	}
	return names
}

// nearest returns the known name that name is most likely a slip of, or nothing where all are far.
func nearest(name string, known []string) string {
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
