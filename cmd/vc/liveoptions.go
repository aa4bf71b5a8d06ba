package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/starvc/vc"
	"github.com/starvc/vc/internal/livesound"
	"github.com/urfave/cli/v2"
)

// liveFlags are those of all commands that convert live sound.
func liveFlags() []cli.Flag {
	return slices.Concat(voiceFlags(), shiftFlags(), melodyFlags(), []cli.Flag{
		&cli.StringFlag{Name: "save-profile", Usage: "at the end, save what was learnt of your pitch to `FILE`.json, for --source-profile"},
		modelFlag(),
		markFlag(),
		&cli.Float64Flag{Name: "gain", Usage: "make the output louder by `DB`"},
		&cli.Float64Flag{Name: "gate", Value: -90, Usage: "take input below `DB` for silence"},
		&cli.Float64Flag{Name: "dry-wet", Value: 1, Usage: "from 0, the input, to 1, the converted voice: `PART`"},
		&cli.StringFlag{Name: "latency", Value: livesound.Normal, Usage: "`SETTING` between delay and quality: low, normal or high"},
		&cli.DurationFlag{Name: "max-delay", Value: defaultMaxDelay, Usage: "of live sound, drop at once what has waited longer than `TIME`, such as after a standstill; less is dropped within seconds"},
		&cli.IntFlag{Name: "threads", Value: 1, Usage: "use at most `N` processor cores; 0 means all"},
		&cli.BoolFlag{Name: "stats", DisableDefaultText: true, Usage: "every second a line of figures on standard error"},
		&cli.StringFlag{Name: "control", Usage: "read changes from the file or named pipe `PATH` while running"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, DisableDefaultText: true, Usage: "say nothing but warnings and errors"},
	})
}

func readLiveFlags(c *cli.Context) liveOptions {
	return liveOptions{
		model: c.String("model"), latency: c.String("latency"), noMark: c.Bool(noMark), stats: c.Bool("stats"), control: c.String("control"), quiet: c.Bool("quiet"),
		maxDelay: c.Duration("max-delay"), threads: c.Int("threads"), sourceChoice: readSourceFlags(c), saveProfile: c.String("save-profile"),
		set: settings{
			voiceChoice: readVoiceFlags(c), pitch: c.Float64("pitch"), formant: c.Float64("formant"), strength: c.Float64("strength"),
			gainDB: c.Float64("gain"), gateDB: c.Float64("gate"), wet: c.Float64("dry-wet"),
			melody: vc.Melody(c.String("melody")),
		},
	}
}

// What sound may wait beyond the delay of the conversion itself.
const (
	defaultMaxDelay = 200 * time.Millisecond
	minMaxDelay     = 20 * time.Millisecond
	maxMaxDelay     = 10 * time.Second // less than readAhead
)

// liveOptions are those of all commands that convert live sound.
type liveOptions struct {
	sourceChoice
	saveProfile             string
	model, latency, control string
	stats, quiet, noMark    bool
	maxDelay                time.Duration
	threads                 int
	set                     settings
}

func (o liveOptions) validate() error {
	if o.threads < 0 {
		return fmt.Errorf("--threads is %d, want 0 (all cores) or more", o.threads)
	}
	if o.maxDelay < minMaxDelay || o.maxDelay > maxMaxDelay {
		return fmt.Errorf("--max-delay is %v, want %v to %v", o.maxDelay, minMaxDelay, maxMaxDelay)
	}
	if _, err := findLatency(o.latency); err != nil {
		return err
	}
	if err := o.sourceChoice.validate(); err != nil {
		return err
	}
	if badExtension(o.saveProfile, ".json") {
		return fmt.Errorf("--save-profile %s: profiles are JSON files: let the name end in .json", o.saveProfile)
	}
	return o.set.validate()
}

// prepare does all that takes its time before the first sound is taken, but for settle.
func (o liveOptions) prepare(ctx context.Context, e env) (*live, error) {
	m, _, err := loadConverter(e, o.model, o.noMark)
	if err != nil {
		return nil, err
	}
	voice, err := o.set.find(m)
	if err != nil {
		return nil, err
	}
	voice.tellNotes(e, o.quiet)
	source, err := o.source()
	if err != nil {
		return nil, err
	}
	if err := checkWritable(o.saveProfile, false); err != nil {
		return nil, err
	}
	latency, err := findLatency(o.latency)
	if err != nil {
		return nil, err
	}
	l := &live{env: e, model: m, set: o.set, quiet: o.quiet, source: source}
	l.begin = beginning{voice: voice.Voice, latency: latency, maxDelay: o.maxDelay}
	if o.control != "" {
		if l.begin.lines, l.control, err = watchControl(ctx, e, o.control); err != nil {
			return nil, err
		}
	}
	if o.stats {
		l.statsTo = e.stderr
	}
	return l, nil
}

// finish saves what was learnt, where that is asked for.
func (o liveOptions) finish(e env, l *live) error {
	if o.saveProfile == "" {
		return nil
	}
	return saveProfile(e, o.saveProfile, l.heard, o.quiet)
}

// settings are what can change while a stream runs.
type settings struct {
	voiceChoice
	pitch, formant float64 // semitones
	strength       float64
	gainDB, gateDB float64
	wet            float64
	melody         vc.Melody
	muted          bool
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
	if word == "mute" {
		if rest != "on" && rest != "off" {
			return s, errors.New("want on or off")
		}
		s.muted = rest == "on"
		return s, nil
	}
	if word == "melody" {
		s.melody = vc.Melody(rest)
		return s, nil
	}
	target := map[string]*float64{"pitch": &s.pitch, "formant": &s.formant, "strength": &s.strength, "gain": &s.gainDB, "gate": &s.gateDB, "dry-wet": &s.wet}[word]
	if target == nil {
		return s, errors.New("not known, want to, mix, like, random, pitch, melody, formant, strength, gain, gate, dry-wet or mute and a value")
	}
	v, err := strconv.ParseFloat(rest, 64)
	if err != nil {
		return s, errors.New("the value is no number")
	}
	*target = v
	return s, nil
}
