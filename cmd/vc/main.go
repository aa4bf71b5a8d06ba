// Command vc changes voices: it trains a model on folders of recordings, one folder per speaker, and converts speech
// to the voice of any of them. Run "vc help" for its commands.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"golang.org/x/term"
)

// Exit codes. Scripts may rely on them.
const (
	exitOK          = 0
	exitFailed      = 1   // the work could not be done, or not all of it
	exitUsage       = 2   // the command line makes no sense
	exitUnmarked    = 3   // vc detect: a recording without the mark
	exitInterrupted = 130 // stopped by Ctrl-C or a request to terminate, as a shell reports it
)

// version is set by release builds with -ldflags "-X main.version=v1.2.3".
var version = ""

func main() { os.Exit(start(embedded())) }

// start runs the command line of the process. openBase reads the model that comes with the program, nil for none.
func start(openBase func() (io.Reader, error)) (code int) {
	e := env{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv,
		stdinIsTerminal:  term.IsTerminal(int(os.Stdin.Fd())),
		stdoutIsTerminal: term.IsTerminal(int(os.Stdout.Fd())),
		stderrIsTerminal: term.IsTerminal(int(os.Stderr.Fd())),
		version:          buildVersion(),
		openBase:         openBase,
	}
	ctx, stop := untilSignal(e)
	code = execute(ctx, e, os.Args)
	stop()
	return code
}

// untilSignal gives a context that ends with the first signal, which asks for an orderly end. That may take a while, so an
// interrupt by the keyboard is answered at once. From then on signals have their default effect again, so that a second one ends
// the process.
func untilSignal(e env) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		select {
		case s := <-signals:
			signal.Stop(signals)
			if s == os.Interrupt {
				if e.stderrIsTerminal {
					fmt.Fprintln(e.stderr) // below the line of progress, which now has a ^C in it
				}
				e.tell("stopping in order, which may take a moment; Ctrl-C again stops at once, and what is not saved is lost")
			}
			cancel()
		case <-ctx.Done():
			signal.Stop(signals)
		}
	}()
	return ctx, func() { cancel(); <-finished }
}

// env is what a command sees of the world.
type env struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	getenv func(string) string

	stdinIsTerminal, stdoutIsTerminal, stderrIsTerminal bool

	version string

	openBase func() (io.Reader, error) // the model that comes with the program; nil where there is none
}

// execute executes a command line and returns the exit code. It has told standard error about a failure.
func execute(ctx context.Context, e env, argv []string) int {
	app := newApp(e)
	argv, err := reorder(app, argv)
	if err == nil {
		err = explain(writeHelp(app, e.stdoutIsTerminal, func() error { return app.RunContext(ctx, argv) }))
	}
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errUnmarked):
		return exitUnmarked
	case errors.As(err, &usage):
		fmt.Fprintf(e.stderr, "vc: %v\n", err)
		if usage.command != "" {
			fmt.Fprintf(e.stderr, "vc: see \"vc %s --help\"\n", usage.command)
		} else {
			fmt.Fprintf(e.stderr, "vc: see \"vc help\"\n")
		}
		return exitUsage
	case ctx.Err() != nil:
		// The error may hold more than the word "canceled", for instance how to go on.
		if err != context.Canceled {
			fmt.Fprintf(e.stderr, "vc: %v\n", err)
		} else {
			fmt.Fprintln(e.stderr, "vc: interrupted")
		}
		return exitInterrupted
	default:
		fmt.Fprintf(e.stderr, "vc: %v\n", err)
		return exitFailed
	}
}

// usageError is a command line that cannot be carried out as written.
type usageError struct {
	command string // whose help has the answer, may be empty
	err     error
}

func (u *usageError) Error() string { return u.err.Error() }
func (u *usageError) Unwrap() error { return u.err }

func usagef(command, format string, a ...any) error {
	return &usageError{command, fmt.Errorf(format, a...)}
}

// buildVersion names the release, or else the commit that the binary was built from.
func buildVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "development"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	revision, changed := "", ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			if s.Value == "true" {
				changed = " with changes"
			}
		}
	}
	if revision == "" {
		return "development"
	}
	return "development " + revision + changed
}
