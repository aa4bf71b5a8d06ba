package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

const (
	withBase = `The program holds a model with voices of its own. Any speech turns into any of them:

   vc speakers
   vc convert in.wav --to NAME

and "vc demo" says one sentence in all of them. Make a model from your own recordings, one folder per speaker:

   vc train --speakers recordings/ -o my.safetensors
   vc convert in.wav --to ann --model my.safetensors -o out.wav`

	withoutBase = `A model holds many voices. Make one from your own recordings, one folder per speaker:

   vc train --speakers recordings/ -o my.safetensors

then turn any speech into any of its voices:

   vc convert in.wav --to ann --model my.safetensors -o out.wav

No recordings at hand? "vc try" shows all of it in a minute, on two voices that come with the source.`

	appRules = `

Flags may stand before or after the files. "-" as a file is standard input or output. The model is the one given
with --model, else the one that $VC_MODEL names, else model.safetensors in the current folder, else the program's own, if
it was built with one.

More is said by "vc help training", "vc help live" and "vc help voices".`
)

func appDescription(e env) string {
	if e.openBase != nil {
		return withBase + appRules
	}
	return withoutBase + appRules
}

// newApp builds the command tree. It has no effect until it runs.
func newApp(e env) *cli.App {
	app := &cli.App{
		Name:        "vc",
		Usage:       "change the voice in recordings and live speech",
		UsageText:   "vc COMMAND [flags] [files]",
		Description: appDescription(e),
		Version:     e.version,
		Reader:      e.stdin,
		Writer:      e.stdout,
		ErrWriter:   e.stderr,
		Commands: []*cli.Command{
			tryCommand(e), trainCommand(e), devicesCommand(e), setupCommand(e), convertCommand(e), batchCommand(e), anonymizeCommand(e), liveCommand(e), streamCommand(e), styleCommand(e), studioCommand(e), serveCommand(e), demoCommand(e), speakersCommand(e), infoCommand(e), detectCommand(e), packCommand(e), evalCommand(e), vocodeCommand(e), benchCommand(e),
			helpCommand(e), completionCommand(e), completeCommand(e),
		},
		// Values such as --set a=1,2 must arrive whole.
		DisableSliceFlagSeparator: true,
		Suggest:                   true,
		// main chooses the exit code and prints the error.
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError: func(_ *cli.Context, err error, _ bool) error {
			return usagef("", "%w", err)
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return unknownCommand(c.App, c.Args().First())
			}
			return cli.ShowAppHelp(c)
		},
	}
	for _, cmd := range app.Commands {
		cmd.OnUsageError = func(c *cli.Context, err error, _ bool) error {
			return usagef(cmd.Name, "%s: %w", cmd.Name, err)
		}
	}
	return app
}

func unknownCommand(app *cli.App, name string) error {
	var names []string
	for _, c := range app.VisibleCommands() {
		names = append(names, c.Name)
	}
	if near := nearest(name, names); near != "" {
		return usagef("", "unknown command %q, did you mean %q?", name, near)
	}
	return usagef("", "unknown command %q", name)
}

// tell prints a message of a command to standard error, in the form that all commands share.
func (e env) tell(format string, a ...any) {
	fmt.Fprintf(e.stderr, "vc: "+format+"\n", a...)
}
