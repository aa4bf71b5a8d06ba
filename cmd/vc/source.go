package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/internal/convert"
	"github.com/urfave/cli/v2"
)

// melodyFlags say what becomes of the source's pitch, and what is known of it.
func melodyFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "melody", Value: string(convert.Fit), Usage: "`HOW` intervals are treated: fit takes on the voice's liveliness, keep leaves a semitone a semitone, for singing"},
		&cli.StringFlag{Name: "source-pitch", DefaultText: "measured", Usage: "the mean pitch of your voice, `HZ[,SPREAD]`, the spread in semitones, as in 180,2.5"},
		&cli.StringFlag{Name: "source-profile", Usage: "begin with what \"vc stream --save-profile\" has saved of your voice to `FILE`"},
	}
}

func melodyNames() []string {
	var names []string
	for _, m := range convert.Melodies() {
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
	if _, err := convert.ParseSource(s.sourcePitch); err != nil {
		return fmt.Errorf("--source-pitch: %w", err)
	}
	return nil
}

// source reads the profile, if there is one.
func (s sourceChoice) source() (convert.Source, error) {
	switch {
	case s.sourcePitch != "":
		return convert.ParseSource(s.sourcePitch)
	case s.sourceProfile == "":
		return convert.Source{}, nil
	}
	file, err := os.Open(s.sourceProfile)
	if err != nil {
		return convert.Source{}, fmt.Errorf("--source-profile %s: %w; \"vc stream --save-profile\" makes one", s.sourceProfile, plainCause(err))
	}
	defer file.Close()
	source, err := convert.ReadSource(file)
	if err != nil {
		return convert.Source{}, fmt.Errorf("--source-profile %s: %w", s.sourceProfile, err)
	}
	return source, nil
}

func saveProfile(e env, path string, heard convert.Source, quiet bool) error {
	if err := audio.WriteAtomic(path, func(w io.Writer) error { return heard.Write(w) }); err != nil {
		return fmt.Errorf("--save-profile: %w", err)
	}
	if !quiet {
		e.tell("%s: your voice has %.0f Hz in the mean, spread %.1f semitones", path, math.Exp(heard.Pitch.Mean), heard.Pitch.Std*12/math.Ln2)
	}
	return nil
}
