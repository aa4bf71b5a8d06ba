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
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/starvc/vc"
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
		Flags: slices.Concat(voiceFlags(), shiftFlags(), melodyFlags(), []cli.Flag{
			&cli.StringFlag{Name: "save-profile", Usage: "at the end, save what was learnt of your pitch to `FILE`.json, for --source-profile"},
			modelFlag(),
			&cli.IntFlag{Name: "rate", Aliases: []string{"r"}, Value: 48000, Usage: "raw sound has `N` samples a second"},
			&cli.StringFlag{Name: "format", Aliases: []string{"f"}, Value: "s16le", Usage: "raw samples are `FORMAT`: s16le, s24le, s32le or f32le"},
			&cli.IntFlag{Name: "channels", Aliases: []string{"c"}, Value: 1, Usage: "raw sound has `N` channels; they are averaged, and all carry the result"},
			&cli.Float64Flag{Name: "gain", Usage: "make the output louder by `DB`"},
			&cli.Float64Flag{Name: "gate", Value: -90, Usage: "take input below `DB` for silence"},
			&cli.Float64Flag{Name: "dry-wet", Value: 1, Usage: "from 0, the input, to 1, the converted voice: `PART`"},
			&cli.StringFlag{Name: "latency", Value: defaultLatency, Usage: "`SETTING` between delay and quality: low, normal or high"},
			&cli.DurationFlag{Name: "max-delay", Value: defaultMaxDelay, Usage: "of live sound, drop at once what has waited longer than `TIME`, such as after a standstill; less is dropped within seconds"},
			&cli.BoolFlag{Name: "live", DisableDefaultText: true, Usage: "the input is being recorded: drop what piles up. Else it is live if it comes in real time"},
			&cli.BoolFlag{Name: "no-live", DisableDefaultText: true, Usage: "never drop anything, whatever the pace of the input"},
			&cli.IntFlag{Name: "threads", Value: 1, Usage: "use at most `N` processor cores; 0 means all"},
			&cli.BoolFlag{Name: "stats", DisableDefaultText: true, Usage: "every second a line of figures on standard error"},
			&cli.StringFlag{Name: "control", Usage: "read changes from the file or named pipe `PATH` while running"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, DisableDefaultText: true, Usage: "say nothing but warnings and errors"},
		}),
		Action: func(c *cli.Context) error {
			o := streamOptions{
				model: c.String("model"), rate: c.Int("rate"), channels: c.Int("channels"), format: c.String("format"),
				latency: c.String("latency"), stats: c.Bool("stats"), control: c.String("control"), quiet: c.Bool("quiet"),
				maxDelay: c.Duration("max-delay"), live: c.Bool("live"), noLive: c.Bool("no-live"),
				threads: c.Int("threads"), sourceChoice: readSourceFlags(c), saveProfile: c.String("save-profile"),
				set: settings{
					voiceChoice: readVoiceFlags(c), pitch: c.Float64("pitch"), formant: c.Float64("formant"), strength: c.Float64("strength"),
					gainDB: c.Float64("gain"), gateDB: c.Float64("gate"), wet: c.Float64("dry-wet"),
					melody: vc.Melody(c.String("melody")),
				},
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

// What sound may wait beyond the delay of the conversion itself.
const (
	defaultMaxDelay = 200 * time.Millisecond
	minMaxDelay     = 20 * time.Millisecond
	maxMaxDelay     = 10 * time.Second // less than a backlog.Queue holds
)

func formatNames() []string {
	return []string{audio.S16LE.String(), audio.S24LE.String(), audio.S32LE.String(), audio.F32LE.String()}
}

type streamOptions struct {
	sourceChoice
	saveProfile                     string
	model, format, latency, control string
	rate, channels                  int
	stats, quiet                    bool
	live, noLive                    bool
	maxDelay                        time.Duration
	threads                         int
	set                             settings
}

// settings are what can change while a stream runs.
type settings struct {
	voiceChoice
	pitch, formant float64 // semitones
	strength       float64
	gainDB, gateDB float64
	wet            float64
	melody         vc.Melody
	voiceChanged   bool
}

func (s settings) validate() error {
	if err := s.voiceChoice.validate(); err != nil {
		return err
	}
	switch {
	case !(s.wet >= 0 && s.wet <= 1):
		return fmt.Errorf("--dry-wet is %g, want 0 to 1", s.wet)
	case !(s.gainDB >= -120 && s.gainDB <= 60):
		return fmt.Errorf("--gain is %g dB, want -120 to 60", s.gainDB)
	case !(s.gateDB <= 0):
		return fmt.Errorf("--gate is %g dB, want 0 or less", s.gateDB)
	}
	return vc.Options{PitchSemitones: s.pitch, FormantSemitones: s.formant, Strength: s.strength, Melody: s.melody}.Validate()
}

func (o streamOptions) validate() error {
	if o.threads < 0 {
		return fmt.Errorf("--threads is %d, want 0 (all cores) or more", o.threads)
	}
	if o.live && o.noLive {
		return errors.New("--live and --no-live exclude each other")
	}
	if o.maxDelay < minMaxDelay || o.maxDelay > maxMaxDelay {
		return fmt.Errorf("--max-delay is %v, want %v to %v", o.maxDelay, minMaxDelay, maxMaxDelay)
	}
	if _, err := audio.ParseFormat(o.format); err != nil {
		return err
	}
	if _, err := findLatency(o.latency); err != nil {
		return err
	}
	switch {
	case o.rate < audio.MinRate || o.rate > audio.MaxRate:
		return fmt.Errorf("--rate is %d, want %d to %d", o.rate, audio.MinRate, audio.MaxRate)
	case o.channels < 1 || o.channels > audio.MaxChannels:
		return fmt.Errorf("--channels is %d, want 1 to %d", o.channels, audio.MaxChannels)
	}
	if err := o.sourceChoice.validate(); err != nil {
		return err
	}
	if badExtension(o.saveProfile, ".json") {
		return fmt.Errorf("--save-profile %s: profiles are JSON files: let the name end in .json", o.saveProfile)
	}
	return o.set.validate()
}

func runStream(ctx context.Context, e env, o streamOptions) error {
	m, _, err := loadModel(e, o.model)
	if err != nil {
		return err
	}
	voice, err := o.set.find(m)
	if err != nil {
		return err
	}
	voice.tellNotes(e, o.quiet)
	source, err := o.source()
	if err != nil {
		return err
	}
	if err := checkWritable(o.saveProfile, false); err != nil {
		return err
	}
	if e.stdinIsTerminal || e.stdoutIsTerminal {
		return errors.New("stream: sound comes in and goes out by pipes, and here is a terminal; see the examples in \"vc stream --help\"")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(o.threads))
	var first []string
	var control <-chan string
	if o.control != "" {
		if first, control, err = watchControl(ctx, e, o.control); err != nil {
			return err
		}
	}
	format, err := audio.ParseFormat(o.format)
	if err != nil {
		return err
	}
	latency, err := findLatency(o.latency)
	if err != nil {
		return err
	}
	// A listener who goes away is met as an error of the write, not as a signal that ends the process half way.
	signal.Ignore(syscall.SIGPIPE)
	l := &live{env: e, model: m, set: o.set, control: control, quiet: o.quiet, source: source}
	l.begin = beginning{voice: voice.Voice, pace: o.pace(e.stdin), maxDelay: o.maxDelay}
	// All that takes its time is done before the first sound is taken.
	for _, line := range first {
		l.apply(line)
		l.settle()
	}
	if o.stats {
		l.statsTo = e.stderr
	}
	return interruptible(ctx, func() error {
		err := l.open(latency, pipeFormat{format, o.rate, o.channels})
		if errors.Is(err, io.EOF) {
			return nil // no sound, nothing to do
		}
		if err != nil {
			return err
		}
		if !o.quiet {
			e.tell("%s", l.describe(latency))
		}
		err = l.run(ctx)
		if o.saveProfile != "" {
			if failed := saveProfile(e, o.saveProfile, l.heard, o.quiet); failed != nil {
				return errors.Join(err, failed)
			}
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

// with returns the settings as a line such as "pitch -2" changes them.
func (s settings) with(line string) (settings, error) {
	word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	rest = strings.TrimSpace(rest)
	switch word {
	case "to":
		s.voiceChoice, s.voiceChanged = voiceChoice{to: rest}, true
		return s, nil
	case "like":
		s.voiceChoice, s.voiceChanged = voiceChoice{like: rest}, true
		return s, nil
	case "random":
		s.voiceChoice, s.voiceChanged = voiceChoice{random: rest}, true
		return s, nil
	case "mix":
		s.voiceChoice, s.voiceChanged = voiceChoice{mix: rest}, true
		return s, nil
	}
	if word == "melody" {
		s.melody = vc.Melody(rest)
		return s, nil
	}
	target := map[string]*float64{"pitch": &s.pitch, "formant": &s.formant, "strength": &s.strength, "gain": &s.gainDB, "gate": &s.gateDB, "dry-wet": &s.wet}[word]
	if target == nil {
		return s, errors.New("not known, want to, mix, like, random, pitch, melody, formant, strength, gain, gate or dry-wet and a value")
	}
	v, err := strconv.ParseFloat(rest, 64)
	if err != nil {
		return s, errors.New("the value is no number")
	}
	*target = v
	return s, nil
}
