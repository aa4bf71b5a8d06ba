package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/starvc/vc"
	"github.com/starvc/vc/internal/atomicfile"
	"github.com/urfave/cli/v2"
)

// melodyFlags say what becomes of the source's pitch, and what is known of it.
func melodyFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "melody", Value: string(vc.Fit), Usage: "`HOW` intervals are treated: fit takes on the voice's liveliness, keep leaves a semitone a semitone, for singing"},
		&cli.StringFlag{Name: "source-pitch", DefaultText: "measured", Usage: "the mean pitch of your voice, `HZ[,SPREAD]`, the spread in semitones, as in 180,2.5"},
		&cli.StringFlag{Name: "source-profile", Usage: "begin with what \"vc stream --save-profile\" has saved of your voice to `FILE`"},
	}
}

func melodyNames() []string {
	var names []string
	for _, m := range vc.Melodies() {
		names = append(names, string(m))
	}
	return names
}

// sourceChoice is how a user says what is known of the voice that comes in.
type sourceChoice struct{ sourcePitch, sourceProfile string }

func readSourceFlags(c *cli.Context) sourceChoice {
	return sourceChoice{c.String("source-pitch"), c.String("source-profile")}
}

func (s sourceChoice) validate() error {
	if s.sourcePitch == "" {
		return nil
	}
	if s.sourceProfile != "" {
		return errors.New("--source-pitch and --source-profile both say how high your voice is: give one of them")
	}
	if _, err := parseSource(s.sourcePitch); err != nil {
		return fmt.Errorf("--source-pitch: %w", err)
	}
	return nil
}

// source reads the profile, if there is one.
func (s sourceChoice) source() (vc.Source, error) {
	switch {
	case s.sourcePitch != "":
		return parseSource(s.sourcePitch)
	case s.sourceProfile == "":
		return vc.Source{}, nil
	}
	file, err := os.Open(s.sourceProfile)
	if err != nil {
		return vc.Source{}, fmt.Errorf("--source-profile %s: %w; \"vc stream --save-profile\" makes one", s.sourceProfile, plainCause(err))
	}
	defer file.Close()
	source, err := vc.ReadSource(file)
	if err != nil {
		return vc.Source{}, fmt.Errorf("--source-profile %s: %w", s.sourceProfile, explain(err))
	}
	return source, nil
}

// parseSource reads a mean in Hz and, after a comma, a spread in semitones, such as "180" or "180,2.5".
func parseSource(text string) (vc.Source, error) {
	mean, spread, both := strings.Cut(text, ",")
	hz, err := strconv.ParseFloat(strings.TrimSpace(mean), 64)
	if err != nil {
		return vc.Source{}, fmt.Errorf("source pitch %q: want the mean pitch of your voice in Hz, and after a comma its spread in semitones if known, as in 180,2.5", text)
	}
	semitones := 0.0
	if both {
		if semitones, err = strconv.ParseFloat(strings.TrimSpace(spread), 64); err != nil || semitones == 0 {
			return vc.Source{}, fmt.Errorf("source pitch %q: the spread is %q, want a number of semitones, as in 180,2.5", text, spread)
		}
	}
	return vc.FixedSource(hz, semitones)
}

func saveProfile(e env, path string, heard vc.Source, quiet bool) error {
	if err := atomicfile.Write(path, func(w io.Writer) error { return heard.Write(w) }); err != nil {
		return fmt.Errorf("--save-profile: %w", err)
	}
	if !quiet {
		e.tell("%s: your voice has %.0f Hz in the mean, spread %.1f semitones", path, math.Exp(heard.Pitch.Mean), heard.Pitch.Std*12/math.Ln2)
	}
	return nil
}
