package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/plot"
	"github.com/starvc/vc/internal/synth"
	"github.com/urfave/cli/v2"
)

const convertDescription = `Says the same words in another voice: one of those that "vc speakers" lists, or one made from them. Reads WAV, FLAC, MP3 and
Ogg Vorbis, and with ffmpeg installed nearly all else, of any rate, depth and number of channels; writes 16-bit WAV at the model's rate, as long as the input.

EXAMPLES

   one file; the result is in-ann.wav, or what -o says:
      vc convert in.wav --to ann
      vc convert in.wav --to ann -o out.wav

   many files, and whole folders:
      vc convert --to ann --out-dir converted/ talks/ extra/*.flac

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
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write to `FILE`, \"-\" is standard output (default: IN-VOICE.wav beside the input)"},
			&cli.StringFlag{Name: "out-dir", Usage: "write all results into `DIR`"},
			vocoderFlag(),
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
	quiet          bool
	vocoder        vc.Vocoder
	pitch, formant float64 // semitones
	strength       float64
	melody         vc.Melody
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
	case o.output != standardStream && badExtension(o.output, ".wav", ".wave"):
		return fmt.Errorf("-o %s: results are WAV files: let the name end in .wav", o.output)
	case len(o.inputs) == 1 && folders == 0 && badExtension(o.picture, ".png"):
		return fmt.Errorf("--picture %s: pictures are PNG files: let the name end in .png", o.picture)
	}
	if err := o.voiceChoice.validate(); err != nil {
		return err
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
	m, _, err := loadModel(e, o.model)
	if err != nil {
		return err
	}
	voice, err := o.find(m)
	if err != nil {
		return err
	}
	voice.tellNotes(e, o.quiet)
	jobs := planJobs(findInputs(o.inputs), voice.label, o)
	for i := range jobs {
		j := &jobs[i]
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
	if _, err := m.ChooseVocoder(asked.Vocoder); err != nil {
		return err // once, rather than for each file
	}
	w := &converting{env: e, o: o, model: m, ask: asked, voice: voice, jobs: jobs, parts: make([]float64, len(jobs))}
	w.bar = newProgress(e.stderr, e.stderrIsTerminal && !o.quiet, "converting")
	w.run(ctx, workers)
	w.bar.done()
	if err := ctx.Err(); err != nil {
		return err
	}
	return failures(jobs)
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

// converting is the work of one command.
type converting struct {
	env   env
	o     convertOptions
	model *vc.Model
	ask   vc.Options
	voice chosenVoice
	jobs  []job

	mutex sync.Mutex // for what follows, and for messages
	bar   *progress
	parts []float64
}

// run converts all jobs, several at a time. A failure is kept in its job and stops nothing else.
func (w *converting) run(ctx context.Context, workers int) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for {
				i := int(next.Add(1) - 1)
				if i >= len(w.jobs) || ctx.Err() != nil {
					return
				}
				j := &w.jobs[i]
				if j.err == nil {
					j.err = w.one(ctx, j, i)
				}
				if j.err != nil && len(w.jobs) > 1 && ctx.Err() == nil {
					w.say("%s", j.describe())
				}
				w.part(i, 1)
			}
		})
	}
	wait.Wait()
}

func (w *converting) say(format string, a ...any) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.bar.done()
	w.env.tell(format, a...)
}

func (w *converting) part(i int, part float64) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.parts[i] = part
	sum := 0.0
	for _, p := range w.parts {
		sum += p
	}
	w.bar.set(sum / float64(len(w.parts)))
}

func (w *converting) one(ctx context.Context, j *job, i int) error {
	clip, err := readClip(ctx, w.env, j.in)
	if err != nil {
		return err
	}
	for _, text := range clip.Warnings {
		name := j.in
		if name == standardStream {
			name = "standard input"
		}
		w.say("warning: %s: %s", name, text)
	}
	start := time.Now()
	asked := w.ask
	asked.Progress = func(part float64) { w.part(i, part) }
	r, err := w.model.Convert(ctx, clip, w.voice.Voice, asked)
	if err != nil {
		return err
	}
	if err := writeClip(w.env, j.out, r.Clip); err != nil {
		return err
	}
	if j.picture != "" {
		if err := drawConversion(j, w.model.Features(), r, w.voice); err != nil {
			return err
		}
	}
	if !w.o.quiet && j.out != standardStream {
		w.say("%s -> %s (%.1f s of sound in %.1f s)", j.in, j.out, r.Clip.Duration().Seconds(), time.Since(start).Seconds())
	}
	return nil
}

// readClip reads a recording. A read from a pipe cannot be interrupted, so it is left behind when ctx ends; the
// process ends right after.
func readClip(ctx context.Context, e env, path string) (audio.Clip, error) {
	if path != standardStream {
		return audio.ReadFileContext(ctx, path)
	}
	type result struct {
		clip audio.Clip
		err  error
	}
	read := make(chan result, 1)
	go func() {
		clip, err := audio.DecodeStream(ctx, e.stdin)
		read <- result{clip, err}
	}()
	select {
	case r := <-read:
		return r.clip, r.err
	case <-ctx.Done():
		return audio.Clip{}, ctx.Err()
	}
}

func writeClip(e env, path string, clip audio.Clip) error {
	if path != standardStream {
		return audio.WriteFile(path, clip)
	}
	// In one piece, so that nothing at all is written where encoding fails.
	var b bytes.Buffer
	if err := audio.EncodeWAV(&b, clip); err != nil {
		return err
	}
	if _, err := e.stdout.Write(b.Bytes()); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

// drawConversion draws input and output under each other. The output is analysed anew, so that the picture shows what
// is heard, vocoder included.
func drawConversion(j *job, cfg features.Config, r *vc.Result, voice chosenVoice) error {
	out, err := features.Analyze(cfg, r.Clip)
	if err != nil {
		return err
	}
	panels := []plot.Mel{
		plot.FromFrames("input: "+filepath.Base(j.in), cfg, r.Source),
		plot.FromFrames("output: "+voice.origin, cfg, out.Frames),
	}
	return audio.WriteAtomic(j.picture, func(w io.Writer) error {
		return plot.Mels(w, panels, plot.MelOptions{Title: filepath.Base(j.in) + " to " + voice.label})
	})
}
