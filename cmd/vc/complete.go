package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/livesound"
	"github.com/starvc/vc/internal/synth"
	"github.com/starvc/vc/vocoder"
	"github.com/urfave/cli/v2"
)

const completionDescription = `Prints a script that completes commands, flags, presets and the names of speakers.

   bash   echo 'source <(vc completion bash)' >> ~/.bashrc
   zsh    echo 'source <(vc completion zsh)' >> ~/.zshrc      (after compinit)
   fish   vc completion fish > ~/.config/fish/completions/vc.fish

Then open a new shell.`

// completeName is what the scripts call. It answers for a command line that is being typed.
const completeName = "__complete"

func completionCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "completion",
		Usage:       "print a completion script for bash, zsh or fish",
		ArgsUsage:   "bash|zsh|fish",
		Description: completionDescription,
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usagef("completion", "completion: name one shell: bash, zsh or fish")
			}
			script, ok := completionScripts[c.Args().First()]
			if !ok {
				return usagef("completion", "completion: shell %q is not known, want bash, zsh or fish", c.Args().First())
			}
			_, err := fmt.Fprint(e.stdout, script)
			return err
		},
	}
}

// The scripts pass the words before the cursor and the one under it, and fall back to file names where the answer
// is empty.
var completionScripts = map[string]string{
	"bash": `# bash completion for vc
_vc() {
    local cur="${COMP_WORDS[COMP_CWORD]}" IFS=$'\n'
    COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "$cur"))
}
complete -o bashdefault -o default -F _vc vc
`,
	"zsh": `#compdef vc
_vc() {
    local -a answers
    answers=("${(@f)$(${words[1]} __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "${answers[1]}" ]]; then
        compadd -a answers
    else
        _files
    fi
}
compdef _vc vc
`,
	"fish": `# fish completion for vc
function __vc_answers
    set -l words (commandline -opc) (commandline -ct)
    command $words[1] __complete $words[2..-1] 2>/dev/null
end
complete -c vc -a '(__vc_answers)'
`,
}

func completeCommand(e env) *cli.Command {
	return &cli.Command{
		Name:            completeName,
		Hidden:          true,
		SkipFlagParsing: true,
		HideHelp:        true,
		Action: func(c *cli.Context) error {
			for _, a := range complete(e, c.App, c.Args().Slice()) {
				fmt.Fprintln(e.stdout, a)
			}
			return nil
		},
	}
}

// complete returns what may stand in the place of the last word, which may be empty. No answer means a file name.
func complete(e env, app *cli.App, words []string) []string {
	if len(words) == 0 {
		words = []string{""}
	}
	cur, before := words[len(words)-1], words[:len(words)-1]
	var command *cli.Command
	commands := app.Commands
	for _, w := range before {
		if next := findCommand(commands, w); next != nil {
			command, commands = next, next.Subcommands
		}
	}
	var all []string
	switch {
	case command == nil:
		all = append(all, "help", "--help", "--version")
		for _, c := range app.VisibleCommands() {
			all = append(all, c.Name)
		}
	case takesValue(command, before[len(before)-1]):
		name, _, _ := splitFlag(before[len(before)-1])
		all = flagAnswers(e, command.Name, name, before)
	case isFlag(cur):
		all = append(all, "--help")
		for _, f := range command.Flags {
			if v, ok := f.(cli.VisibleFlag); ok && !v.IsVisible() {
				continue
			}
			for _, n := range f.Names() {
				if len(n) > 1 {
					all = append(all, "--"+n)
				}
			}
		}
	case command.Name == "help":
		all = pageNames()
		for _, c := range app.VisibleCommands() {
			all = append(all, c.Name)
		}
	case command.Name == "setup":
		all = []string{"cpu", "cuda"}
	case command.Name == "completion":
		all = []string{"bash", "fish", "zsh"}
	case findCommand(app.Commands, before[len(before)-1]) == command:
		for _, c := range command.Subcommands {
			if !c.Hidden && c.Name != "help" {
				all = append(all, c.Name)
			}
		}
	}
	var fitting []string
	for _, a := range all {
		if strings.HasPrefix(a, cur) {
			fitting = append(fitting, a)
		}
	}
	slices.Sort(fitting)
	return slices.Compact(fitting)
}

func takesValue(command *cli.Command, word string) bool {
	name, _, joined := splitFlag(word)
	return isFlag(word) && !joined && flagTable(command.Flags)[name]
}

// flagAnswers are the values of a command's flag that can be listed, after the words before it.
func flagAnswers(e env, command, flag string, before []string) []string {
	switch flag {
	case "to", "voices":
		saved, _ := filepath.Glob("*" + voiceExtension) // the pattern is a good one
		m, _, err := loadModel(e, modelFrom(before))
		if err != nil {
			return saved
		}
		return append(speakerNames(m.Voices()), saved...)
	case "preset":
		if command == "vocoder" || slices.Contains(before, "--vocoder") {
			return vocoder.NetPresets()
		}
		return gan.Presets()
	case "vocoder":
		switch command {
		case "vocode":
			return vocoderNames(synth.CopyVocoders())
		case "pack":
			return nil // a file, see renamedFlag
		}
		return vocoderNames(vc.Vocoders())
	case "device":
		return []string{"auto", "cpu", "go", "cuda", "cuda:0"}
	case "format":
		return formatNames()
	case "latency":
		return livesound.Names()
	case "channels":
		return []string{keepChannels, monoChannel}
	case "bits":
		var depths []string
		for _, d := range audio.Depths() {
			depths = append(depths, string(d))
		}
		return depths
	case "melody":
		return melodyNames()
	}
	return nil
}

// modelFrom finds the value of --model among the words typed so far.
func modelFrom(words []string) string {
	for i, w := range words {
		name, value, joined := splitFlag(w)
		if !isFlag(w) || name != "model" && name != "m" {
			continue
		}
		if joined {
			return value
		}
		if i+1 < len(words) {
			return words[i+1]
		}
	}
	return ""
}
