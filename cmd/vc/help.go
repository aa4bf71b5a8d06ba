package main

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// pages are texts about a matter rather than a command.
//
//go:embed help/*.txt
var pages embed.FS

func pageNames() []string { return []string{"live", "training", "voices"} }

func helpCommand(e env) *cli.Command {
	return &cli.Command{
		Name:      "help",
		Aliases:   []string{"h"},
		Usage:     "show the help of a command, or a page: " + strings.Join(pageNames(), ", "),
		UsageText: "vc help [COMMAND | " + strings.Join(pageNames(), " | ") + "]",
		ArgsUsage: "[COMMAND]",
		Flags:     []cli.Flag{&cli.BoolFlag{Name: "man", DisableDefaultText: true, Usage: "print the manual page, for packages: vc help --man > vc.1"}},
		Action: func(c *cli.Context) error {
			words := c.Args().Slice()
			if c.Bool("man") {
				return writeMan(c.App.Writer, e)
			}
			if len(words) == 0 {
				return cli.ShowAppHelp(c)
			}
			if len(words) == 1 && slices.Contains(pageNames(), words[0]) {
				text, err := pages.ReadFile("help/" + words[0] + ".txt")
				if err != nil {
					return err
				}
				if findCommand(c.App.Commands, words[0]) != nil { // a command of that name has its help before the page
					if err := c.App.RunContext(c.Context, []string{c.App.Name, words[0], "--help"}); err != nil {
						return err
					}
					if _, err := fmt.Fprintln(c.App.Writer); err != nil {
						return err
					}
				}
				_, err = c.App.Writer.Write(text)
				return err
			}
			commands := c.App.Commands
			for i, word := range words {
				command := findCommand(commands, word)
				if command == nil || command.Name == completeName {
					return unknownTopic(c.App, commands, words[:i+1])
				}
				commands = command.Subcommands
			}
			return c.App.RunContext(c.Context, slices.Concat([]string{c.App.Name}, words, []string{"--help"}))
		},
	}
}

func unknownTopic(app *cli.App, commands []*cli.Command, words []string) error {
	var known []string
	if len(words) == 1 {
		known = pageNames()
	}
	for _, c := range commands {
		if !c.Hidden {
			known = append(known, c.Name)
		}
	}
	word := words[len(words)-1]
	if near := nearest(word, known); near != "" {
		return usagef("", "help: there is none on %q, did you mean %q?", strings.Join(words, " "), near)
	}
	return usagef("", "help: there is none on %q; there are pages on %s, and commands have theirs", strings.Join(words, " "), strings.Join(pageNames(), ", "))
}

// helpTopics is all that "vc help" can be asked for.
func helpTopics(app *cli.App) [][]string {
	topics := [][]string{nil}
	for _, name := range pageNames() {
		topics = append(topics, []string{name})
	}
	for _, c := range app.Commands {
		if c.Hidden {
			continue
		}
		topics = append(topics, []string{c.Name})
		for _, s := range c.Subcommands {
			topics = append(topics, []string{c.Name, s.Name})
		}
	}
	return topics
}

// writeHelp runs do with a writer for help in place of the app's, which wraps it where it goes to a terminal.
func writeHelp(app *cli.App, terminal bool, do func() error) error {
	if !terminal {
		return do()
	}
	w := &wrapping{w: app.Writer}
	app.Writer = w
	err := do()
	if flushErr := w.flush(); err == nil && flushErr != nil {
		return fmt.Errorf("standard output: %w", flushErr)
	}
	return err
}
