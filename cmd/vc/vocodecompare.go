package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/atomicfile"
	"github.com/starvc/vc/internal/eval"
	"github.com/starvc/vc/internal/plot"
	"github.com/starvc/vc/internal/synth"
	"github.com/starvc/vc/vocoder"
)

// originals is the folder of --export that holds the recordings.
const originals = "original"

func runCompare(ctx context.Context, e env, o vocodeOptions) error {
	inputs := findInputs(ctx, o.inputs).inputs
	var files []string
	for _, in := range inputs {
		if in.err != nil {
			return fmt.Errorf("%s: %w", in.path, in.err)
		}
		if in.path == standardStream {
			return errors.New("--compare reads files: name them instead of -")
		}
		files = append(files, in.path)
	}
	net, cfg, err := o.findNet()
	if err != nil {
		return err
	}
	vocoders, err := o.candidates(e, net, cfg)
	if err != nil {
		return err
	}
	for _, path := range []string{o.json, o.picture} {
		if err := checkWritable(path, false); err != nil {
			return err
		}
	}
	if o.picture != "" && len(files) != 1 {
		return fmt.Errorf("--picture draws one recording beside its copies: name one file, not %d", len(files))
	}
	run := eval.CopyOptions{Features: cfg, Files: files, Vocoders: vocoders, Workers: o.threads}
	if o.export != "" {
		if run.Made, err = exporter(o.export, inputs, vocoders); err != nil {
			return err
		}
	}
	var heard copies
	if o.picture != "" {
		run.Made = heard.beside(run.Made)
	}
	bar := newProgress(e.stderr, e.stderrIsTerminal && !o.quiet, "comparing")
	run.Progress = func(done, total int) { bar.set(float64(done) / float64(total)) }
	table, err := eval.Copies(ctx, run)
	bar.done()
	if err != nil {
		return err
	}
	if o.json != "" {
		if err := atomicfile.Write(o.json, func(w io.Writer) error { return table.WriteJSON(w) }); err != nil {
			return err
		}
	}
	if o.picture != "" {
		if err := heard.draw(o.picture, files[0], cfg, vocoders); err != nil {
			return err
		}
	}
	if err := table.WriteText(e.stdout); err != nil {
		return err
	}
	if o.export != "" && !o.quiet {
		e.tell("recordings and copies lie in %s", o.export)
	}
	return nil
}

// candidates are the vocoders to compare: the one named, else all that there are weights for.
func (o vocodeOptions) candidates(e env, net *vocoder.Net, cfg features.Config) ([]eval.CopyVocoder, error) {
	names := synth.CopyVocoders()
	if o.vocoder != "" {
		names = []synth.Vocoder{o.vocoder}
	}
	var list []eval.CopyVocoder
	for _, name := range names {
		if name.NeedsNet() && net == nil && o.vocoder == "" {
			if !o.quiet {
				e.tell("%s is left out: this program holds no weights for it; name a file with --net", name)
			}
			continue
		}
		one := o
		one.threads = 1 // the files go beside each other
		s, err := one.synthesizer(name, net, cfg)
		if err != nil {
			return nil, err
		}
		list = append(list, eval.CopyVocoder{
			Name: string(name),
			Vocode: func(ctx context.Context, f features.Frames, samples int) ([]float32, error) {
				return s.Synthesize(ctx, f.LogMel, f.F0, samples, nil)
			},
		})
	}
	return list, nil
}

// copies are what the vocoders made of one recording, by their names, and under "" the recording itself.
type copies map[string]audio.Clip

// beside keeps each clip and hands it on to next, which may be nil.
func (c *copies) beside(next func(file, vocoder string, clip audio.Clip) error) func(file, vocoder string, clip audio.Clip) error {
	*c = copies{}
	return func(file, vocoder string, clip audio.Clip) error {
		(*c)[vocoder] = clip
		if next == nil {
			return nil
		}
		return next(file, vocoder, clip)
	}
}

// draw draws the recording and below it each copy, all analysed alike.
func (c copies) draw(path, file string, cfg features.Config, vocoders []eval.CopyVocoder) error {
	titles, names := []string{"the recording"}, []string{""}
	for _, v := range vocoders {
		titles, names = append(titles, v.Name), append(names, v.Name)
	}
	var mels []plot.Mel
	for i, name := range names {
		heard, err := features.Analyze(cfg, c[name])
		if err != nil {
			return err
		}
		mels = append(mels, plot.FromFrames(titles[i], cfg, heard.Frames))
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		return plot.Mels(w, mels, plot.MelOptions{Title: filepath.Base(file)})
	})
}

// exporter writes recordings and copies under the same name, that inside the folder where the recording was found, into a folder
// for each vocoder.
func exporter(dir string, inputs []input, vocoders []eval.CopyVocoder) (func(file, vocoder string, clip audio.Clip) error, error) {
	names, taken := map[string]string{}, map[string]string{}
	for _, in := range inputs {
		name := strings.TrimSuffix(in.inside, filepath.Ext(in.inside)) + ".wav"
		if other, ok := taken[name]; ok {
			return nil, fmt.Errorf("--export: %s and %s would be written under the same name: compare them apart, or name the folder that both lie in",
				other, in.path)
		}
		taken[name], names[in.path] = in.path, name
	}
	folders := []string{originals}
	for _, v := range vocoders {
		folders = append(folders, v.Name)
	}
	for _, f := range folders {
		for path, name := range names {
			to := filepath.Join(dir, f, name)
			if hit := sameAsInput(to, inputs); hit != "" {
				return nil, fmt.Errorf("--export: the input %s would be overwritten: choose another folder", hit)
			}
			if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
				return nil, fmt.Errorf("--export: cannot make the folder %s for %s: %w", filepath.Dir(to), path, plainCause(err))
			}
		}
	}
	return func(file, vocoder string, clip audio.Clip) error {
		if vocoder == "" {
			vocoder = originals
		}
		return audio.WriteFile(filepath.Join(dir, vocoder, names[file]), clip)
	}, nil
}
