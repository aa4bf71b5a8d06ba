package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/convert"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/plot"
)

// curves are the charts of losses.png: a title, and the metrics in it.
var curves = []struct {
	title string
	names []string
}{
	{"Rebuilding (L1, normalised log-mel)", []string{"identity", "cycle", "valid_identity", "valid_cycle"}},
	{"Adversarial", []string{"adv_d", "adv_g"}},
	{"Style (L1)", []string{"style", "mapped", "common", "valid_style"}},
	{"Diversity (L1)", []string{"diversity"}},
	{"Content and energy", []string{"content", "energy"}},
	{"Source classifier (cross entropy)", []string{"source_c", "source_g"}},
	{"Gradient norms", []string{"norm_g", "norm_e", "norm_f", "norm_d"}},
	{"D's logits", []string{"real", "fake"}},
}

// drawCurves draws losses.png from metrics.jsonl.
func (r *runner) drawCurves() error {
	records, err := readMetrics(r.folder.path("metrics.jsonl"))
	if err != nil {
		return err
	}
	charts := make([]plot.Chart, len(curves))
	for i, c := range curves {
		charts[i] = plot.Chart{Title: c.title, XLabel: "step"}
		for _, name := range c.names {
			s := plot.Series{Name: name, Smooth: 0.95}
			if strings.HasPrefix(name, "valid_") {
				s.Smooth = 0
			}
			for _, m := range records {
				// A term that is not in use yet is exactly 0 and no part of its curve.
				if v, ok := m.Metrics[name]; ok && v != 0 {
					s.X, s.Y = append(s.X, float64(m.Step)), append(s.Y, float64(v))
				}
			}
			if len(s.X) > 0 {
				charts[i].Series = append(charts[i].Series, s)
			}
		}
	}
	charts = slices.DeleteFunc(charts, func(c plot.Chart) bool { return len(c.Series) == 0 })
	if len(charts) == 0 {
		return nil
	}
	return audio.WriteAtomic(r.folder.path("losses.png"), func(w io.Writer) error {
		return plot.Lines(w, charts, plot.LineOptions{Title: "Losses", Columns: 2})
	})
}

// sampleCount is how many conversions a report shows.
const sampleCount = 4

// report converts a few recordings, held-out ones where there are, into samples/step-N, each a WAV and pictures of source,
// conversion and a recording of the target, and writes report.html over all. It returns what is wrong with each sample
// that is not like speech.
func (r *runner) report(ctx context.Context, m *gan.Model, step int) (faults []string, samples int, err error) {
	dir := r.folder.path("samples", fmt.Sprintf("step-%08d", step))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, 0, fmt.Errorf("samples: %w", err)
	}
	converter, err := convert.New(m, convert.Options{})
	if err != nil {
		return nil, 0, err
	}
	var made []sample
	for i, source := range r.sampleSources() {
		r.say.Count("converting samples", i, sampleCount)
		target := (source.Speaker + 1) % len(m.Speakers)
		s, err := r.sample(ctx, converter, m, dir, source, target)
		if err != nil {
			return nil, 0, fmt.Errorf("sample %s to %s: %w", filepath.Base(source.Path), m.Speakers[target].Name, err)
		}
		if s.Fault != "" {
			faults = append(faults, fmt.Sprintf("%s to %s is %s", s.Name, s.To, s.Fault))
		}
		made = append(made, s)
	}
	r.say.Finish()
	r.showSamples(m, made, step)
	return faults, len(made), r.writePage(m, made, step)
}

// sampleSources takes recordings of different speakers in turn.
func (r *runner) sampleSources() []corpus.Utterance {
	var chosen []corpus.Utterance
	for round := 0; round < sampleCount && len(chosen) < sampleCount; round++ {
		for speaker := range r.set.Speakers {
			if u, ok := nth(r.set.Valid, speaker, round); ok {
				chosen = append(chosen, u)
			} else if u, ok := nth(r.set.Train, speaker, round); ok {
				chosen = append(chosen, u)
			}
			if len(chosen) == sampleCount {
				break
			}
		}
	}
	return chosen
}

func nth(us []corpus.Utterance, speaker, n int) (corpus.Utterance, bool) {
	for _, u := range us {
		if u.Speaker == speaker {
			if n == 0 {
				return u, true
			}
			n--
		}
	}
	return corpus.Utterance{}, false
}

// sample is one conversion of a report.
type sample struct {
	Name, From, To string
	Fault          string // what is wrong with it, see unlikeSpeech
	WAV            []byte // of the conversion
	Rate, Samples  int
	SourceWAV      []byte
	TargetWAV      []byte // a recording of the target, empty without one
	Mels, Spectra  []byte // PNG
}

func (r *runner) sample(ctx context.Context, c *convert.Converter, m *gan.Model, dir string, source corpus.Utterance, target int) (sample, error) {
	from, to := m.Speakers[source.Speaker].Name, m.Speakers[target].Name
	s := sample{Name: strings.TrimSuffix(filepath.Base(source.Path), filepath.Ext(source.Path)), From: from, To: to}
	clip, err := audio.ReadFile(source.Path)
	if err != nil {
		return s, err
	}
	result, err := c.Convert(ctx, clip, convert.SpeakerVoice(m, target), nil)
	if ctx.Err() != nil {
		return s, err
	}
	if err != nil {
		s.Fault = err.Error()
		return s, nil
	}
	s.Rate, s.Samples = result.Clip.Rate, len(result.Clip.Samples)
	output, err := features.Extract(m.Features, result.Clip.Samples)
	if err != nil {
		return s, err
	}
	s.Fault = unlikeSpeech(m.Features, result.Source, output)
	panels := []plot.Mel{
		plot.FromFrames("source: "+from, m.Features, result.Source),
		plot.FromFrames("converted to "+to, m.Features, output),
	}
	spectra := plot.Chart{Title: "Long-term spectra", XLabel: "Hz", YLabel: "dB", Series: []plot.Series{
		spectrum("source: "+from, clip), spectrum("converted to "+to, result.Clip),
	}}
	if own, ok := nth(r.set.Train, target, 0); ok {
		panels = append(panels, plot.FromFrames("a recording of "+to, m.Features, own.Frames))
		recording, err := audio.ReadFile(own.Path)
		if err != nil {
			return s, err
		}
		spectra.Series = append(spectra.Series, spectrum("a recording of "+to, recording))
		if s.TargetWAV, err = encodeWAV(shortened(recording)); err != nil {
			return s, err
		}
	}
	var mels, curves bytes.Buffer
	err = errors.Join(plot.Mels(&mels, panels, plot.MelOptions{}), plot.Lines(&curves, []plot.Chart{spectra}, plot.LineOptions{}))
	if err != nil {
		return s, err
	}
	s.Mels, s.Spectra = mels.Bytes(), curves.Bytes()
	if s.WAV, err = encodeWAV(result.Clip); err != nil {
		return s, err
	}
	if s.SourceWAV, err = encodeWAV(shortened(clip)); err != nil {
		return s, err
	}
	name := filepath.Join(dir, s.Name+"-"+from+"-to-"+to)
	for _, f := range []struct {
		ending string
		data   []byte
	}{{".wav", s.WAV}, {"-spectra.png", s.Spectra}, {".png", s.Mels}} {
		err := audio.WriteAtomic(name+f.ending, func(w io.Writer) error {
			_, err := w.Write(f.data)
			return err
		})
		if err != nil {
			return s, err
		}
	}
	return s, nil
}

// spectrum is the curve of a recording's long-term spectrum, up to the 8 kHz that matter in speech.
func spectrum(name string, clip audio.Clip) plot.Series {
	s := plot.Series{Name: name}
	for _, p := range features.LongTermSpectrum(clip.Samples, clip.Rate) {
		if p.Hz <= 8000 {
			s.X, s.Y = append(s.X, p.Hz), append(s.Y, p.DB)
		}
	}
	return s
}

// silentDB is the level below which a converted recording is no conversion.
const silentDB = -60
