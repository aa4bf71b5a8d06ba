package train

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/internal/run"
)

// validate scores the averaged network after so many steps on held-out speech, clean and disturbed, at the look-ahead that the
// voice model trains with, and keeps it if it is the best.
func (p *phoneTrainer) validate(book *run.Book, made int) error {
	if len(p.speech.score) == 0 {
		return nil
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
	var clean PhoneScore
	var told []string
	sum, conditions := 0.0, 0
	for i, k := range phoneConditions() {
		scores, err := p.engine.scoreUtterances(c, len(p.speech.speakers), p.heard[i], lookAhead)
		if err != nil {
			return err
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
	if err := book.AddScores(made-1, metrics); err != nil {
		return err
	}
	line := fmt.Sprintf("step %d: on %s, %d frames ahead: frames right %.1f %%, phone errors %.1f %%", made, p.scoredOn(), lookAhead, 100*clean.Accuracy(), 100*clean.ErrorRate())
	if len(told) > 0 {
		line += "; phone errors with " + strings.Join(told, ", ")
	}
	p.say.Linef("%s", line)
	p.keepBest(made, mean)
	return nil
}

func (p *phoneTrainer) scoredOn() string {
	if p.speech.seen() {
		return "speakers seen in training"
	}
	return "other speakers"
}

// keepBest saves the network if it has the fewest phone errors so far, the mean of clean and disturbed speech, at the look-ahead that
// it is used with. Phone errors and
// not frames right: they are about the words, which the network is for, while a frame is also wrong when a phone begins a frame
// later than the label says, and that hardly changes once the network learns its speakers by heart. The least counts, without the
// margin that the scores of voices get: it is no guess at what is wanted. The best one's own score flatters it a little, having
// chosen it.
func (p *phoneTrainer) keepBest(made int, errorRate float64) {
	b, elected := p.best.ElectLeast(made, errorRate)
	if !elected {
		return
	}
	if err := p.folder.kept().SaveBest(p.engine.vars, b); err != nil {
		p.unsaved.Note(p.say, made, err)
		return
	}
	p.best = b
}

// chosen is what the phone network is made of, after how many steps, and why: the best snapshot of a finished run, else the
// weights as they are.
func (p *phoneTrainer) chosen(done int) (e *engine, step int, why string) {
	switch {
	case p.o.Last || done < p.req.Config.Steps:
		return p.engine, done, "the last"
	case p.best.Step == 0:
		return p.engine, done, "the last, for none was scored"
	case p.best.Step == done:
		return p.engine, done, "the last and the best by phone errors on held-out speech"
	}
	vars, b, err := p.folder.kept().LoadBest()
	if err != nil || vars == nil {
		p.warn("the best snapshot cannot be read (%v): the phone network is that of the last step", err)
		return p.engine, done, "the last"
	}
	p.say.Linef("the phone network is that of step %d, which had the fewest phone errors on held-out speech (%.1f %%); `--resume --last` takes the last step's instead",
		b.Step, 100*b.Score)
	best := newPhoneEngine(p.req.Config, p.engine.backend, p.engine.native, vars)
	return best, b.Step, "the best by phone errors on held-out speech"
}

// report scores the network that is handed over under each condition, with and without look-ahead, and the one that it is compared
// with, tells it, and writes scores.txt and report.html.
func (p *phoneTrainer) report(e *engine, step int) error {
	var text strings.Builder
	if err := p.scoreAll(&text, fmt.Sprintf("step %d", step), e, p.req.Config); err != nil {
		return err
	}
	if o := p.other; o != nil {
		other, err := o.engine(p.engine)
		if err != nil {
			return err
		}
		if err := p.scoreAll(&text, o.name, other, o.config); err != nil {
			return err
		}
	}
	if !p.o.Quiet {
		if _, err := p.say.Write([]byte(text.String())); err != nil {
			return err
		}
	}
	err := audio.WriteAtomic(p.folder.path("scores.txt"), func(w io.Writer) error {
		_, err := io.WriteString(w, text.String())
		return err
	})
	if err != nil {
		return err
	}
	return p.page(text.String(), step).Write(p.folder.dir)
}

// page is report.html, with the scores of the network that is handed over, of that step.
func (p *phoneTrainer) page(scores string, step int) run.Page {
	c, f := p.req.Config, p.req.Config.Features
	page := run.Page{
		Title: p.folder.name(), Program: p.o.Version, Device: p.device.String(), Preset: c.Preset, Steps: c.Steps, Of: c.Steps, Batch: c.Batch,
		Scores: run.Scores{
			About: fmt.Sprintf("Shares of frames and of phones, of %s, with %d frames of look-ahead; the row in bold is the snapshot with the fewest phone errors, the mean of clean and disturbed speech.",
				p.scoredOn(), c.GAN.StemFuture),
			Columns: []run.Score{
				{Head: "phone errors", Metric: "valid_phone_errors"}, {Head: "frames right", Metric: "valid_frames_right"},
				{Head: "errors in noise", Metric: "valid_noise15_phone_errors"}, {Head: "in babble", Metric: "valid_babble15_phone_errors"},
				{Head: "in a room", Metric: "valid_room06_phone_errors"}, {Head: "mean errors", Metric: "valid_mean_phone_errors"},
			},
			Best: p.best.Step,
			Text: scores,
		},
	}
	frames := make([]int, len(p.speech.speakers))
	for _, u := range p.speech.train {
		frames[u.speaker] += u.frames.Len()
	}
	for i, s := range p.speech.speakers {
		if frames[i] > 0 {
			page.Voices = append(page.Voices, run.Voice{Name: s.Name, Seconds: float64(frames[i]*f.Hop) / float64(f.SampleRate)})
		}
	}
	return page
}

// scoreAll writes the scores of a network on all that is held out, under each condition, with and without look-ahead.
func (p *phoneTrainer) scoreAll(text *strings.Builder, name string, e *engine, c PhoneConfig) error {
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
