package main

import (
	"fmt"
	"strings"

	"github.com/starvc/vc/internal/device"
	"github.com/urfave/cli/v2"
)

const devicesDescription = `Training runs on a CUDA card, on the CPU through XLA, or on the CPU in pure Go. This shows which of them are ready, what was
found for each and where, and what is missing with the command that mends it. Nothing is needed to convert: that always
runs on the CPU.

EXAMPLES

   vc devices

   a plugin in a place of its own:
      PJRT_PLUGIN_LIBRARY_PATH=/opt/plugins vc devices`

func devicesCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "devices",
		Usage:       "show what training can run on, and what is missing",
		UsageText:   "vc devices [flags]",
		Description: devicesDescription,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "verbose", DisableDefaultText: true, Usage: "also list every plugin found and every folder that was searched"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return usagef("devices", "devices: %q is too much, it takes flags only", c.Args().First())
			}
			return writeDevices(e, device.Inspect(), c.Bool("verbose"))
		},
	}
}

func writeDevices(e env, found device.Inspection, verbose bool) error {
	var b strings.Builder
	for _, l := range found.Lines() {
		state := "ready"
		if !l.Ready {
			state = "no"
		}
		fmt.Fprintf(&b, "%-5s %-6s %s\n", l.Device, state, l.Text)
		if n := len(found.Driver.Cards); l.Device == "cuda" && l.Ready && n > 1 {
			fmt.Fprintf(&b, "%-12s -> train on all cards with --gpus %d\n", "", n)
		}
		if l.Remedy != "" {
			fmt.Fprintf(&b, "%-12s -> %s\n", "", l.Remedy)
		}
	}
	fmt.Fprintf(&b, "--device auto trains on: %s\n", found.Auto)
	if verbose {
		for _, p := range append(found.CUDA, found.CPU...) {
			if p.Fault != nil {
				fmt.Fprintf(&b, "found: %v\n", p.Fault)
			} else {
				fmt.Fprintf(&b, "found: %s, PJRT %v\n", p.Path, p.Version)
			}
		}
		for _, folder := range found.Folders {
			fmt.Fprintf(&b, "searched: %s\n", folder)
		}
	}
	_, err := e.stdout.Write([]byte(b.String()))
	return err
}
