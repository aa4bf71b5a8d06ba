package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/starvc/vc"
	"github.com/urfave/cli/v2"
)

const styleDescription = `Saves a voice to a small file, which can stand wherever --to or --mix name a speaker. The file holds the style's numbers,
the range of the pitch and a note of where it came from. It belongs to the model that it was made with.

Of a voice from a person's recording, --consent notes who speaks, since when you may use it, and under which licence. Without the flag you are
asked at a terminal. The note stays with the voice, in mixes too.

EXAMPLES

   the voice of a person, from 5 to 10 seconds of clear speech:
      vc style --like carol.wav --consent "Carol Example, 2026-11-30, CC BY 4.0" -o carol.voice

   the note about consent for a voice that was saved without:
      vc style --to carol.voice --consent "Carol Example, 2026-11-30, CC BY 4.0" -o carol.voice

   between two voices, or between a speaker and a saved voice:
      vc style --mix ann=0.6,bob=0.4 -o middle.voice
      vc style --mix ann=0.5,carol.voice=0.5 -o half.voice

   one of the ways in which ann could sound, a little lower and larger:
      vc style --to ann --random 7 --pitch -1 --formant -1 -o ann7.voice

   then
      vc convert in.wav --to carol.voice

   what there is:
      vc style --list *.voice`

func styleCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "style",
		Usage:       "save a voice to a file, for --to",
		UsageText:   "vc style -o FILE.voice --like FILE|--mix LIST|--random SEED|--to VOICE [flags]\nvc style --list FILE.voice...",
		ArgsUsage:   "[FILE.voice]...",
		Description: styleDescription,
		Flags: slices.Concat(voiceFlags(), shiftFlags(), []cli.Flag{
			modelFlag(),
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write to `FILE`, whose name ends in .voice"},
			&cli.StringFlag{Name: "consent", Usage: "note that a person agreed to the use of their voice: `WHO, DATE, LICENCE`, the date as 2026-11-30, 2026-11 or 2026"},
			&cli.BoolFlag{Name: "list", DisableDefaultText: true, Usage: "show saved voices, one a line, instead"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, DisableDefaultText: true, Usage: "say nothing but warnings and errors"},
		}),
		Action: func(c *cli.Context) error {
			o := styleOptions{
				voiceChoice: readVoiceFlags(c), pitch: c.Float64("pitch"), formant: c.Float64("formant"), strength: c.Float64("strength"),
				model: c.String("model"), output: c.String("output"), quiet: c.Bool("quiet"),
				list: c.Bool("list"), files: c.Args().Slice(), consent: c.String("consent"), consentGiven: c.IsSet("consent"),
			}
			if err := o.validate(); err != nil {
				return &usageError{"style", fmt.Errorf("style: %w", err)}
			}
			if o.list {
				return listVoices(e, o.files)
			}
			return runStyle(c.Context, e, o)
		},
	}
}

type styleOptions struct {
	voiceChoice
	pitch, formant float64 // semitones
	strength       float64
	model, output  string
	quiet, list    bool
	files          []string
	consent        string
	consentGiven   bool
}

func (o styleOptions) validate() error {
	switch {
	case o.list && (!o.empty() || o.output != "" || o.consentGiven):
		return errors.New("--list only shows files: give it nothing but their names")
	case o.list && len(o.files) == 0:
		return errors.New("--list: name the files, such as *.voice")
	case o.list:
		return nil
	case len(o.files) > 0:
		return fmt.Errorf("%q is not wanted here: a recording goes to --like, a voice to --to", o.files[0])
	}
	if err := o.voiceChoice.validate(); err != nil {
		return err
	}
	switch {
	case o.output == "":
		return errors.New("-o is missing: the file to save the voice to, such as my.voice")
	case !isVoiceFile(o.output):
		return fmt.Errorf("-o %s: let the name of a saved voice end in .voice, by which it is known", o.output)
	}
	if o.consentGiven {
		if _, err := vc.ParseConsent(o.consent); err != nil {
			return fmt.Errorf("--%w", err)
		}
	}
	return vc.Options{PitchSemitones: o.pitch, FormantSemitones: o.formant, Strength: o.strength}.Validate()
}

func runStyle(ctx context.Context, e env, o styleOptions) error {
	m, _, err := loadModel(e, o.model)
	if err != nil {
		return err
	}
	if err := checkWritable(o.output, false); err != nil {
		return err
	}
	v, err := o.find(m)
	if err != nil {
		return err
	}
	v.tellNotes(e, o.quiet)
	if err := o.noteConsent(ctx, e, &v.Voice); err != nil {
		return err
	}
	v.LogF0.Mean += o.pitch * math.Ln2 / 12
	v.Formant += o.formant
	v.Voice = m.Strengthen(v.Voice, o.strength)
	origin := v.origin
	if o.pitch != 0 {
		origin += fmt.Sprintf(", pitch %+g", o.pitch)
	}
	if o.formant != 0 {
		origin += fmt.Sprintf(", formant %+g", o.formant)
	}
	if o.strength != 0 {
		origin += fmt.Sprintf(", strength %g", o.strength)
	}
	f, err := m.VoiceFile(v.Voice, origin)
	if err != nil {
		return err
	}
	if err := f.Save(o.output); err != nil {
		return err
	}
	if !o.quiet {
		e.tell("%s: %s", o.output, voiceText(f))
		if o.like != "" && len(f.Consent) == 0 {
			name, model := shellWord(o.output), ""
			if o.model != "" {
				model = " --model " + shellWord(o.model)
			}
			e.tell(`%s has no line about consent: add one with vc style --to %s --consent "%s" -o %[2]s%[4]s`, o.output, name, exampleConsent, model)
		}
	}
	return nil
}

// noteConsent adds the line about consent that was given, or that whoever is at the terminal gives for a recording.
func (o styleOptions) noteConsent(ctx context.Context, e env, v *vc.Voice) error {
	switch {
	case o.consentGiven:
		c, err := vc.ParseConsent(o.consent)
		if err != nil {
			return err // validate has seen to it
		}
		v.AddConsent(c)
	case o.like != "" && e.stdinIsTerminal && e.stderrIsTerminal && !o.quiet:
		c, given, err := askConsent(ctx, e, o.like)
		if err != nil || !given {
			return err
		}
		v.AddConsent(c)
	}
	return nil
}

// shellWord is a file name as a shell takes it.
func shellWord(name string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-/+=:@%", r)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return !plain(r) }) {
		return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
	}
	return name
}

// voiceText says in a line what a saved voice is.
func voiceText(f vc.VoiceFile) string {
	text := fmt.Sprintf("%s; mean pitch %.0f Hz", f.Origin, math.Exp(f.LogF0Mean))
	if f.Formant != 0 {
		text += fmt.Sprintf(", formants %+g semitones", f.Formant)
	}
	if len(f.Consent) > 0 {
		text += "; consent: " + consentText(f)
	}
	return text
}

// consentText has all lines about consent in one.
func consentText(f vc.VoiceFile) string {
	lines := make([]string, len(f.Consent))
	for i, c := range f.Consent {
		lines[i] = c.String()
	}
	return strings.Join(lines, "; ")
}

// listVoices prints a line for each file; bad ones are reported at the end.
func listVoices(e env, paths []string) error {
	var failed []job
	for _, p := range paths {
		f, err := readVoiceFile(p)
		if err != nil {
			failed = append(failed, job{in: p, err: err})
			continue
		}
		line := fmt.Sprintf("%s\t%.0f Hz\t%s", p, math.Exp(f.LogF0Mean), f.Origin)
		if len(f.Consent) > 0 {
			line += "\t" + consentText(f)
		}
		fmt.Fprintln(e.stdout, line)
	}
	if len(failed) == 0 {
		return nil
	}
	var all []error
	for _, j := range failed {
		all = append(all, errors.New(j.describe()))
	}
	return errors.Join(all...)
}

// describeVoice is for vc info.
func describeVoice(e env, path string) error {
	f, err := readVoiceFile(path)
	if err != nil {
		return err
	}
	t := newTable(e.stdout)
	t.row("voice", "%s", path)
	t.row("origin", "%s", f.Origin)
	for _, c := range f.Consent {
		t.row("consent", "%s", c)
	}
	t.row("pitch", "%.0f Hz in the mean, spread %.1f semitones", math.Exp(f.LogF0Mean), f.LogF0Std*12/math.Ln2)
	t.row("formants", "%+g semitones", f.Formant)
	t.row("style", "%d numbers", len(f.Style))
	t.row("style space", "%s (that of its model: see vc info MODEL)", f.Space)
	return t.w.Flush()
}
