package main

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/starvc/vc"
	"github.com/urfave/cli/v2"
)

const styleDescription = `Saves a voice to a small file, which can stand wherever --to or --mix name a speaker. The file holds the style's numbers,
the range of the pitch and a note of where it came from. It belongs to the model that it was made with.

EXAMPLES

   the voice of a person, from 5 to 10 seconds of clear speech:
      vc style --like carol.wav -o carol.voice

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
			&cli.BoolFlag{Name: "list", DisableDefaultText: true, Usage: "show saved voices, one a line, instead"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, DisableDefaultText: true, Usage: "say nothing but warnings and errors"},
		}),
		Action: func(c *cli.Context) error {
			o := styleOptions{
				voiceChoice: readVoiceFlags(c), pitch: c.Float64("pitch"), formant: c.Float64("formant"), strength: c.Float64("strength"),
				model: c.String("model"), output: c.String("output"), quiet: c.Bool("quiet"),
				list: c.Bool("list"), files: c.Args().Slice(),
			}
			if err := o.validate(); err != nil {
				return &usageError{"style", fmt.Errorf("style: %w", err)}
			}
			if o.list {
				return listVoices(e, o.files)
			}
			return runStyle(e, o)
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
}

func (o styleOptions) validate() error {
	switch {
	case o.list && (!o.empty() || o.output != ""):
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
	return vc.Options{PitchSemitones: o.pitch, FormantSemitones: o.formant, Strength: o.strength}.Validate()
}

func runStyle(e env, o styleOptions) error {
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
	}
	return nil
}

// voiceText says in a line what a saved voice is.
func voiceText(f vc.VoiceFile) string {
	text := fmt.Sprintf("%s; mean pitch %.0f Hz", f.Origin, math.Exp(f.LogF0Mean))
	if f.Formant != 0 {
		text += fmt.Sprintf(", formants %+g semitones", f.Formant)
	}
	return text
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
		fmt.Fprintf(e.stdout, "%s\t%.0f Hz\t%s\n", p, math.Exp(f.LogF0Mean), f.Origin)
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
	t.row("pitch", "%.0f Hz in the mean, spread %.1f semitones", math.Exp(f.LogF0Mean), f.LogF0Std*12/math.Ln2)
	t.row("formants", "%+g semitones", f.Formant)
	t.row("style", "%d numbers", len(f.Style))
	t.row("style space", "%s (that of its model: see vc info MODEL)", f.Space)
	return t.w.Flush()
}
