package main

import "github.com/urfave/cli/v2"

// renamedFlag lets a flag be given by the name that it had before. Neither help nor completion shows that.
func renamedFlag(old string) cli.Flag { return &cli.StringFlag{Name: old, Hidden: true} }

// renamed is the value of a flag under its name, or under the old one, which is worth a word.
func renamed(e env, c *cli.Context, name, old string) (string, error) {
	switch {
	case !c.IsSet(old):
		return c.String(name), nil
	case c.IsSet(name):
		return "", usagef(c.Command.Name, "%s: --%s is the old name of --%s: give one of them", c.Command.Name, old, name)
	}
	e.tell("--%s is called --%s now; the old name is understood too", old, name)
	return c.String(old), nil
}
