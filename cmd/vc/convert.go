package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/internal/synth"
	"github.com/urfave/cli/v2"
)

const convertDescription = `Says the same words in another voice: one of those that "vc speakers" lists, or one made from them. Reads WAV, FLAC, MP3 and
Ogg Vorbis, and with ffmpeg installed nearly all else, of any rate, depth, length and number of channels. Writes WAV or FLAC, as the
name given with -o ends, and with ffmpeg installed MP3, Ogg, Opus, M4A and others, as long as the input; 16 bits, one channel and
the model's rate, unless --bits, --channels and --rate say otherwise. Title and tags are kept, and a mark in the comment says that
the voice was converted, and by what. A video becomes a video with the same picture.

EXAMPLES

   one file; the result is in-ann.wav, or what -o says:
      vc convert in.wav --to ann
      vc convert in.wav --to ann -o out.wav

   many files, and whole folders:
      vc convert --to ann --out-dir converted/ talks/ extra/*.flac

   FLAC, 24 bits, the input's rate; an MP3; a video whose picture is copied:
      vc convert in.wav --to ann -o out.flac --bits 24 --rate keep
      vc convert in.m4a --to ann -o out.mp3
      vc convert film.mp4 --to ann -o film-ann.mp4

   all channels of a recording, each in its place; both sides of one, each in a voice of its own:
      vc convert interview.wav --to ann --channels keep
      vc convert interview.wav --to left=ann,right=bob

   a folder again, only what is new in it; an error if it holds anything that is no recording:
      vc convert --to ann --out-dir converted/ talks/ --resume --strict

   in a pipe:
      ffmpeg -i film.mkv -f wav - | vc convert - --to ann > ann.wav

   like somebody in a recording, between two voices, a voice drawn by chance, a voice saved with "vc style":
      vc convert in.wav --like carol.wav
      vc convert in.wav --mix ann=0.6,bob=0.4
      vc convert in.wav --to ann --random 7
      vc convert in.wav --to my.voice

   three semitones higher, as if from a smaller throat, and a picture of before and after:
      vc convert in.wav --to ann --pitch 3 --formant 1.5 --picture look.png

   a song, whose intervals are to stay:
      vc convert song.wav --to ann --melody keep`

func convertCommand(e env) *cli.Command {
	return &cli.Command{
		Name:        "convert",
		Usage:       "convert recordings to another voice",
		UsageText:   "vc convert FILE... --to VOICE [flags]",
		ArgsUsage:   "FILE...",
		Description: convertDescription,
		Flags: slices.Concat(voiceFlags(), shiftFlags(), melodyFlags(), []cli.Flag{
			modelFlag(),
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write to `FILE`, in the format that its name ends in; \"-\" is standard output, as WAV (default: IN-VOICE.wav beside the input)"},
			&cli.StringFlag{Name: "out-dir", Usage: "write all results into `DIR`"},
			&cli.StringFlag{Name: "rate", DefaultText: "the model's", Usage: "write `HZ` samples a second, or keep, those of the input"},
			&cli.StringFlag{Name: "bits", DefaultText: "16", Usage: "write samples of `N` bits into WAV and FLAC: 16, 24, or 32f, floats, in WAV only"},
			&cli.StringFlag{Name: "channels", DefaultText: "mono", Usage: "`HOW` several channels are treated: mono mixes them, keep converts each, up to 8, in its place, as --to left=A,right=B does with two"},
			&cli.BoolFlag{Name: "resume", DisableDefaultText: true, Usage: "leave out what has its result already"},
			&cli.BoolFlag{Name: "strict", DisableDefaultText: true, Usage: "fail if a folder holds files that are no recordings"},
			vocoderFlag(),
			markFlag(),
			&cli.StringFlag{Name: "picture", Usage: "draw spectrograms of input and output into `FILE`.png (a folder, where there are several inputs)"},
			&cli.IntFlag{Name: "threads", DefaultText: "all", Usage: "use at most `N` processor cores"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, DisableDefaultText: true, Usage: "say nothing but warnings and errors"},
		}),
		Action: func(c *cli.Context) error {
			o := convertOptions{
				inputs: c.Args().Slice(), voiceChoice: readVoiceFlags(c), model: c.String("model"), output: c.String("output"),
				outDir: c.String("out-dir"), picture: c.String("picture"), threads: c.Int("threads"), quiet: c.Bool("quiet"),
				vocoder: vc.Vocoder(c.String("vocoder")), pitch: c.Float64("pitch"), formant: c.Float64("formant"), strength: c.Float64("strength"),
				melody: vc.Melody(c.String("melody")), sourceChoice: readSourceFlags(c),
				rate: c.String("rate"), bits: audio.Depth(c.String("bits")), channels: c.String("channels"),
				resume: c.Bool("resume"), strict: c.Bool("strict"), noMark: c.Bool(noMark),
			}
			if err := o.validate(); err != nil {
				return &usageError{"convert", fmt.Errorf("convert: %w", err)}
			}
			return runConvert(c.Context, e, o)
		},
	}
}

func vocoderFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "vocoder", DefaultText: "neural where there is one, else source-filter",
		Usage: "`KIND` of sound synthesis: neural, source-filter, or griffin-lim or rtisi, which do not know the pitch",
	}
}

func vocoderNames[V ~string](vocoders []V) []string {
	var names []string
	for _, v := range vocoders {
		names = append(names, string(v))
	}
	return names
}

type convertOptions struct {
	voiceChoice
	sourceChoice
	inputs         []string
	model          string
	output, outDir string
	picture        string
	threads        int
	quiet, noMark  bool
	vocoder        vc.Vocoder
	pitch, formant float64 // semitones
	strength       float64
	melody         vc.Melody
	rate           string // Hz, keepRate, or "" for the model's
	bits           audio.Depth
	channels       string // keepChannels, monoChannel, or ""
	resume, strict bool
	bare           bool // tags and pictures of the recording are left out
}

const (
	keepRate     = "keep"
	keepChannels = "keep"
	monoChannel  = "mono"
)

// apart says that each channel of a recording is converted, or both sides.
func (o convertOptions) apart() bool { return o.channels == keepChannels || len(o.sides()) == 2 }

// channelsApart is how many channels are converted each on its own. Voices for two sides want these.
func (o convertOptions) channelsApart() int {
	if len(o.sides()) == 2 {
		return 2
	}
	return audio.MaxKept
}

// sides are the names in --to left=A,right=B, nil for another --to.
func (o convertOptions) sides() []string {
	left, ok := strings.CutPrefix(o.to, "left=")
	if !ok {
		return nil
	}
	left, right, ok := strings.Cut(left, ",right=")
	if !ok {
		return []string{left}
	}
	return []string{left, right}
}

// choices are the voices that are asked for: one, or those of the left and the right side.
func (o convertOptions) choices() []voiceChoice {
	names := o.sides()
	if len(names) != 2 {
		return []voiceChoice{o.voiceChoice}
	}
	left, right := o.voiceChoice, o.voiceChoice
	left.to, right.to = strings.TrimSpace(names[0]), strings.TrimSpace(names[1])
	return []voiceChoice{left, right}
}

// files are those that the voices are made of.
func (o convertOptions) files() []input {
	var files []input
	for _, v := range o.choices() {
		files = append(files, v.files()...)
	}
	return files
}

// outputRate is what --rate asks for where the input and the model have these.
func (o convertOptions) outputRate(in, model int) int {
	switch o.rate {
	case "":
		return model
	case keepRate:
		return in
	}
	hz, _ := strconv.Atoi(o.rate) // validate has seen to it
	return hz
}

func (o convertOptions) validateOutput() error {
	if o.rate != "" && o.rate != keepRate {
		if hz, err := strconv.Atoi(o.rate); err != nil || hz < audio.MinRate || hz > audio.MaxRate {
			return fmt.Errorf("--rate is %q, want %d to %d Hz, or keep", o.rate, audio.MinRate, audio.MaxRate)
		}
	}
	if o.bits != "" && !slices.Contains(audio.Depths(), o.bits) {
		return fmt.Errorf("--bits is %q, want 16, 24 or 32f", o.bits)
	}
	if o.output != "" && o.output != standardStream {
		if err := audio.CheckOutput(o.output, o.bits); err != nil {
			return fmt.Errorf("-o %s: %w", o.output, err)
		}
	}
	sides := o.sides()
	switch {
	case o.channels != "" && o.channels != keepChannels && o.channels != monoChannel:
		return fmt.Errorf("--channels is %q, want keep or mono", o.channels)
	case sides != nil && (len(sides) != 2 || sides[0] == "" || sides[1] == ""):
		return fmt.Errorf("--to %s: both sides need a voice, as in left=A,right=B", o.to)
	case sides != nil && (o.like != "" || o.random != ""):
		return errors.New("--to with two sides names voices as they are: save those of --like and --random with \"vc style\", and name the files")
	case sides != nil && o.channels == monoChannel:
		return errors.New("--to names voices for two sides, and --channels mono mixes them: give one of them")
	case o.apart() && o.picture != "":
		return errors.New("--picture shows one channel, and all are kept: give one of them")
	}
	return nil
}

func (o convertOptions) validate() error {
	standard, folders := 0, 0
	for _, in := range o.inputs {
		if in == standardStream {
			standard++
		} else if info, err := os.Stat(in); err == nil && info.IsDir() {
			folders++
		}
	}
	switch {
	case len(o.inputs) == 0:
		return errors.New("no input: name a recording, a folder, or - for standard input")
	case o.output != "" && o.outDir != "":
		return errors.New("-o names one file and --out-dir a folder: give one of them")
	case o.output != "" && (len(o.inputs) > 1 || folders > 0):
		return errors.New("-o names one file, but there may be several inputs: use --out-dir")
	case folders > 0 && o.outDir == "":
		return errors.New("a folder as input needs --out-dir")
	case standard > 1:
		return errors.New("standard input can be read only once")
	case len(o.inputs) == 1 && folders == 0 && badExtension(o.picture, ".png"):
		return fmt.Errorf("--picture %s: pictures are PNG files: let the name end in .png", o.picture)
	}
	if err := o.validateOutput(); err != nil {
		return err
	}
	for _, v := range o.choices() {
		if err := v.validate(); err != nil {
			return err
		}
	}
	if err := o.sourceChoice.validate(); err != nil {
		return err
	}
	return checkConversion(o.conversion(o.threads))
}

// conversion is what a converter on that many cores is asked for.
func (o convertOptions) conversion(threads int) vc.Options {
	return vc.Options{
		Threads: threads, Vocoder: o.vocoder, PitchSemitones: o.pitch, FormantSemitones: o.formant, Strength: o.strength, Melody: o.melody,
	}
}

// checkConversion is the options' own check, and knows of the vocoder that "vc vocode" alone has.
func checkConversion(o vc.Options) error {
	if o.Vocoder == vc.Vocoder(synth.Refined) {
		return fmt.Errorf("vocoder %q is for a recording's own frames, as in vc vocode: conversions lose their pitch by it; these are for "+
			"conversions: %q", synth.Refined, vc.Vocoders())
	}
	return o.Validate()
}

// badExtension reports whether a name has an extension that is none of those given. A device has none.
func badExtension(name string, want ...string) bool {
	ext := strings.ToLower(filepath.Ext(name))
	for _, w := range want {
		if ext == w {
			return false
		}
	}
	return name != "" && ext != ""
}

func runConvert(ctx context.Context, e env, o convertOptions) error {
	m, _, err := loadConverter(e, o.model, o.noMark)
	if err != nil {
		return err
	}
	voices, err := o.findVoices(e, m)
	if err != nil {
		return err
	}
	found := findInputs(ctx, o.inputs)
	if err := ctx.Err(); err != nil {
		return err
	}
	jobs := planJobs(found.inputs, voiceLabel(voices), o)
	if !o.quiet || o.strict {
		found.tell(e)
	}
	if o.resume {
		jobs = o.leaveDone(ctx, e, jobs)
	}
	if len(jobs) == 0 {
		return found.strictly(o)
	}
	for i := range jobs {
		j := &jobs[i]
		j.voices = voices
		if j.err == nil && j.in == standardStream && e.stdinIsTerminal {
			j.err = errors.New("standard input is a terminal: pipe a recording into it")
		}
		if j.err == nil && j.out == standardStream && e.stdoutIsTerminal {
			j.err = errors.New("standard output is a terminal: name a file with -o, or pipe the sound on")
		}
		if j.err == nil {
			j.err = checkWritable(j.out, o.outDir != "")
		}
		if j.err == nil {
			j.err = checkWritable(j.picture, len(jobs) > 1)
		}
	}

	threads := o.threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	workers := min(threads, len(jobs))
	asked := o.conversion(max(1, threads/workers))
	if asked.Source, err = o.source(); err != nil {
		return err
	}
	vocoder, err := m.ChooseVocoder(asked.Vocoder)
	if err != nil {
		return err // once, rather than for each file
	}
	w := &converting{env: e, o: o, model: m, ask: asked, jobs: jobs, parts: make([]float64, len(jobs))}
	if vocoder == vc.GriffinLim {
		w.longest = longestGriffinLim
	}
	w.bar = newProgress(e.stderr, e.stderrIsTerminal && !o.quiet, "converting")
	w.run(ctx, workers)
	w.bar.done()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := failures(jobs); err != nil {
		return err
	}
	return found.strictly(o)
}

// findVoices finds the voice, or those of both sides.
func (o convertOptions) findVoices(e env, m *vc.Model) ([]chosenVoice, error) {
	var voices []chosenVoice
	for _, choice := range o.choices() {
		voice, err := choice.find(m)
		if err != nil {
			return nil, err
		}
		voice.tellNotes(e, o.quiet)
		voices = append(voices, voice)
	}
	return voices, nil
}

// voiceLabel is short, for the names of files.
func voiceLabel(voices []chosenVoice) string {
	if len(voices) == 2 {
		return voices[0].label + "-" + voices[1].label
	}
	return voices[0].label
}

// voiceWords name the voices in the mark of a result.
func voiceWords(voices []chosenVoice) string {
	if len(voices) == 2 {
		return voices[0].label + " (left) and " + voices[1].label + " (right)"
	}
	return voices[0].label
}

// leaveDone drops the jobs whose result is there, is marked as one and is no older than its input.
func (o convertOptions) leaveDone(ctx context.Context, e env, jobs []job) []job {
	var left []job
	for _, j := range jobs {
		if j.err != nil || j.in == standardStream || j.out == standardStream || !isDone(ctx, j) {
			left = append(left, j)
		}
	}
	if done := len(jobs) - len(left); done > 0 && !o.quiet {
		e.tell("%d of %d are done already", done, len(jobs))
	}
	return left
}

func isDone(ctx context.Context, j job) bool {
	in, err := os.Stat(j.in)
	if err != nil {
		return false
	}
	out, err := os.Stat(j.out)
	return err == nil && !out.ModTime().Before(in.ModTime()) && audio.ReadTags(ctx, j.out).Mark() != ""
}

// failures lists what went wrong, if anything did.
func failures(jobs []job) error {
	var failed []string
	for _, j := range jobs {
		if j.err != nil {
			failed = append(failed, j.describe())
		}
	}
	switch {
	case len(failed) == 0:
		return nil
	case len(jobs) == 1:
		return errors.New(failed[0])
	}
	return fmt.Errorf("%d of %d files failed:\n    %s", len(failed), len(jobs), strings.Join(failed, "\n    "))
}

// describe names the input, unless the error does so itself.
func (j job) describe() string {
	name := j.in
	if name == standardStream {
		name = "standard input"
	}
	text := explain(j.err).Error()
	if strings.HasPrefix(text, j.in+":") {
		return text
	}
	return name + ": " + text
}
