package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/starvc/vc/internal/atomicfile"
)

// Common is what config.json of every run folder holds. A command embeds it in a struct of its own, which has its settings under
// "config", and what was asked for beside it.
type Common struct {
	Command  string `json:"command"` // that began the run, and goes on with it: "train vocoder"
	Speakers string `json:"speakers"`
	Output   string `json:"output"`
	Half     bool   `json:"float16,omitempty"`
}

func (c *Common) common() *Common { return c }

// Request is a pointer to what config.json holds.
type Request interface{ common() *Common }

// Fixed is an option whose value a run keeps from its beginning.
type Fixed struct {
	Option string
	Was    string // as the option would say it
	Now    string // as it was given; empty if it was not
}

// CheckFixed refuses to go on with a run in another way than it began.
func (n Names) CheckFixed(options ...Fixed) error {
	for _, f := range options {
		switch {
		case f.Now == "" || f.Now == f.Was:
		case f.Was == "":
			return fmt.Errorf("%s: the run began without: leave %s out, or begin a new run", n.Of(f.Option, f.Now), n.Of(f.Option))
		default:
			return fmt.Errorf("%s: the run began with %s, and keeps it: leave %s out, or begin a new run", n.Of(f.Option, f.Now), f.Was, n.Of(f.Option))
		}
	}
	return nil
}

// Number is the value of a numeric option for Fixed; empty for 0, which stands for none given.
func Number[T int | uint64](n T) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// CheckSteps refuses to end a run that is resumed before the step that it has come to.
func (n Names) CheckSteps(done, steps int) error {
	if done > steps {
		return fmt.Errorf("%s: the run has made %d already: ask for more, or leave %s out", n.Of("steps", steps), done, n.Of("steps"))
	}
	return nil
}

const requestName = "config.json"

func requestPath(dir string) string { return filepath.Join(dir, requestName) }

// WriteRequest writes config.json of the run folder dir.
func WriteRequest(dir string, request Request) error {
	b, err := json.MarshalIndent(request, "", "  ")
	if err != nil {
		return fmt.Errorf("run folder: %w", err)
	}
	return atomicfile.Write(requestPath(dir), func(w io.Writer) error {
		_, err := w.Write(append(b, '\n'))
		return err
	})
}

// ReadRequest reads it for a command that goes on with the run, such as "train vocoder". A folder without a run, or with the run of
// another command, is an error that says so.
func (n Names) ReadRequest(dir, command string, request Request) error {
	b, err := os.ReadFile(requestPath(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("run folder %s holds no run (no config.json): check %s, or leave %s out", dir, n.Of("run"), n.Of("resume"))
	}
	if err != nil {
		return fmt.Errorf("run folder: %w", err)
	}
	var asked struct {
		Command string `json:"command"`
		Labels  string `json:"labels"`
		Config  struct {
			Net json.RawMessage `json:"net"`
		} `json:"config"`
	}
	broken := func(err error) error { return fmt.Errorf("run folder: %s: %w", requestPath(dir), err) }
	if err := json.Unmarshal(b, &asked); err != nil {
		return broken(err)
	}
	of := asked.Command
	switch { // earlier versions did not write it, but each of their commands asked for something that the others did not
	case of != "":
	case asked.Labels != "":
		of = "train phones"
	case asked.Config.Net != nil:
		of = "train vocoder"
	default:
		of = "train"
	}
	if of != command {
		return fmt.Errorf("run folder %s is of `vc %s`, not of `vc %s`: go on with it by `vc %s %s %s`, or check %s", dir, of, command, of, n.Of("run", dir), n.Of("resume"), n.Of("run"))
	}
	if err := json.Unmarshal(b, request); err != nil {
		return broken(err)
	}
	return nil
}
