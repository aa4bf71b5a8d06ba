package main

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"
)

// manSection is that of programs which users start.
const manSection = 1

// writeMan writes the manual page: what help says of the program and of every command, and the pages of help.
func writeMan(w io.Writer, e env) error {
	app := newApp(e)
	app.Flags = append(app.Flags, cli.HelpFlag, cli.VersionFlag)
	app.Description = manMarkdown(app.Description)
	for _, c := range app.Commands {
		forMan(c)
	}
	for _, name := range pageNames() {
		text, err := pages.ReadFile("help/" + name + ".txt")
		if err != nil {
			return err
		}
		app.Commands = append(app.Commands, &cli.Command{Name: "help " + name, Usage: manMarkdown(string(text))})
	}
	page, err := app.ToManWithSection(manSection)
	if err != nil {
		return fmt.Errorf("manual page: %w", err)
	}
	_, err = io.WriteString(w, page)
	return err
}

// forMan has a command's description stand where the library, which has no place for it in its manual, puts the usage.
func forMan(c *cli.Command) {
	c.Usage = manMarkdown(c.Usage + "\n\n" + c.Description)
	for _, s := range c.Subcommands {
		forMan(s)
		s.Name = c.Name + " " + s.Name // whose heading otherwise does not say so
		s.Aliases = nil
	}
}

// itemNumber is a line's number, which Markdown would count anew after an example.
var itemNumber = regexp.MustCompile(`^(\d+)\.`)

// manMarkdown makes help, whose lines that are to stay as they are stand three columns in or more, into Markdown.
func manMarkdown(help string) string {
	var b strings.Builder
	as := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `_`, `\_`, `<`, `\<`, `[`, `\[`, "`", "\\`")
	example := false
	for line := range strings.Lines(help) {
		text := strings.TrimRight(line, " \n")
		indented := strings.HasPrefix(text, "   ")
		if indented && !example {
			b.WriteString("\n")
		}
		switch {
		case text == "":
			b.WriteString("\n")
			continue
		case indented:
			b.WriteString("    " + text[3:] + "\n")
		default:
			b.WriteString(itemNumber.ReplaceAllString(as.Replace(text), `$1\.`) + "\n")
		}
		example = indented
	}
	return b.String()
}
