package train

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/plot"
	"github.com/starvc/vc/internal/run"
	"github.com/starvc/vc/vocoder"
)

var curves = []run.Curve{
	{Title: "Log-spectrum (L1)", Names: []string{"spectral", "valid_spectral"}},
	{Title: "Spectral convergence", Names: []string{"convergence", "valid_convergence"}},
	{Title: "Log-mel (L1, normalised)", Names: []string{"mel", "valid_mel"}},
	{Title: "Adversarial", Names: []string{"adv_d", "adv_g"}},
	{Title: "Feature matching (L1)", Names: []string{"matching"}},
	{Title: "Gradient norms", Names: []string{"norm", "norm_d"}},
}

const (
	sampleCount   = 4
	sampleSeconds = 12
)

// Report copies a few recordings, held-out ones where there are, each beside its original.
func (p *pupil) Report(context.Context) (*run.Report, error) {
	report := &run.Report{Scores: run.Scores{
		About:   "Distances between held-out recordings and the vocoder's copies, so less is better; the row in bold is the best snapshot.",
		Columns: []run.Score{{Head: "log-spectrum", Metric: "valid_spectral"}, {Head: "convergence", Metric: "valid_convergence"}, {Head: "log-mel", Metric: "valid_mel"}},
	}}
	chosen := run.Turns(sampleCount, len(p.speech.speakers), func(u utterance) int { return u.speaker }, p.speech.valid, p.speech.train)
	for i, u := range chosen {
		p.r.Say.Count("copying samples", i, len(chosen))
		speaker, name := p.speech.speakers[u.speaker].Name, strings.TrimSuffix(filepath.Base(u.path), filepath.Ext(u.path))
		s, err := sampleOf(p.net, u)
		if err != nil {
			return nil, fmt.Errorf("sample %s: %w", name, err)
		}
		s.Title = speaker + ": " + name
		s.File, s.Kind, s.Name, s.Brief = speaker+"-"+name, "copy", speaker+"/"+name, s.Title
		report.Samples = append(report.Samples, s)
	}
	p.r.Say.Finish()
	for _, s := range p.speech.speakers {
		report.Voices = append(report.Voices, run.Voice{Name: s.Name, Seconds: s.Seconds})
	}
	return report, nil
}

// sampleOf copies the beginning of a recording: its log-mel and F0 are all that the vocoder is given.
func sampleOf(net *vocoder.Net, u utterance) (s run.Sample, err error) {
	cfg := net.Features()
	original := u.frames.Slice(0, min(u.frames.Len(), sampleSeconds*cfg.SampleRate/cfg.Hop))
	length := original.Len() * cfg.Hop
	stream := net.NewStream(1)
	sound := stream.FlushTo(stream.Process(nil, original.LogMel, original.F0), length)
	for i, v := range sound {
		if v-v != 0 {
			s.Fault, sound[i] = "not finite", 0
		}
	}
	copied, err := features.ExtractRecording(cfg, sound)
	if err != nil {
		return s, err
	}
	if s.Fault == "" {
		s.Fault = run.Fault(cfg, original, copied)
	}
	err = errors.Join(
		s.Add("the vocoder's copy", audio.Clip{Rate: cfg.SampleRate, Samples: sound}),
		s.Add("the recording", audio.Clip{Rate: cfg.SampleRate, Samples: u.sound[:length]}),
		s.Draw([]plot.Mel{plot.FromFrames("recording", cfg, original), plot.FromFrames("copy", cfg, copied)}, "recording and copy"),
	)
	return s, err
}

// The vocoder of a run is that of its best snapshot, by the distances of held-out copies. Discriminators make a copy clearer and
// not nearer, so only the second half of the last phase counts.

// bestFrom is the number of steps after which snapshots stand for election.
func (c Config) bestFrom() int {
	w := c.SpectralSteps()
	if w >= c.Steps {
		return c.Steps / 2
	}
	return w + (c.Steps-w)/2
}
