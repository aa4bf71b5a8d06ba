package train

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/phones"
)

// Score counts how well phones are recognised.
type Score struct {
	Frames, Right int // labelled frames, and those whose most probable phone is the label
	Spoken, Wrong int // phones without silence, and substitutions, insertions and deletions among them
}

// Accuracy is the share of frames that are right, NaN without any.
func (s Score) Accuracy() float64 { return float64(s.Right) / float64(s.Frames) }

// ErrorRate is the phone error rate, NaN without phones. It can pass 1.
func (s Score) ErrorRate() float64 { return float64(s.Wrong) / float64(s.Spoken) }

func (s *Score) add(o Score) {
	s.Frames += o.Frames
	s.Right += o.Right
	s.Spoken += o.Spoken
	s.Wrong += o.Wrong
}

// scorePhones scores the averaged network on the utterances set aside, per speaker.
func (e *engine) scorePhones(c Config, speech *phoneSpeech, lookAhead int) ([]Score, error) {
	return e.scoreUtterances(c, len(speech.speakers), speech.score, lookAhead)
}

func (e *engine) scoreUtterances(c Config, speakers int, us []labelled, lookAhead int) ([]Score, error) {
	scores := make([]Score, speakers)
	err := e.readPhones(c, us, lookAhead, func(i int, logProbability, _ []float32) {
		u := us[i]
		s := &scores[u.speaker]
		for t, p := range u.phones {
			if p == corpus.NoPhone {
				continue
			}
			s.Frames++
			if phones.MostProbable(logProbability[t*corpus.PhoneCount:(t+1)*corpus.PhoneCount]) == p {
				s.Right++
			}
		}
		s.Spoken += len(u.spoken)
		s.Wrong += phones.Distance(u.spoken, phones.Decode(logProbability))
	})
	return scores, err
}

// scoreGroup is a line of the report: a speaker, a part of the labels folder, or all.
type scoreGroup struct {
	name  string
	score Score
}

// groupScores are the scores per speaker, then per part where there is more than one, then of all.
func groupScores(speakers []phoneSpeaker, scores []Score) []scoreGroup {
	var groups, parts []scoreGroup
	all := scoreGroup{name: "all"}
	for i, s := range speakers {
		if scores[i].Frames == 0 {
			continue
		}
		groups = append(groups, scoreGroup{s.Name, scores[i]})
		all.score.add(scores[i])
		if s.Part == "" {
			continue
		}
		j := 0
		for j < len(parts) && parts[j].name != s.Part {
			j++
		}
		if j == len(parts) {
			parts = append(parts, scoreGroup{name: s.Part})
		}
		parts[j].score.add(scores[i])
	}
	if len(parts) > 1 {
		groups = append(groups, parts...)
	}
	return append(groups, all)
}

// writeScores prints a table.
func writeScores(w io.Writer, title string, groups []scoreGroup) error {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "%s\tframes\tright\tphones\terrors\t\n", title)
	for _, g := range groups {
		fmt.Fprintf(table, "%s\t%d\t%.1f %%\t%d\t%.1f %%\t\n", g.name, g.score.Frames, 100*g.score.Accuracy(), g.score.Spoken, 100*g.score.ErrorRate())
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, b.String())
	return err
}
