package train

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/starvc/vc/internal/run"
)

// curves are the charts of losses.png.
var curves = []run.Curve{
	{Title: "Loss (cross entropy per frame)", Names: []string{"loss"}},
	{Title: "Teacher (squared error per number)", Names: []string{teacherMetric}},
	{Title: "Frames right", Names: []string{"accuracy", "valid_frames_right"}},
	{Title: "Phone errors", Names: []string{"valid_phone_errors", "valid_noise15_phone_errors", "valid_babble15_phone_errors", "valid_room06_phone_errors"}},
	{Title: "Gradient norm", Names: []string{"norm"}},
}

// Score scores the averaged network on held-out speech, clean and disturbed, at the look-ahead that the voice model trains with.
// The best network is that with the fewest phone errors, the mean of clean and disturbed speech. Phone errors and not frames right:
// they are about the words, which the network is for, while a frame is also wrong when a phone begins a frame later than the label
// says, and that hardly changes once the network learns its speakers by heart. The least counts, without the margin that the scores
// of voices get: it is no guess at what is wanted. The best one's own score flatters it a little, having chosen it.
func (p *pupil) Score() (*run.Scored, error) {
	if len(p.speech.score) == 0 {
		return nil, nil
	}
	c := p.req.Config
	lookAhead := c.GAN.StemFuture
	if p.heard == nil {
		some := scoredInTraining(c, p.speech)
		for _, k := range phoneConditions() {
			p.heard = append(p.heard, under(c, p.speech, some, k))
		}
	}
	metrics := map[string]float32{}
	var clean Score
	var told []string
	sum, conditions := 0.0, 0
	for i, k := range phoneConditions() {
		scores, err := p.engine.scoreUtterances(c, len(p.speech.speakers), p.heard[i], lookAhead)
		if err != nil {
			return nil, err
		}
		groups := groupScores(p.speech.speakers, scores)
		all := groups[len(groups)-1].score
		if all.Spoken == 0 {
			continue
		}
		sum += all.ErrorRate()
		conditions++
		if k.metric != "" {
			metrics["valid_"+k.metric+"_frames_right"] = float32(all.Accuracy())
			metrics["valid_"+k.metric+"_phone_errors"] = float32(all.ErrorRate())
			told = append(told, fmt.Sprintf("%s %.1f %%", k.name, 100*all.ErrorRate()))
			continue
		}
		clean = all
		metrics["valid_frames_right"], metrics["valid_phone_errors"] = float32(all.Accuracy()), float32(all.ErrorRate())
		for _, g := range groups[:len(groups)-1] {
			metrics["valid_frames_right_"+g.name] = float32(g.score.Accuracy())
			metrics["valid_phone_errors_"+g.name] = float32(g.score.ErrorRate())
		}
	}
	mean := sum / float64(conditions)
	metrics["valid_mean_phone_errors"] = float32(mean)
	line := fmt.Sprintf("on %s, %d frames ahead: frames right %.1f %%, phone errors %.1f %%", p.scoredOn(), lookAhead, 100*clean.Accuracy(), 100*clean.ErrorRate())
	if len(told) > 0 {
		line += "; phone errors with " + strings.Join(told, ", ")
	}
	return &run.Scored{Metrics: metrics, Sum: mean, Line: line}, nil
}

func (p *pupil) scoredOn() string {
	if p.speech.seen() {
		return "speakers seen in training"
	}
	return "other speakers"
}

// Report scores the network that is handed over under each condition, with and without look-ahead, and the one that it is compared
// with, tells it, and writes scores.txt.
func (p *pupil) Report(context.Context) (*run.Report, error) {
	var text strings.Builder
	if err := p.scoreAll(&text, fmt.Sprintf("step %d", p.madeWith), p.made, p.req.Config); err != nil {
		return nil, err
	}
	if o := p.other; o != nil {
		other, err := o.engine(p.engine)
		if err != nil {
			return nil, err
		}
		if err := p.scoreAll(&text, o.name, other, o.config); err != nil {
			return nil, err
		}
	}
	if !p.r.Quiet {
		if _, err := p.r.Say.Write([]byte(text.String())); err != nil {
			return nil, err
		}
	}
	if err := p.r.WriteText("scores.txt", strings.NewReader(text.String())); err != nil {
		return nil, err
	}
	c, f := p.req.Config, p.req.Config.Features
	report := &run.Report{
		Scores: run.Scores{
			About: fmt.Sprintf("Shares of frames and of phones, of %s, with %d frames of look-ahead; the row in bold is the snapshot with the fewest phone errors, the mean of clean and disturbed speech.",
				p.scoredOn(), c.GAN.StemFuture),
			Columns: []run.Score{
				{Head: "phone errors", Metric: "valid_phone_errors"}, {Head: "frames right", Metric: "valid_frames_right"},
				{Head: "errors in noise", Metric: "valid_noise15_phone_errors"}, {Head: "in babble", Metric: "valid_babble15_phone_errors"},
				{Head: "in a room", Metric: "valid_room06_phone_errors"}, {Head: "mean errors", Metric: "valid_mean_phone_errors"},
			},
			Text: text.String(),
		},
		Use: "vc train " + p.r.Names.Of("phones") + " %s " + p.r.Names.Of("preset", c.Preset),
	}
	frames := make([]int, len(p.speech.speakers))
	for _, u := range p.speech.train {
		frames[u.speaker] += u.frames.Len()
	}
	for i, s := range p.speech.speakers {
		if frames[i] > 0 {
			report.Voices = append(report.Voices, run.Voice{Name: s.Name, Seconds: float64(frames[i]*f.Hop) / float64(f.SampleRate)})
		}
	}
	return report, nil
}

// scoreAll writes the scores of a network on all that is held out, under each condition, with and without look-ahead.
func (p *pupil) scoreAll(text *strings.Builder, name string, e *engine, c Config) error {
	for _, k := range phoneConditions() {
		us := under(p.req.Config, p.speech, p.speech.score, k)
		if len(us) == 0 && k.metric != "" {
			continue
		}
		where := p.scoredOn()
		if k.metric != "" {
			where += " in " + k.name
		}
		for _, lookAhead := range slices.Compact([]int{0, c.GAN.StemFuture}) {
			scores, err := e.scoreUtterances(c, len(p.speech.speakers), us, lookAhead)
			if err != nil {
				return err
			}
			fmt.Fprintf(text, "%s, on %s, %d frames ahead\n", name, where, lookAhead)
			if err := writeScores(text, "speaker", groupScores(p.speech.speakers, scores)); err != nil {
				return err
			}
		}
	}
	return nil
}
