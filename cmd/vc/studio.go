package main

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"slices"
	"strconv"

	"github.com/urfave/cli/v2"
)

const studioDescription = `Opens a page in your browser: voices to hear, recordings to convert and compare, live speech from the
microphone, and your own voice to be read in and learnt. The page comes out of the program itself and works without a
network; nothing leaves this computer. Ctrl-C stops it.

EXAMPLES

   vc studio
   vc studio --no-open --port 9000
   vc studio --model my.safetensors

   from another computer, through SSH, so that the browser gives the page its microphone:
      ssh -L 8791:127.0.0.1:8791 HOST vc studio --no-open       and open http://127.0.0.1:8791/studio/ here`

// studioPort is the usual one: a browser remembers leave for the microphone, colours and devices by address and port.
const studioPort = 8791

func studioCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "studio",
		Usage:       "open the voice changer in a browser, for files and live",
		UsageText:   "vc studio [flags]",
		Description: studioDescription,
		Flags: slices.Concat([]cli.Flag{
			&cli.IntFlag{Name: "port", DefaultText: fmt.Sprintf("%d, or a free one", studioPort), Usage: "be at port `N` of this computer"},
			&cli.BoolFlag{Name: "no-open", DisableDefaultText: true, Usage: "do not open a browser, only say the address"},
		}, studioServerFlags()),
		Action: func(c *cli.Context) error {
			switch port := c.Int("port"); {
			case c.IsSet("port") && c.IsSet("listen"):
				return usagef("studio", "studio: --listen has a port already: leave --port out")
			case port < 0 || port > 65535:
				return usagef("studio", "studio: --port is %d, want 1 to 65535, or 0 for a free one", port)
			case !c.IsSet("listen"):
				if !c.IsSet("port") {
					port = usualPort()
				}
				if err := c.Set("listen", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err != nil {
					return err
				}
			}
			o, err := readServerFlags("studio", c)
			if err != nil {
				return err
			}
			o.studio = true
			quiet := o.quiet
			if o.loopback && !c.IsSet("log") {
				o.quiet = true // of the server: what it does is seen on the page
			}
			return runServer(c.Context, e, o, func(url string) {
				if !quiet {
					e.tell("the studio is at %s", url)
					e.tell("Ctrl-C stops it; trainings save first and can go on later")
				}
				if !c.Bool("no-open") {
					if err := openInBrowser(e, url); err != nil {
						e.tell("no browser was opened (%v): open the address above in one", err)
					}
				}
			})
		},
	}
}

// studioServerFlags are those of the server without the usual address, which is the studio's own.
func studioServerFlags() []cli.Flag {
	flags := serverFlags()
	for _, f := range flags {
		if s, ok := f.(*cli.StringFlag); ok && s.Name == "listen" {
			s.Value, s.Usage = "", "be at `ADDRESS:PORT`, for other computers too; it wants a token and TLS"
		}
	}
	return flags
}

// usualPort is studioPort, or 0 for a free one where another program has it.
func usualPort() int {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(studioPort)))
	if err != nil {
		return 0
	}
	l.Close()
	return studioPort
}

// browserCommand is what opens an address with the user's own browser on a system.
func browserCommand(system string) []string {
	switch system {
	case "darwin":
		return []string{"open"}
	case "windows":
		return []string{"rundll32", "url.dll,FileProtocolHandler"}
	}
	return []string{"xdg-open"}
}

// openInBrowser does not wait for the browser, which may live on when the studio ends: Ctrl-C in the terminal is not
// for it.
func openInBrowser(e env, url string) error {
	if runtime.GOOS == "linux" && e.getenv("DISPLAY") == "" && e.getenv("WAYLAND_DISPLAY") == "" {
		return errors.New("there is no screen here")
	}
	command := append(browserCommand(runtime.GOOS), url)
	path, err := exec.LookPath(command[0])
	if err != nil {
		return fmt.Errorf("%s is missing", command[0])
	}
	cmd := exec.Command(path, command[1:]...)
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Release()
}
