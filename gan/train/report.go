package train

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/plot"
	"github.com/starvc/vc/internal/run"
)

// curves are the charts of losses.png.
var curves = []run.Curve{
	{Title: "Rebuilding (L1, normalised log-mel)", Names: []string{"identity", "cycle", "valid_identity", "valid_cycle"}},
	{Title: "Adversarial", Names: []string{"adv_d", "adv_g"}},
	{Title: "Style (L1)", Names: []string{"style", "mapped", "common", "valid_style"}},
	{Title: "Diversity (L1)", Names: []string{"diversity"}},
	{Title: "Content and energy", Names: []string{"content", "energy"}},
	{Title: "Source classifier (cross entropy)", Names: []string{"source_c", "source_g"}},
	{Title: "Gradient norms", Names: []string{"norm_g", "norm_e", "norm_f", "norm_d"}},
	{Title: "D's logits", Names: []string{"real", "fake"}},
}

// sampleCount is how many conversions a report shows.
const sampleCount = 4

// shownFrames is how much of a recording beside a sample is drawn, where the sample is shorter.
const shownFrames = 300

// Report converts a few recordings, held-out ones where there are, each beside its source and a recording of the target.
func (p *pupil) Report(ctx context.Context) (*run.Report, error) {
	m, model := p.made, vc.New(p.made)
	report := &run.Report{Scores: run.Scores{
		About: "L1 distances in normalised log-mel units, so less is better; the row in bold is the best snapshot, of which the model is made.",
		Columns: []run.Score{
			{Head: "rebuilt", Metric: "valid_identity"}, {Head: "cycle", Metric: "valid_cycle"}, {Head: "style", Metric: "valid_style"},
			{Head: "colour", Metric: "valid_colour"}, {Head: "spread", Metric: "valid_spread"},
		},
	}}
	make := p.conversions
	if fresh := p.newVoices(); len(fresh) > 0 {
		make = func(ctx context.Context, model *vc.Model) ([]run.Sample, error) {
			return p.newVoiceSamples(ctx, model, fresh)
		}
		report.Use = p.next(m.Speakers[fresh[0]].Name, true)
	} else {
		report.Use = p.next(m.Speakers[0].Name, false)
	}
	var err error
	if report.Samples, err = make(ctx, model); err != nil {
		return nil, err
	}
	p.r.Say.Finish()
	for _, s := range m.Speakers {
		report.Voices = append(report.Voices, run.Voice{Name: s.Name, Seconds: s.Seconds})
	}
	return report, nil
}

// next is what to type to hear the model: a demonstration, of the named voice alone if asked for, or a recording in that voice.
func (p *pupil) next(voice string, alone bool) string {
	names, demo := p.r.Names, "vc demo "
	if alone {
		demo += names.Of("voices", voice) + " "
	}
	model := names.Of("model", "%[1]s")
	return demo + model + ", or vc convert YOUR-RECORDING.wav " + names.Of("to", voice) + " " + model
}

func speakerOf(u corpus.Utterance) int { return u.Speaker }

// conversions are recordings of the run's speakers, each as the next one.
func (p *pupil) conversions(ctx context.Context, model *vc.Model) ([]run.Sample, error) {
	var all []run.Sample
	m := model.Networks()
	for _, source := range run.Turns(sampleCount, len(p.set.Speakers), speakerOf, p.set.Valid, p.set.Train) {
		target := (source.Speaker + 1) % len(m.Speakers)
		from, to := m.Speakers[source.Speaker].Name, m.Speakers[target].Name
		name := p.utteranceName(source)
		clip, err := p.clipOf(source)
		if err != nil {
			return nil, err
		}
		s, err := p.sample(ctx, model, clip, from, target)
		if err != nil {
			return nil, fmt.Errorf("sample %s to %s: %w", filepath.Base(source.Path), to, err)
		}
		s.Title, s.File = name+": "+from+" to "+to, name+"-"+from+"-to-"+to
		s.Kind, s.Name, s.Brief = "converted", from+" to "+to+"/"+name, name+" to "+to
		all = append(all, s)
	}
	return all, nil
}

// utteranceName tells an utterance from others of its speaker: by its file, and where that was cut by the second at which it begins.
func (p *pupil) utteranceName(u corpus.Utterance) string {
	name := strings.TrimSuffix(filepath.Base(u.Path), filepath.Ext(u.Path))
	if u.Start > 0 {
		name += fmt.Sprintf("-at-%ds", u.Start*p.set.Features.Hop/p.set.Features.SampleRate)
	}
	return name
}

// clipOf reads the sound of an utterance, which may be a part of a file.
func (p *pupil) clipOf(u corpus.Utterance) (audio.Clip, error) {
	clip, err := audio.ReadFile(u.Path)
	if err != nil {
		return clip, err
	}
	perFrame := float64(p.set.Features.Hop) / float64(p.set.Features.SampleRate) * float64(clip.Rate)
	from := min(int(float64(u.Start)*perFrame), len(clip.Samples))
	clip.Samples = clip.Samples[from:min(len(clip.Samples), from+int(float64(u.Frames.Len())*perFrame))]
	return clip, nil
}

// sample is one conversion of a report, of a clip of the speaker from.
func (p *pupil) sample(ctx context.Context, model *vc.Model, clip audio.Clip, from string, target int) (s run.Sample, err error) {
	m := model.Networks()
	to := m.Speakers[target].Name
	result, err := model.Convert(ctx, clip, model.SpeakerVoice(target), vc.Options{})
	if ctx.Err() != nil {
		return s, err
	}
	if err != nil {
		s.Fault = err.Error()
		return s, nil
	}
	leveled := slices.Clone(result.Clip.Samples) // as the source was
	audio.Amplify(leveled, result.GainDB)
	output, err := features.ExtractRecording(m.Features, leveled)
	if err != nil {
		return s, err
	}
	s.Fault = run.Fault(m.Features, result.Source, output)
	panels := []plot.Mel{
		plot.FromFrames("source: "+from, m.Features, result.Source),
		plot.FromFrames("converted to "+to, m.Features, output),
	}
	if err := errors.Join(s.Add("converted to "+to, result.Clip), s.Add("source: "+from, clip)); err != nil {
		return s, err
	}
	if own, ok := run.Nth(p.set.Train, speakerOf, target, 0); ok {
		shown := own.Frames.Slice(0, min(own.Frames.Len(), max(output.Len(), shownFrames)))
		panels = append(panels, plot.FromFrames("a recording of "+to, m.Features, shown))
		recording, err := p.clipOf(own)
		if err != nil {
			return s, err
		}
		if err := s.Add("a recording of "+to, recording); err != nil {
			return s, err
		}
	}
	return s, s.Draw(panels, "source, conversion and target")
}
