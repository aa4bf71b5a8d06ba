package main

import (
	"fmt"
	"slices"

	"github.com/starvc/vc/audio"
	"github.com/urfave/cli/v2"
)

const liveDescription = `Takes your voice from a microphone and gives it, in another voice, to a virtual microphone, which any program can choose: in a call,
a game or a recorder, take "vc voice changer" for your microphone. It is made when the command starts and goes when it ends.

It works with PulseAudio and PipeWire, on Linux. On Windows and macOS "vc studio" does the same in a browser.
The delay is said at the start and kept; what piles up while the machine stands still is dropped. On a terminal it shows how loud
it comes in and goes out, and takes keys: m mutes, n and p take the next and the previous voice, + and - shift the pitch, q ends.

EXAMPLES

   vc live --to ann
   vc live --list
   vc live --to ann --input "Yeti" --latency low
   vc live --to ann --output headphones       (to hear yourself; no virtual microphone)
   vc live --mix ann=0.7,bob=0.3 --pitch -2`

func liveCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "live",
		Usage:       "change your voice live, from a microphone into any program",
		UsageText:   "vc live --to VOICE [flags]",
		Description: liveDescription,
		Flags: slices.Concat([]cli.Flag{
			&cli.BoolFlag{Name: "list", DisableDefaultText: true, Usage: "list the devices to record from and to play to, and do no more"},
			&cli.StringFlag{Name: "input", Usage: "record from `DEVICE`: its name, its description, or a part of one of them; else from the default microphone"},
			&cli.StringFlag{Name: "output", Usage: "play to `DEVICE` in place of a virtual microphone"},
			&cli.IntFlag{Name: "rate", Aliases: []string{"r"}, Value: 48000, Usage: "record and play `N` samples a second"},
		}, liveFlags()),
		Action: func(c *cli.Context) error {
			o := deviceOptions{liveOptions: readLiveFlags(c), list: c.Bool("list"), input: c.String("input"), output: c.String("output"), rate: c.Int("rate")}
			if c.NArg() > 0 {
				return usagef("live", "live: %q: sound comes from a microphone; for files there is \"vc convert\"", c.Args().First())
			}
			if err := o.validate(); err != nil {
				return &usageError{"live", fmt.Errorf("live: %w", err)}
			}
			return runDevices(c.Context, e, o)
		},
	}
}

// deviceOptions are those of live sound that comes from a device and goes to one.
type deviceOptions struct {
	liveOptions
	list          bool
	input, output string
	rate          int
}

func (o deviceOptions) validate() error {
	if o.list {
		return nil
	}
	if o.rate < 8000 || o.rate > audio.MaxRate {
		return fmt.Errorf("--rate is %d, want 8000 to %d", o.rate, audio.MaxRate)
	}
	return o.liveOptions.validate()
}
