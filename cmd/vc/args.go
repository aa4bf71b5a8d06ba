package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// reorder moves the flags of a command in front of its other arguments, because urfave/cli v2 takes every flag after
// the first argument for another argument, silently. It knows from the command's own definitions which flags take a
// value. The rules are the usual ones: "--" ends the flags, "-" is a file, "--flag=value" is one word, and a word
// after a flag that takes a value is that value, whatever it looks like (--pitch -3).
//
// A flag that takes a value and is followed by another known flag is an error, since urfave/cli would swallow the
// second one as the value of the first. So is an unknown flag, since nobody can tell whether it takes a value.
func reorder(app *cli.App, argv []string) ([]string, error) {
	if len(argv) < 2 {
		return argv, nil
	}
	// Global flags and the command's name come first and stay where they are.
	at := 1
	global := flagTable(app.Flags)
	for at < len(argv) && isFlag(argv[at]) {
		if argv[at] == "--" {
			return argv, nil
		}
		if name, _, joined := splitFlag(argv[at]); global[name] && !joined {
			at++
		}
		at++
	}
	if at >= len(argv) {
		return argv, nil
	}
	commands := app.Commands
	var command *cli.Command
	name := "" // with that of the command it belongs to, as typed
	for at < len(argv) {
		next := findCommand(commands, argv[at])
		if next == nil {
			break
		}
		command, commands = next, next.Subcommands
		name = strings.TrimSpace(name + " " + next.Name)
		at++
	}
	if command == nil || command.SkipFlagParsing {
		return argv, nil
	}
	flags, rest, err := splitArguments(command, name, argv[at:])
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(flags, func(f string) bool { return f == "--help" || f == "-help" || f == "-h" || f == "--h" }) {
		return append(slices.Clip(argv[:at]), "--help"), nil // else urfave/cli takes a file for a topic of help
	}
	out := slices.Concat(argv[:at], flags)
	if len(rest) == 0 {
		return out, nil
	}
	if len(command.Subcommands) == 0 {
		out = append(out, "--") // so that a file called -x stays a file
	}
	return append(out, rest...), nil
}

// splitArguments separates a command's flags, with their values, from its other arguments. name is the command's full name.
func splitArguments(command *cli.Command, name string, args []string) (flags, rest []string, err error) {
	known := flagTable(command.Flags)
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--":
			return flags, append(rest, args[i+1:]...), nil
		case !isFlag(a):
			rest = append(rest, a)
			continue
		}
		flags = append(flags, a)
		flag, _, joined := splitFlag(a)
		takes, ok := known[flag]
		if !ok && !isHelp(flag) {
			return nil, nil, unknownFlag(name, a, known)
		}
		if !takes || joined {
			continue
		}
		if i+1 == len(args) {
			return nil, nil, usagef(name, "%s: flag %s needs a value", name, a)
		}
		i++
		if next, _, _ := splitFlag(args[i]); isFlag(args[i]) && isKnown(known, next) {
			return nil, nil, usagef(name, "%s: flag %s needs a value, but flag %s follows it", name, a, args[i])
		}
		flags = append(flags, args[i])
	}
	return flags, rest, nil
}

func isHelp(name string) bool { return name == "help" || name == "h" }

func isKnown(table map[string]bool, name string) bool {
	_, ok := table[name]
	return ok || isHelp(name)
}

func unknownFlag(command, word string, known map[string]bool) error {
	name, _, _ := splitFlag(word)
	if name == "flatten" && slices.Contains([]string{"stream", "live", "serve"}, command) {
		return usagef(command, "%s: flag %s wants recordings, since the rate and the melody of speech are known when all of it was heard: "+
			"anonymize files with \"vc anonymize\"", command, word)
	}
	long := slices.DeleteFunc(slices.Collect(maps.Keys(known)), func(n string) bool { return len(n) == 1 })
	if near := nearest(name, long); near != "" {
		return usagef(command, "%s: flag %s is not known, did you mean --%s?", command, word, near)
	}
	return usagef(command, "%s: flag %s is not known", command, word)
}

// flagTable maps every name and alias to whether the flag takes a value.
func flagTable(flags []cli.Flag) map[string]bool {
	table := map[string]bool{}
	for _, f := range flags {
		takes := true
		if d, ok := f.(cli.DocGenerationFlag); ok {
			takes = d.TakesValue()
		}
		for _, n := range f.Names() {
			table[n] = takes
		}
	}
	return table
}

func findCommand(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

// isFlag reports whether a word is written like a flag; "-" is not.
func isFlag(a string) bool { return len(a) > 1 && a[0] == '-' }

// splitFlag takes --name=value apart. One dash or two make no difference, as in the standard library.
func splitFlag(a string) (name, value string, joined bool) {
	a = strings.TrimPrefix(strings.TrimPrefix(a, "-"), "-")
	return strings.Cut(a, "=")
}
