package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/atomicfile"
	"github.com/starvc/vc/internal/cores"
	"github.com/starvc/vc/internal/example"
	"github.com/starvc/vc/internal/plot"
	"github.com/urfave/cli/v2"
)

const demoDescription = `Says one sentence in every voice of the model, and makes a page of it to listen to: a recording per voice, spectrograms, and
index.html, which any browser opens. Without a recording it takes a short one that comes with the program.

EXAMPLES

   vc demo
   vc demo in.wav -o demo
   vc demo --voices ann,bob,my.voice
   vc demo --like carol.wav --formant 1`

func demoCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "demo",
		Usage:       "say one sentence in every voice of the model",
		UsageText:   "vc demo [FILE] [-o DIR] [flags]",
		ArgsUsage:   "[FILE]",
		Description: demoDescription,
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "vc-demo", Usage: "put everything into `DIR`"},
			&cli.StringFlag{Name: "voices", DefaultText: "all", Usage: "`NAMES` of speakers and saved voices, joined by commas"},
		}, voiceFlags(), shiftFlags(), []cli.Flag{
			modelFlag(),
			vocoderFlag(),
			&cli.IntFlag{Name: "threads", DefaultText: "all", Usage: "use at most `N` processor cores"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, DisableDefaultText: true, Usage: "say nothing but warnings and errors"},
		}),
		Action: func(c *cli.Context) error {
			o := demoOptions{
				voiceChoice: readVoiceFlags(c), version: e.version, dir: c.String("output"), model: c.String("model"), quiet: c.Bool("quiet"),
				voices: namedVoices(c.String("voices")),
				conversion: vc.Options{
					Threads: c.Int("threads"), Vocoder: vc.Vocoder(c.String("vocoder")),
					PitchSemitones: c.Float64("pitch"), FormantSemitones: c.Float64("formant"), Strength: c.Float64("strength"),
				},
			}
			if c.NArg() > 1 {
				return usagef("demo", "demo: one recording is enough, here are %d", c.NArg())
			}
			o.input = c.Args().First()
			if err := o.validate(); err != nil {
				return &usageError{"demo", fmt.Errorf("demo: %w", err)}
			}
			return runDemo(c.Context, e, o)
		},
	}
}

// namedVoices takes a list apart. Names of files may hold blanks.
func namedVoices(list string) []string {
	var names []string
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

type demoOptions struct {
	voiceChoice        // one more voice, may be empty
	input       string // empty for the clip inside
	dir, model  string
	version     string   // of the program
	voices      []string // empty for all, unless voiceChoice says otherwise
	quiet       bool
	conversion  vc.Options
}

func (o demoOptions) validate() error {
	if o.dir == "" {
		return errors.New("-o is empty: name a folder")
	}
	if !o.empty() {
		if err := o.voiceChoice.validate(); err != nil {
			return err
		}
	}
	return checkConversion(o.conversion)
}

// demoVoice is one entry of the page.
type demoVoice struct {
	chosenVoice
	About   string // of the speaker
	PitchHz float64
	Sound   string // file names inside the folder
	Picture string
	Title   string
}

func runDemo(ctx context.Context, e env, o demoOptions) error {
	m, path, err := loadModel(e, o.model)
	if err != nil {
		return err
	}
	voices, err := o.demoVoices(e, m)
	if err != nil {
		return err
	}
	page := demoPage{Model: filepath.Base(path), Sentence: example.Title, Program: e.version, Pitch: o.conversion.PitchSemitones, Formant: o.conversion.FormantSemitones}
	if path == baseModel {
		page.Model = "that comes with the program"
	}
	clip, err := example.Clip()
	if o.input != "" {
		page.Sentence = ""
		clip, err = readClip(ctx, e, o.input)
	}
	if err != nil {
		return err
	}
	for _, text := range clip.Warnings {
		e.tell("warning: %s: %s", o.input, text)
	}
	index := filepath.Join(o.dir, "index.html")
	if err := o.spare(voices); err != nil {
		return err
	}
	if err := checkWritable(index, true); err != nil {
		return err
	}
	if err := o.writeSource(m, clip, &page); err != nil {
		return err
	}
	bar := newProgress(e.stderr, e.stderrIsTerminal && !o.quiet, "converting")
	err = o.convertAll(ctx, m, clip, voices, bar.set)
	bar.done()
	if err != nil {
		return err
	}
	page.Voices = voices
	if err := atomicfile.Write(index, func(w io.Writer) error { return demoTemplate.Execute(w, page) }); err != nil {
		return err
	}
	if !o.quiet {
		e.tell("%d voices in %s: open %s in a browser", len(voices), o.dir, index)
	}
	return nil
}

// spare refuses a folder in which the page would overwrite what it is made from.
func (o demoOptions) spare(voices []demoVoice) error {
	read := o.files()
	for _, name := range append([]string{o.input}, o.voices...) {
		if name != "" {
			read = append(read, input{path: name})
		}
	}
	written := []string{"input.wav", "input.png", "index.html"}
	for _, v := range voices {
		written = append(written, v.Sound, v.Picture)
	}
	for _, name := range written {
		if hit := sameAsInput(filepath.Join(o.dir, name), read); hit != "" {
			return fmt.Errorf("the page's %s would overwrite the input %s: choose another folder with -o", filepath.Join(o.dir, name), hit)
		}
	}
	return nil
}

// demoVoices finds all voices, and file names for them that differ even where capitals do not count.
func (o demoOptions) demoVoices(e env, m *vc.Model) ([]demoVoice, error) {
	names := o.voices
	if len(names) == 0 && o.empty() {
		names = speakerNames(m.Voices())
	}
	var voices []demoVoice
	for _, name := range names {
		v, err := namedVoice(m, name)
		if err != nil {
			return nil, err
		}
		voices = append(voices, demoVoice{chosenVoice: v})
	}
	if !o.empty() {
		v, err := o.find(m)
		if err != nil {
			return nil, err
		}
		v.tellNotes(e, o.quiet)
		voices = append(voices, demoVoice{chosenVoice: v})
	}
	taken := map[string]bool{"input": true, "index": true}
	for i := range voices {
		v := &voices[i]
		v.Title = v.label
		file := fileName(v.label)
		for n := 2; taken[strings.ToLower(file)]; n++ {
			file = fmt.Sprintf("%s-%d", fileName(v.label), n)
		}
		taken[strings.ToLower(file)] = true
		v.Sound, v.Picture = file+".wav", file+".png"
		v.PitchHz = math.Exp(v.LogF0.Mean)
		v.About = v.origin
		for _, s := range m.Voices() {
			if s.Name == v.label && v.origin == "speaker "+v.label {
				v.About = s.About
			}
		}
	}
	return voices, nil
}

// writeSource writes the unchanged recording and its picture.
func (o demoOptions) writeSource(m *vc.Model, clip audio.Clip, page *demoPage) error {
	x := audio.Resample(clip.Samples, clip.Rate, m.Features().SampleRate)
	if err := audio.WriteFile(filepath.Join(o.dir, "input.wav"), audio.Clip{Samples: x, Rate: m.Features().SampleRate}); err != nil {
		return err
	}
	page.Sound, page.Picture = "input.wav", "input.png"
	return drawSound(filepath.Join(o.dir, page.Picture), m.Features(), x, "input")
}

func drawSound(path string, cfg features.Config, x []float32, title string) error {
	heard, err := features.Analyze(cfg, audio.Clip{Samples: x, Rate: cfg.SampleRate})
	if err != nil {
		return err
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		return plot.Mels(w, []plot.Mel{plot.FromFrames(title, cfg, heard.Frames)}, plot.MelOptions{})
	})
}

// convertAll converts to all voices, several at a time. The first failure ends it.
func (o demoOptions) convertAll(ctx context.Context, m *vc.Model, clip audio.Clip, voices []demoVoice, progress func(float64)) error {
	threads := o.conversion.Threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	workers := min(threads, len(voices))
	conversion := o.conversion
	conversion.Threads = max(1, threads/workers)
	if _, err := m.ChooseVocoder(conversion.Vocoder); err != nil {
		return err
	}
	tell := func(done int) { progress(float64(done) / float64(len(voices))) }
	return cores.Each(ctx, workers, len(voices), tell, func(ctx context.Context, _, i int) error {
		if err := o.convertOne(ctx, m, conversion, clip, voices[i]); err != nil {
			return fmt.Errorf("%s: %w", voices[i].label, err)
		}
		return nil
	})
}

func (o demoOptions) convertOne(ctx context.Context, m *vc.Model, conversion vc.Options, clip audio.Clip, v demoVoice) error {
	r, err := m.Convert(ctx, clip, v.Voice, conversion)
	if err != nil {
		return err
	}
	sound := audio.Sound{Rate: r.Clip.Rate, Channels: 1, Frames: int64(len(r.Clip.Samples)), Tags: audio.Tags(nil).Marked(v.label, o.version)}
	err = audio.WriteSound(ctx, filepath.Join(o.dir, v.Sound), sound, "", func(e audio.Encoder) error { return e.Write(r.Clip.Samples) })
	if err != nil {
		return err
	}
	return drawSound(filepath.Join(o.dir, v.Picture), m.Features(), r.Clip.Samples, v.Title)
}
