package train

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/starvc/vc/internal/corpus"
)

// PhoneScore counts how well phones are recognised.
type PhoneScore struct {
	Frames, Right int // labelled frames, and those whose most probable phone is the label
	Spoken, Wrong int // phones without silence, and substitutions, insertions and deletions among them
}

// Accuracy is the share of frames that are right, NaN without any.
func (s PhoneScore) Accuracy() float64 { return float64(s.Right) / float64(s.Frames) }

// ErrorRate is the phone error rate, NaN without phones. It can pass 1.
func (s PhoneScore) ErrorRate() float64 { return float64(s.Wrong) / float64(s.Spoken) }

func (s *PhoneScore) add(o PhoneScore) {
	s.Frames += o.Frames
	s.Right += o.Right
	s.Spoken += o.Spoken
	s.Wrong += o.Wrong
}

// scorePhones scores the averaged network on the utterances set aside, per speaker.
func (e *engine) scorePhones(c PhoneConfig, speech *phoneSpeech, lookAhead int) ([]PhoneScore, error) {
	scores := make([]PhoneScore, len(speech.speakers))
	err := e.readPhones(c, speech.score, lookAhead, func(i int, logProbability, _ []float32) {
		u := speech.score[i]
		s := &scores[u.speaker]
		for t, p := range u.phones {
			if p == corpus.NoPhone {
				continue
			}
			s.Frames++
			if mostProbable(logProbability[t*corpus.PhoneCount:(t+1)*corpus.PhoneCount]) == p {
				s.Right++
			}
		}
		s.Spoken += len(u.spoken)
		s.Wrong += editDistance(u.spoken, decodePhones(logProbability))
	})
	return scores, err
}

func mostProbable(p []float32) uint8 {
	best := 0
	for i, v := range p {
		if v > p[best] {
			best = i
		}
	}
	return uint8(best)
}

// changePenalty is what a change of phone costs in decoding, as the negative logarithm of its probability: it keeps
// single frames from becoming phones.
const changePenalty = 3

// decodePhones is the most probable sequence of phones where every change costs changePenalty (Viterbi), without silence.
// logProbability is [frames, phones].
func decodePhones(logProbability []float32) []uint8 {
	k := corpus.PhoneCount
	n := len(logProbability) / k
	if n == 0 {
		return nil
	}
	score := append([]float32(nil), logProbability[:k]...)
	from := make([]uint8, n*k) // the phone of the frame before
	for t := 1; t < n; t++ {
		best := mostProbable(score)
		change := score[best] - changePenalty
		for p := range k {
			from[t*k+p] = uint8(p)
			if change > score[p] {
				from[t*k+p], score[p] = best, change
			}
			score[p] += logProbability[t*k+p]
		}
	}
	path := make([]uint8, n)
	path[n-1] = mostProbable(score)
	for t := n - 1; t > 0; t-- {
		path[t-1] = from[t*k+int(path[t])]
	}
	var phones []uint8
	for t, p := range path {
		if p != corpus.Silence && (t == 0 || path[t-1] != p) {
			phones = append(phones, p)
		}
	}
	return phones
}

// editDistance is the fewest substitutions, insertions and deletions that turn a into b (Levenshtein 1966).
func editDistance(a, b []uint8) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j, y := range b {
			substitution := diagonal
			if x != y {
				substitution++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitution, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// scoreGroup is a line of the report: a speaker, a part of the labels folder, or all.
type scoreGroup struct {
	name  string
	score PhoneScore
}

// groupScores are the scores per speaker, then per part where there is more than one, then of all.
func groupScores(speakers []phoneSpeaker, scores []PhoneScore) []scoreGroup {
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
