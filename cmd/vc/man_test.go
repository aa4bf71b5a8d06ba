package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// Every command, every flag and every page of help is in the manual, each flag under its command.
func TestManHasAllThereIs(t *testing.T) {
	var b strings.Builder
	if err := writeMan(&b, testEnv()); err != nil {
		t.Fatal(err)
	}
	page := plainRoff(b.String())
	if !strings.Contains(page, ".TH vc 1\n") {
		t.Errorf("it begins %.40q", page)
	}
	sections := map[string]string{}
	for _, s := range regexp.MustCompile(`(?m)^\.S[HS] `).Split(page, -1)[1:] {
		name, text, _ := strings.Cut(s, "\n")
		sections[name] = text
	}
	app := newApp(testEnv())
	commands, flags := 0, 0
	var look func(within string, c *cli.Command)
	look = func(within string, c *cli.Command) {
		if c.Hidden {
			return
		}
		commands++
		name := strings.TrimSpace(within + " " + c.Name)
		heading := name
		if within == "" {
			heading = strings.Join(c.Names(), ", ")
		}
		text, ok := sections[heading]
		if !ok {
			t.Errorf("no section %q", heading)
			return
		}
		first, _, _ := strings.Cut(c.Description, "\n")
		for _, want := range []string{c.Usage, first} {
			if !strings.Contains(text, strings.TrimSpace(want)) {
				t.Errorf("%s: the manual does not say %q", name, want)
			}
		}
		for _, f := range c.VisibleFlags() {
			flags++
			long := "--" + f.Names()[0]
			if !regexp.MustCompile(`(?m)^` + long + `(, --?[a-z-]+)*(="")?: .{10}`).MatchString(text) {
				t.Errorf("%s: the manual does not explain %s", name, long)
			}
		}
		for _, s := range c.Subcommands {
			look(name, s)
		}
	}
	for _, c := range app.Commands {
		look("", c)
	}
	if commands < 20 || flags < 150 {
		t.Errorf("%d commands with %d flags looked at", commands, flags)
	}
	for _, name := range pageNames() {
		text, err := pages.ReadFile("help/" + name + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		if got, want := strings.Fields(sections["help "+name]), strings.Fields(string(text)); !slices.Equal(got, want) {
			t.Errorf("the page %s: %q, want %q", name, got, want)
		}
	}
}

// plainRoff takes all requests but headings, fonts and escapes off a page.
func plainRoff(page string) string {
	page = regexp.MustCompile(`(?m)^\.(PP|EX|EE|RS|RE|IP).*$`).ReplaceAllString(page, "")
	page = regexp.MustCompile(`\\f[A-Z]`).ReplaceAllString(page, "")
	return strings.NewReplacer(`\-`, "-", `\&`, "", `\[aq]`, "'", `\(aq`, "'", `\[dq]`, `"`, `\(dq`, `"`, "\\\\", "\\", `\[la]`, "<", `\[ra]`, ">").Replace(page)
}
