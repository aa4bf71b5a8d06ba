package runlog

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/starvc/vc/audio"
)

// What config.json of a run folder holds is a command's own: its settings under "config", and what was asked for beside it.

func requestPath(dir string) string { return filepath.Join(dir, "config.json") }

// WriteRequest writes config.json of the run folder dir.
func WriteRequest(dir string, request any) error {
	b, err := json.MarshalIndent(request, "", "  ")
	if err != nil {
		return fmt.Errorf("run folder: %w", err)
	}
	return audio.WriteAtomic(requestPath(dir), func(w io.Writer) error {
		_, err := w.Write(append(b, '\n'))
		return err
	})
}

// ReadRequest reads it, into a pointer, for a command that goes on with the run, such as "vc train vocoder". A folder without a
// run, or with the run of another command, is an error that says so.
func ReadRequest(dir, command string, request any) error {
	b, err := os.ReadFile(requestPath(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("run folder %s holds no run (no config.json): check --run, or leave --resume out", dir)
	}
	if err != nil {
		return fmt.Errorf("run folder: %w", err)
	}
	var asked struct { // what only one of the commands asks for
		Labels string `json:"labels"`
		Config struct {
			Net json.RawMessage `json:"net"`
		} `json:"config"`
	}
	broken := func(err error) error { return fmt.Errorf("run folder: %s: %w", requestPath(dir), err) }
	if err := json.Unmarshal(b, &asked); err != nil {
		return broken(err)
	}
	of := "vc train"
	switch {
	case asked.Labels != "":
		of = "vc train phones"
	case asked.Config.Net != nil:
		of = "vc train vocoder"
	}
	if of != command {
		return fmt.Errorf("run folder %s is of `%s`, not of `%s`: go on with it by `%s --run %s --resume`, or check --run", dir, of, command, of, dir)
	}
	if err := json.Unmarshal(b, request); err != nil {
		return broken(err)
	}
	return nil
}
