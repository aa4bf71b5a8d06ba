package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/internal/backlog"
	"github.com/urfave/cli/v2"
)

const streamDescription = `Reads sound from standard input as it comes and writes it to standard output in another voice, a fixed time later.
Both are raw samples, or WAV if the input begins with a WAV header. It runs until the input ends.

EXAMPLES

   from the microphone to the loudspeakers (use headphones):
      arecord -f S16_LE -r 48000 -c 1 -t raw | vc stream --to ann --rate 48000 | aplay -f S16_LE -r 48000 -c 1

   least delay, and a line of figures every second:
      ... | vc stream --to ann --latency low --stats | ...

   between two voices, like somebody in a recording, or a voice saved with "vc style":
      ... | vc stream --mix ann=0.7,bob=0.3 | ...
      ... | vc stream --like carol.wav | ...
      ... | vc stream --to my.voice --formant -2 | ...

   the pitch right from the first word on: a profile of your voice, saved by one stream for the next, or its mean in Hz:
      ... | vc stream --to ann --save-profile me.json | ...
      ... | vc stream --to ann --source-profile me.json | ...
      ... | vc stream --to ann --source-pitch 110 | ...

   changed while it runs, by lines such as "to bob", "like carol.wav", "pitch 2", "gain -3" in a file or named pipe:
      mkfifo control; ... | vc stream --to ann --control control | ...
      echo "to bob" > control`

func streamCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "stream",
		Usage:       "convert live sound from standard input to standard output",
		UsageText:   "vc stream --to VOICE [flags] < SOUND > SOUND",
		Description: streamDescription,
		Flags: slices.Concat(liveFlags(), []cli.Flag{
			&cli.IntFlag{Name: "rate", Aliases: []string{"r"}, Value: 48000, Usage: "raw sound has `N` samples a second"},
			&cli.StringFlag{Name: "format", Aliases: []string{"f"}, Value: "s16le", Usage: "raw samples are `FORMAT`: s16le, s24le, s32le or f32le"},
			&cli.IntFlag{Name: "channels", Aliases: []string{"c"}, Value: 1, Usage: "raw sound has `N` channels; they are averaged, and all carry the result"},
			&cli.BoolFlag{Name: "live", DisableDefaultText: true, Usage: "the input is being recorded: drop what piles up. Else it is live if it comes in real time"},
			&cli.BoolFlag{Name: "no-live", DisableDefaultText: true, Usage: "never drop anything, whatever the pace of the input"},
		}),
		Action: func(c *cli.Context) error {
			o := streamOptions{
				liveOptions: readLiveFlags(c), rate: c.Int("rate"), channels: c.Int("channels"), format: c.String("format"),
				live: c.Bool("live"), noLive: c.Bool("no-live"),
			}
			if c.NArg() > 0 {
				return usagef("stream", "stream: %q: sound comes from standard input; for files there is \"vc convert\"", c.Args().First())
			}
			if err := o.validate(); err != nil {
				return &usageError{"stream", fmt.Errorf("stream: %w", err)}
			}
			return runStream(c.Context, e, o)
		},
	}
}

func formatNames() []string {
	return []string{audio.S16LE.String(), audio.S24LE.String(), audio.S32LE.String(), audio.F32LE.String()}
}

type streamOptions struct {
	liveOptions
	format         string
	rate, channels int
	live, noLive   bool
}

func (o streamOptions) validate() error {
	if o.live && o.noLive {
		return errors.New("--live and --no-live exclude each other")
	}
	if _, err := audio.ParseFormat(o.format); err != nil {
		return err
	}
	switch {
	case o.rate < audio.MinRate || o.rate > audio.MaxRate:
		return fmt.Errorf("--rate is %d, want %d to %d", o.rate, audio.MinRate, audio.MaxRate)
	case o.channels < 1 || o.channels > audio.MaxChannels:
		return fmt.Errorf("--channels is %d, want 1 to %d", o.channels, audio.MaxChannels)
	}
	return o.liveOptions.validate()
}

func runStream(ctx context.Context, e env, o streamOptions) error {
	format, err := audio.ParseFormat(o.format)
	if err != nil {
		return err
	}
	l, err := o.prepare(ctx, e)
	if err != nil {
		return err
	}
	if e.stdinIsTerminal || e.stdoutIsTerminal {
		return errors.New("stream: sound comes in and goes out by pipes, and here is a terminal; \"vc live\" takes it from a microphone, and there are examples in \"vc stream --help\"")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(o.threads))
	// A listener who goes away is met as an error of the write, not as a signal that ends the process half way.
	signal.Ignore(syscall.SIGPIPE)
	l.begin.pace = o.pace(e.stdin)
	l.begin.settle(l)
	return interruptible(ctx, func() error {
		err := l.open(l.begin.latency, pipeFormat{format, o.rate, o.channels})
		if errors.Is(err, io.EOF) {
			return nil // no sound, nothing to do
		}
		if err != nil {
			return err
		}
		if !o.quiet {
			e.tell("%s", l.describe(l.begin.latency))
		}
		err = l.run(ctx)
		if failed := o.finish(e, l); failed != nil {
			return errors.Join(err, failed)
		}
		if errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) {
			return nil // whoever listened has gone
		}
		return err
	})
}

// pace is what is known beforehand of the pace of the input.
func (o streamOptions) pace(stdin io.Reader) backlog.Pace {
	p := backlog.Pace{Fixed: o.live || o.noLive, Live: o.live}
	if f, ok := stdin.(*os.File); ok && !p.Fixed {
		info, err := f.Stat()
		p.Fixed = err == nil && info.Mode().IsRegular()
	}
	return p
}

// patience is how long an interrupted stream may take to end by itself.
const patience = 200 * time.Millisecond

// interruptible runs f, but returns soon after ctx ends even where f waits for somebody else: a pipe that nobody writes to,
// or one that nobody reads. f is then left to the end of the process.
func interruptible(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		return ctx.Err()
	}
}
