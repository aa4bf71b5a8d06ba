package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"
)

// manCommand writes manual pages of the help texts, for packages.
func manCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "man",
		Hidden:      true,
		Usage:       "write the manual pages vc.1, vc-convert.1 and so on into a folder",
		UsageText:   "vc man FOLDER",
		ArgsUsage:   "FOLDER",
		Description: "The pages are the help texts, as troff. Packages put them into /usr/share/man/man1.",
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usagef("man", "man: name one folder to write the pages into")
			}
			return writeManual(e, c.Args().First())
		},
	}
}

func writeManual(e env, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("man: %w", plainCause(err))
	}
	for _, topic := range helpTopics(newApp(e)) {
		var text bytes.Buffer
		quiet := e
		quiet.stdout = &text
		app := newApp(quiet)
		if err := app.Run(append([]string{"vc", "help"}, topic...)); err != nil {
			return errors.Join(fmt.Errorf("man: %q", topic), err)
		}
		name := strings.Join(append([]string{"vc"}, topic...), "-")
		about := "change the voice in recordings and live speech"
		commands := app.Commands
		for i, word := range topic {
			about = "about " + word
			if command := findCommand(commands, word); command != nil {
				about, commands = command.Usage, command.Subcommands
			} else if i == 0 {
				break // a page about a matter
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name+".1"), manualPage(name, about, text.String()), 0o644); err != nil {
			return fmt.Errorf("man: %w", plainCause(err))
		}
	}
	return nil
}

// manualPage is text as a page of troff: its headings, which begin a line and have no small letters, become headings, and all else
// stays as it is laid out.
func manualPage(name, about, text string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, ".TH %s 1 \"\" vc\n.SH NAME\n%s \\- %s\n", strings.ToUpper(strings.ReplaceAll(name, "-", `\-`)), strings.ReplaceAll(name, "-", `\-`), troff(about))
	open := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \n")
		heading := strings.TrimSuffix(line, ":")
		if heading != "" && heading[0] >= 'A' && heading[0] <= 'Z' && heading == strings.ToUpper(heading) {
			if open {
				b.WriteString(".fi\n")
			}
			if heading == "NAME" {
				heading = "SUMMARY" // whatis wants the first one for itself
			}
			fmt.Fprintf(&b, ".SH \"%s\"\n.nf\n", troff(heading))
			open = true
			continue
		}
		if !open {
			b.WriteString(".SH DESCRIPTION\n.nf\n")
			open = true
		}
		b.WriteString(troff(line) + "\n")
	}
	b.WriteString(".fi\n")
	return b.Bytes()
}

// troff writes a line so that it stands for itself.
func troff(line string) string {
	line = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(line)
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		return `\&` + line
	}
	return line
}
