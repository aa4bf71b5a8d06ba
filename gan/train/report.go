package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
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

// report converts a few recordings, held-out ones where there are, into samples/step-N, each a WAV and pictures of source,
// conversion and a recording of the target, and writes report.html over all. It returns what is wrong with each sample
// that is not like speech.
func (r *runner) report(ctx context.Context, m *gan.Model, step int) (faults []string, samples int, err error) {
	dir := r.folder.path("samples", fmt.Sprintf("step-%08d", step))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, 0, fmt.Errorf("samples: %w", err)
	}
	model := vc.New(m)
	board := run.OpenBoard(r.folder.dir, step+1, r.say)
	defer board.Close()
	var made []run.Sample
	sources := run.Turns(sampleCount, len(r.set.Speakers), speakerOf, r.set.Valid, r.set.Train)
	for i, source := range sources {
		r.say.Count("converting samples", i, sampleCount)
		target := (source.Speaker + 1) % len(m.Speakers)
		from, to := m.Speakers[source.Speaker].Name, m.Speakers[target].Name
		name := strings.TrimSuffix(filepath.Base(source.Path), filepath.Ext(source.Path))
		s, err := r.sample(ctx, model, source, target)
		if err != nil {
			return nil, 0, fmt.Errorf("sample %s to %s: %w", filepath.Base(source.Path), to, err)
		}
		s.Title = name + ": " + from + " to " + to
		if len(s.Sounds) > 0 {
			if err := s.Write(filepath.Join(dir, name+"-"+from+"-to-"+to)); err != nil {
				return nil, 0, err
			}
		}
		s.Kind, s.Name = "converted", from+" to "+to+"/"+name
		s.Show(board, step)
		if s.Fault != "" {
			faults = append(faults, fmt.Sprintf("%s to %s is %s", name, to, s.Fault))
		}
		made = append(made, s)
	}
	r.say.Finish()
	return faults, len(made), r.page(m, made, step).Write(r.folder.dir)
}

func speakerOf(u corpus.Utterance) int { return u.Speaker }

// sample is one conversion of a report.
func (r *runner) sample(ctx context.Context, model *vc.Model, source corpus.Utterance, target int) (s run.Sample, err error) {
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
	if own, ok := run.Nth(r.set.Train, speakerOf, target, 0); ok {
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

// page is what report.html shows of the run.
func (r *runner) page(m *gan.Model, samples []run.Sample, step int) run.Page {
	c := r.req.Config
	lint, _ := os.ReadFile(r.folder.path("lint.txt"))
	p := run.Page{
		Title: r.folder.name(), Program: r.o.Version, Device: r.device.String(), Preset: c.Preset, Steps: step, Of: c.Steps, Batch: c.Batch,
		Samples: samples, Lint: string(lint),
		Scores: run.Scores{
			About: "L1 distances in normalised log-mel units, so less is better; the row in bold is the best snapshot, of which the model is made.",
			Columns: []run.Score{
				{Head: "rebuilt", Metric: "valid_identity"}, {Head: "cycle", Metric: "valid_cycle"}, {Head: "style", Metric: "valid_style"},
				{Head: "colour", Metric: "valid_colour"}, {Head: "spread", Metric: "valid_spread"},
			},
			Best: r.best.Step,
		},
	}
	for _, s := range m.Speakers {
		p.Voices = append(p.Voices, run.Voice{Name: s.Name, Seconds: s.Seconds})
	}
	return p
}
