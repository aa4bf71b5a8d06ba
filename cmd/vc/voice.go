package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
	"github.com/urfave/cli/v2"
)

// voiceExtension is that of saved voices.
const voiceExtension = ".voice"

// shortReference is how much speech a reference should have at least.
const shortReference = 2 * time.Second

// voiceChoice is how a user says which voice to take on. One of the ways is chosen; to may go with like and with random.
type voiceChoice struct {
	to     string // name of a speaker, or a saved voice
	like   string // a recording
	random string // a seed
	mix    string // A=0.7,B=0.3
}

func voiceFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "to", Usage: "`VOICE` to take on: a speaker of the model, or a file saved by \"vc style\""},
		&cli.StringFlag{Name: "like", Usage: "sound like the person in the recording `FILE`; with --to, heard as that speaker"},
		&cli.StringFlag{Name: "random", Usage: "draw a voice with `SEED`, a whole number from 0 on; with --to, from that speaker"},
		&cli.StringFlag{Name: "mix", Usage: "several voices with their shares, `A=0.7,B=0.3`, speakers or saved ones, in place of --to; one without a share has 1"},
	}
}

// shiftFlags move whatever voice is chosen.
func shiftFlags() []cli.Flag {
	return []cli.Flag{
		&cli.Float64Flag{Name: "pitch", DefaultText: "0", Usage: "shift the pitch by `N` semitones, up or down"},
		strengthFlag(),
		&cli.Float64Flag{Name: "formant", DefaultText: "0", Usage: "shift the formants by `N` semitones, -12 to 12: up sounds smaller, down larger, at the same pitch"},
	}
}

func strengthFlag() cli.Flag {
	return &cli.Float64Flag{Name: "strength", DefaultText: "1", Usage: "put the voice on `N` times as strongly, 0.1 to 2, or 0 for the usual 1: above 1 nearer to the target, at the price of words"}
}

func readVoiceFlags(c *cli.Context) voiceChoice {
	return voiceChoice{to: c.String("to"), like: c.String("like"), random: c.String("random"), mix: c.String("mix")}
}

func (v voiceChoice) empty() bool { return v == voiceChoice{} }

// named is how the choice is shown to people.
func (v voiceChoice) named() string {
	switch {
	case v.mix != "":
		return v.mix
	case v.like != "":
		return "like " + filepath.Base(v.like)
	case v.random != "":
		return "random " + v.random
	}
	return v.to
}

// files are those that the voice is made of: the recording, and saved voices.
func (v voiceChoice) files() []input {
	var files []input
	if v.like != "" {
		files = append(files, input{path: v.like})
	}
	for part := range strings.SplitSeq(v.to+","+v.mix, ",") {
		if name, _, _ := strings.Cut(part, "="); filepath.Ext(name) == voiceExtension {
			files = append(files, input{path: strings.TrimSpace(name)})
		}
	}
	return files
}

// validate finds what contradicts itself, as far as the model need not be known.
func (v voiceChoice) validate() error {
	switch {
	case v.empty():
		return errors.New(`--to is missing: whose voice? "vc speakers" lists those there are; --like, --random and --mix make others`)
	case v.mix != "" && v.to != "":
		return errors.New("--to and --mix exclude each other")
	case v.mix != "" && v.like != "":
		return errors.New("--like and --mix exclude each other: save the one as a voice with \"vc style\", and mix that")
	case v.mix != "" && v.random != "":
		return errors.New("--random and --mix exclude each other: save the one as a voice with \"vc style\", and mix that")
	case v.like != "" && v.random != "":
		return errors.New("--like and --random exclude each other")
	}
	if v.random != "" {
		if _, err := strconv.ParseUint(v.random, 10, 64); err != nil {
			return fmt.Errorf("--random is %q, want a whole number, 0 or more", v.random)
		}
	}
	return nil
}

// needsFiles tells whether finding the voice takes its time.
func (v voiceChoice) needsFiles() bool {
	return v.like != "" || strings.Contains(strings.ToLower(v.to+v.mix), voiceExtension)
}

// chosenVoice is a voice that was found.
type chosenVoice struct {
	vc.Voice
	label  string // short, for file names
	origin string // a line for people
	notes  []string
}

// find makes the voice.
func (v voiceChoice) find(m *vc.Model) (chosenVoice, error) {
	if err := v.validate(); err != nil {
		return chosenVoice{}, err
	}
	switch {
	case v.mix != "":
		return mixedVoice(m, v.mix)
	case v.like != "":
		return v.likeRecording(m)
	case v.random != "":
		return v.drawn(m)
	}
	return namedVoice(m, v.to)
}

// namedVoice is that of a speaker, or a saved one. A speaker comes first, whatever the name looks like.
func namedVoice(m *vc.Model, name string) (chosenVoice, error) {
	own, unknown := m.Voice(name)
	if unknown == nil {
		return chosenVoice{Voice: own, label: name, origin: "speaker " + name}, nil
	}
	if !isVoiceFile(name) {
		return chosenVoice{}, unknown
	}
	f, err := readVoiceFile(name)
	if err != nil {
		return chosenVoice{}, err
	}
	voice, err := f.Voice(m)
	if err != nil {
		return chosenVoice{}, fmt.Errorf("%s: %w", name, explain(err))
	}
	base := filepath.Base(name)
	return chosenVoice{Voice: voice, label: strings.TrimSuffix(base, filepath.Ext(base)), origin: f.Origin}, nil
}

func isVoiceFile(name string) bool { return strings.EqualFold(filepath.Ext(name), voiceExtension) }

func readVoiceFile(path string) (vc.VoiceFile, error) {
	f, err := vc.LoadVoice(path)
	if errors.Is(err, fs.ErrNotExist) {
		return vc.VoiceFile{}, fmt.Errorf("%s: there is no such file: save a voice with \"vc style\"", path)
	}
	if err != nil {
		return f, fmt.Errorf("%s: %s", path, strings.TrimPrefix(plainCause(explain(err)).Error(), path+": "))
	}
	return f, nil
}

// checkHead sees that --to names a speaker beside a flag that takes no saved voice, if it is given at all.
func (v voiceChoice) checkHead(m *vc.Model, flag string) error {
	if v.to == "" {
		return nil
	}
	_, err := m.Voice(v.to)
	if err != nil && isVoiceFile(v.to) {
		return fmt.Errorf("--to %s is a saved voice, complete in itself: with %s give a speaker of the model, or leave --to away", v.to, flag)
	}
	return err
}

func (v voiceChoice) likeRecording(m *vc.Model) (chosenVoice, error) {
	base := filepath.Base(v.like)
	c := chosenVoice{label: "like-" + strings.TrimSuffix(base, filepath.Ext(base)), origin: "like " + base}
	if err := v.checkHead(m, "--like"); err != nil {
		return c, err
	}
	if v.to != "" {
		c.label, c.origin = v.to+"-"+c.label, c.origin+", heard as "+v.to
	}
	clip, err := audio.ReadFile(v.like)
	if err != nil {
		return c, likeError(v.like, err)
	}
	for _, text := range clip.Warnings {
		c.notes = append(c.notes, fmt.Sprintf("warning: %s: %s", v.like, text))
	}
	voice, speech, err := m.LikeVoice(clip, v.to)
	if err != nil {
		return c, likeError(v.like, err)
	}
	if speech < shortReference {
		c.notes = append(c.notes, fmt.Sprintf("warning: %s holds %.1f s of speech, too little to know a voice by: 5 to 10 s are good", v.like, speech.Seconds()))
	}
	c.Voice = voice
	return c, nil
}

// likeError names the recording once.
func likeError(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("--like %s: there is no such file", path)
	}
	return fmt.Errorf("--like %s: %s", path, strings.TrimPrefix(err.Error(), path+": "))
}

func (v voiceChoice) drawn(m *vc.Model) (chosenVoice, error) {
	seed, err := strconv.ParseUint(v.random, 10, 64)
	if err != nil {
		return chosenVoice{}, err // validate has seen to it
	}
	if err := v.checkHead(m, "--random"); err != nil {
		return chosenVoice{}, err
	}
	voice, name, err := m.RandomVoice(v.to, seed)
	if err != nil {
		return chosenVoice{}, err
	}
	c := chosenVoice{Voice: voice, label: fmt.Sprintf("%s-random-%d", name, seed)}
	c.origin = fmt.Sprintf("random %d of %s", seed, name)
	drew := "a voice of speaker " + name
	if v.to == "" {
		drew = fmt.Sprintf("speaker %s, and a voice of that speaker; the same again: --to %s --random %d", name, name, seed)
	}
	c.notes = append(c.notes, fmt.Sprintf("random %d drew %s", seed, drew))
	return c, nil
}

// mixedVoice reads A=0.7,B=0.3; a voice without a share has a share of 1.
func mixedVoice(m *vc.Model, list string) (chosenVoice, error) {
	var voices []vc.Voice
	var weights []float64
	label := "mix"
	for part := range strings.SplitSeq(list, ",") {
		part = strings.TrimSpace(part)
		name, weight := part, 1.0
		if at := strings.LastIndex(part, "="); at >= 0 {
			var err error
			name = part[:at]
			if weight, err = strconv.ParseFloat(part[at+1:], 64); err != nil {
				return chosenVoice{}, fmt.Errorf("mix: %q: the share is no number, want NAME=SHARE,NAME=SHARE", part)
			}
		}
		c, err := namedVoice(m, name)
		if err != nil {
			return chosenVoice{}, fmt.Errorf("mix: %w", err)
		}
		voices, weights = append(voices, c.Voice), append(weights, weight)
		label += "-" + c.label
	}
	mixed, err := vc.Mix(voices, weights)
	if err != nil {
		return chosenVoice{}, err
	}
	const longLabel = 60
	if len(label) > longLabel {
		label = strings.ToValidUTF8(label[:longLabel], "")
	}
	return chosenVoice{Voice: mixed, label: label, origin: "mix " + list}, nil
}

// tellNotes says what is worth knowing of a choice: warnings always, the rest unless quiet.
func (c chosenVoice) tellNotes(e env, quiet bool) {
	for _, n := range c.notes {
		if !quiet || strings.HasPrefix(n, "warning") {
			e.tell("%s", n)
		}
	}
}
