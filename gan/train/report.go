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
	for i, source := range run.Turns(sampleCount, len(p.set.Speakers), speakerOf, p.set.Valid, p.set.Train) {
		p.r.Say.Count("converting samples", i, sampleCount)
		target := (source.Speaker + 1) % len(m.Speakers)
		from, to := m.Speakers[source.Speaker].Name, m.Speakers[target].Name
		name := strings.TrimSuffix(filepath.Base(source.Path), filepath.Ext(source.Path))
		s, err := p.sample(ctx, model, source, target)
		if err != nil {
			return nil, fmt.Errorf("sample %s to %s: %w", filepath.Base(source.Path), to, err)
		}
		s.Title, s.File = name+": "+from+" to "+to, name+"-"+from+"-to-"+to
		s.Kind, s.Name, s.Brief = "converted", from+" to "+to+"/"+name, name+" to "+to
		report.Samples = append(report.Samples, s)
	}
	p.r.Say.Finish()
	for _, s := range m.Speakers {
		report.Voices = append(report.Voices, run.Voice{Name: s.Name, Seconds: s.Seconds})
	}
	return report, nil
}

func speakerOf(u corpus.Utterance) int { return u.Speaker }

// sample is one conversion of a report.
func (p *pupil) sample(ctx context.Context, model *vc.Model, source corpus.Utterance, target int) (s run.Sample, err error) {
	m := model.Networks()
	from, to := m.Speakers[source.Speaker].Name, m.Speakers[target].Name
	clip, err := audio.ReadFile(source.Path)
	if err != nil {
		return s, err
	}
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
		panels = append(panels, plot.FromFrames("a recording of "+to, m.Features, own.Frames))
		recording, err := audio.ReadFile(own.Path)
		if err != nil {
			return s, err
		}
		if err := s.Add("a recording of "+to, recording); err != nil {
			return s, err
		}
	}
	return s, s.Draw(panels, "source, conversion and target")
}
