package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/starvc/vc/internal/device"
	"github.com/starvc/vc/internal/wheel"
	"github.com/urfave/cli/v2"
)

const setupDescription = `Installs an engine for training, without Python: "vc setup cuda" for an NVIDIA card (2.3 GB to download; the driver must be
there already, version 580 or newer), "vc setup cpu" for the CPU (63 MB), where it makes training about ten times faster
than without. What is fetched are XLA's plugin and, for a card, NVIDIA's libraries under NVIDIA's licence, in versions that
were chosen for this program, each checked against a checksum that it knows. Converting needs none of this.

They come from the Python Package Index or, with --index or the variable PIP_INDEX_URL, a mirror of it. A download that
breaks off goes on where it stopped when the command is run again.

EXAMPLES

   vc setup cpu
   vc setup cuda

   through a mirror, onto another disk:
      vc setup cuda --index https://mirror.example.org/simple --to /data/pjrt
      PJRT_PLUGIN_LIBRARY_PATH=/data/pjrt vc devices

   on a machine without a network, from a folder of wheels that was filled elsewhere:
      vc setup cuda --from wheels

   only show what would be fetched:
      vc setup cuda --list`

func setupCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "setup",
		Usage:       "install an engine for training: cuda or cpu",
		UsageText:   "vc setup cuda|cpu [flags]",
		Description: setupDescription,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "from", Usage: "take the wheels from `DIR` instead of a network"},
			&cli.StringFlag{Name: "to", Usage: "install into `DIR` (default: " + "~/.local/share/vc/pjrt" + ")"},
			&cli.StringFlag{Name: "index", Usage: "package index `URL` (default: $PIP_INDEX_URL, else " + wheel.DefaultIndex + ")"},
			&cli.BoolFlag{Name: "list", DisableDefaultText: true, Usage: "list the wheels, and how to fetch them with pip, and do nothing"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, DisableDefaultText: true, Usage: "say nothing but warnings and errors"},
		},
		Action: func(c *cli.Context) error {
			o, err := setupOptionsOf(e, c)
			if err != nil {
				return err
			}
			if c.Bool("list") {
				return listWheels(e, o.bundle)
			}
			return runSetup(c.Context, e, o)
		},
	}
}

type setupOptions struct {
	bundle          device.Bundle
	from, to, index string
	cache           string
	quiet           bool
}

func setupOptionsOf(e env, c *cli.Context) (setupOptions, error) {
	if c.NArg() != 1 {
		return setupOptions{}, usagef("setup", "setup: want cuda or cpu, for instance: vc setup cpu")
	}
	bundle, err := device.FindBundle(c.Args().First())
	if err != nil {
		return setupOptions{}, usagef("setup", "%w", err)
	}
	o := setupOptions{bundle: bundle, from: c.String("from"), to: c.String("to"), index: c.String("index"), quiet: c.Bool("quiet")}
	if o.from != "" && o.index != "" {
		return o, usagef("setup", "setup: --from takes wheels from a folder and --index from a network: give one of them")
	}
	if o.index == "" {
		o.index = e.getenv("PIP_INDEX_URL")
	}
	if o.index == "" {
		o.index = wheel.DefaultIndex
	}
	if o.to == "" {
		o.to = device.PluginFolder()
	}
	if o.to == "" {
		return o, usagef("setup", "setup: you have no home folder: name a folder with --to")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = o.to
	}
	o.cache = filepath.Join(cache, "vc", "wheels")
	return o, nil
}

func listWheels(e env, b device.Bundle) error {
	for _, p := range b.Pins {
		if _, err := fmt.Fprintf(e.stdout, "%s  %s  %d bytes\n", p.SHA256, p.File, p.Bytes); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(e.stdout, "\n%s\n", wheel.PipDownload(b.Pins))
	return err
}

func runSetup(ctx context.Context, e env, o setupOptions) error {
	say := func(format string, a ...any) {
		if !o.quiet {
			e.tell(format, a...)
		}
	}
	say("installing %s into %s (%.0f MB of wheels)", o.bundle.Name, o.to, float64(wheel.Total(o.bundle.Pins))/1e6)
	var shown *progress
	what := ""
	client := &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: 20 * time.Second, ResponseHeaderTimeout: 30 * time.Second,
	}}
	folder, err := wheel.Install(ctx, wheel.Options{
		Pins: o.bundle.Pins, To: o.to, Name: o.bundle.Name, From: o.from,
		Index: wheel.Index{URL: o.index, Client: client}, Fetch: wheel.Fetcher{Client: client}, Cache: o.cache,
		Check: o.bundle.Check,
		Progress: func(now string, done, total int64) {
			if now != what {
				if shown != nil {
					shown.done()
				}
				what, shown = now, newProgress(e.stderr, e.stderrIsTerminal && !o.quiet, now)
			}
			shown.set(float64(done) / float64(max(total, 1)))
		},
		Say: func(format string, a ...any) {
			if shown != nil {
				shown.done()
			}
			say(format, a...)
		},
	})
	if shown != nil {
		shown.done()
	}
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("setup: interrupted; what was downloaded is kept, and the same command goes on from there")
		}
		return fmt.Errorf("setup: %w", err)
	}
	say("installed: %s", folder)
	if o.to != device.PluginFolder() {
		to, err := filepath.Abs(o.to)
		if err != nil {
			to = o.to
		}
		say("it is found with PJRT_PLUGIN_LIBRARY_PATH=%s", to)
	}
	say("`vc devices` shows what training will run on now")
	return nil
}
