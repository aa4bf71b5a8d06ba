package eval

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/starvc/vc/internal/disturb"
)

// Report is what Suite found.
type Report struct {
	Model      string       `json:"model"`
	Vocoder    string       `json:"vocoder"`
	Judge      string       `json:"judge"`  // what is known of it, "" without
	Phones     string       `json:"phones"` // likewise
	Conditions []Condition  `json:"conditions"`
	Groups     []Condition  `json:"groups"`              // of the conversions
	Own        []Condition  `json:"own"`                 // voices converted to themselves, one by one and then together
	Disturbed  []Disturbed  `json:"disturbed,omitempty"` // the clean sources first
	Pairs      []PairScores `json:"pairs"`               // the worst first
	Worst      string       `json:"worst"`               // the pair of least margin, "" where similarity is not known
	WorstWords string       `json:"worstWords"`          // the pair that adds most phone errors
	// Of the pairs whose similarities are known, those whose mean similarity to the target is above that to the source;
	// and of the clips.
	PairsNearer, PairsKnown int
	ClipsNearer, ClipsKnown int
	Speed                   Speed          `json:"speed"`
	Faults                  []string       `json:"faults"` // clips that clip, are silent, or hold what is no number
	Random                  []RandomScores `json:"random,omitempty"`
	Notes                   []string       `json:"notes"` // how the scores were made
	Clips                   []ClipScores   `json:"clips"`
	OwnClips                []ClipScores   `json:"ownClips"`

	conversions int // looked at for faults
	examples    []example
}

// Condition is a set of recordings summed up.
type Condition struct {
	Name string `json:"name"`
	Summary
}

// PairScores are the conversions from one speaker to another.
type PairScores struct {
	From string `json:"from"`
	To   string `json:"to"`
	Sex  string `json:"sex"`  // "same", "cross", or ""
	Seen bool   `json:"seen"` // the model was trained on the source's voice
	Summary
	True Interval `json:"trueTargetSimilarity"` // of the target's own recordings to its others
}

func (p PairScores) name() string { return p.From + " -> " + p.To }

func sexOf(a, b Speaker) string {
	switch {
	case a.Sex == "" || b.Sex == "":
		return ""
	case a.Sex == b.Sex:
		return "same"
	}
	return "cross"
}

// report sums up all clips.
func (s *suite) report() *Report {
	r := &Report{Model: s.o.Model, Vocoder: s.o.Vocoder, Clips: s.clips, OwnClips: s.ownClips, Notes: s.notes()}
	if s.o.Judge != nil {
		t := s.o.Judge.Trained()
		r.Judge = fmt.Sprintf("%d speakers, equal error rate %.1f %% on %d others", len(t.Speakers), 100*t.EnrolledEER, len(t.HeldOut))
	}
	if s.o.Phones != nil {
		r.Phones = s.o.Phones.Describe()
	}
	converted := func(c ClipScores) Scores { return c.Converted }
	for _, c := range []struct {
		name string
		pick func(ClipScores) Scores
	}{
		{"converted", converted},
		{"source copied", func(c ClipScores) Scores { return c.Copied }},
		{"true target", func(c ClipScores) Scores { return c.True }},
		{"target through the vocoder", func(c ClipScores) Scores { return c.Vocoded }},
	} {
		r.Conditions = append(r.Conditions, Condition{c.name, summarize(s.clips, c.pick)})
	}
	of := func(keep func(t task) bool) []ClipScores {
		var some []ClipScores
		for i, t := range s.tasks {
			if keep(t) {
				some = append(some, s.clips[i])
			}
		}
		return some
	}
	for _, g := range []struct {
		name string
		keep func(t task) bool
	}{
		{"same sex", func(t task) bool { return sexOf(t.source, t.target) == "same" }},
		{"cross sex", func(t task) bool { return sexOf(t.source, t.target) == "cross" }},
		{"seen sources", func(t task) bool { return t.source.Seen }},
		{"unseen sources", func(t task) bool { return !t.source.Seen }},
	} {
		if some := of(g.keep); len(some) > 0 {
			r.Groups = append(r.Groups, Condition{g.name, summarize(some, converted)})
		}
	}
	for i, t := range s.tasks {
		if i > 0 && s.tasks[i-1].source.Name == t.source.Name && s.tasks[i-1].target.Name == t.target.Name {
			continue
		}
		own := of(func(o task) bool { return o.source.Name == t.source.Name && o.target.Name == t.target.Name })
		r.Pairs = append(r.Pairs, PairScores{From: t.source.Name, To: t.target.Name, Sex: sexOf(t.source, t.target), Seen: t.source.Seen,
			Summary: summarize(own, converted), True: summarize(own, func(c ClipScores) Scores { return c.True }).ToTarget})
	}
	r.rank()
	for _, c := range s.clips {
		if m := c.Converted.ToTarget - c.Converted.ToSource; !math.IsNaN(m) {
			r.ClipsKnown++
			if m > 0 {
				r.ClipsNearer++
			}
		}
	}
	r.addFaults("", s.tasks, s.clips)
	r.addFaults("", s.own, s.ownClips)
	r.Own = ownVoices(s.ownClips)
	if len(s.o.Disturb) > 0 {
		clean := newDisturbed(disturb.Clean, s.clips)
		clean.Clips = nil
		r.Disturbed = append(r.Disturbed, clean)
	}
	return r
}

// addFaults lists the conversions that are not sound. name is the condition of their sources, as a prefix.
func (r *Report) addFaults(name string, tasks []task, clips []ClipScores) {
	for i, c := range clips {
		r.conversions++
		if h := c.Health; h.NotFinite > 0 || h.Clipped > 0 || h.Silent {
			r.Faults = append(r.Faults, fmt.Sprintf("%s%s to %s: %s", name, tasks[i].path, c.Target, h))
		}
	}
}

// ownVoices sums up conversions of voices to themselves.
func ownVoices(clips []ClipScores) []Condition {
	pick := func(c ClipScores) Scores { return c.Converted }
	var all []Condition
	for from := 0; from < len(clips); {
		to := from + 1
		for to < len(clips) && clips[to].Source == clips[from].Source {
			to++
		}
		all = append(all, Condition{clips[from].Source, summarize(clips[from:to], pick)})
		from = to
	}
	if len(all) > 1 {
		all = append(all, Condition{"all", summarize(clips, pick)})
	}
	return all
}

// String says what is wrong.
func (h Health) String() string {
	var parts []string
	if h.NotFinite > 0 {
		parts = append(parts, fmt.Sprintf("%d samples that are no numbers", h.NotFinite))
	}
	if h.Clipped > 0 {
		parts = append(parts, fmt.Sprintf("%d samples clipped", h.Clipped))
	}
	if h.Silent {
		parts = append(parts, "silent where the source speaks")
	}
	return strings.Join(parts, ", ")
}

// rank sorts the pairs, the least margin first, and finds the worst.
func (r *Report) rank() {
	slices.SortStableFunc(r.Pairs, func(a, b PairScores) int {
		x, y := a.Margin.Mean, b.Margin.Mean
		switch {
		case x < y || math.IsNaN(y) && !math.IsNaN(x):
			return -1
		case y < x || math.IsNaN(x) && !math.IsNaN(y):
			return 1
		}
		return 0
	})
	added := math.Inf(-1)
	for _, p := range r.Pairs {
		if !math.IsNaN(p.Margin.Mean) {
			r.PairsKnown++
			if p.Margin.Mean > 0 {
				r.PairsNearer++
			}
		}
		if p.addedErrors() > added {
			added, r.WorstWords = p.addedErrors(), p.name()
		}
	}
	if r.PairsKnown > 0 {
		r.Worst = r.Pairs[0].name()
	}
}

// addedErrors is by how much the conversion raises the phone error rate, against labels where there are some.
func (s Summary) addedErrors() float64 {
	if !math.IsNaN(s.Added.Mean) {
		return s.Added.Mean
	}
	return s.Source.Mean
}

// notes say how the scores were made.
func (s *suite) notes() []string {
	var notes []string
	if j := s.o.Judge; j != nil {
		t := j.Trained()
		part := "all of their recordings that it was given"
		if t.Part != "" {
			part = "part " + t.Part + " of their recordings"
		}
		var shared []string
		for _, v := range s.o.Targets {
			if slices.Contains(t.Speakers, v.Name) {
				shared = append(shared, v.Name)
			}
		}
		own := "None of the voices here is among them."
		if len(shared) > 0 {
			own = "Of the voices that are converted to, it learnt " + strings.Join(shared, ", ") + "."
		}
		notes = append(notes, fmt.Sprintf("Similarity is the cosine of embeddings by a judge that took no part in training the model. It was trained on %s of %s. %s "+
			"On %s, whom it never heard, its equal error rate is %.1f %% for two recordings and %.1f %% for a recording against a voice, at similarity %.2f. "+
			"Voices are enrolled by up to %d recordings that say other words than what is compared.",
			part, strings.Join(t.Speakers, ", "), own, strings.Join(t.HeldOut, ", "), 100*t.PairEER, 100*t.EnrolledEER, t.Threshold, mostEnrolled))
	} else {
		notes = append(notes, "No judge of similarity was given.")
	}
	if s.o.Phones != nil {
		notes = append(notes, "Phone errors are counted by a phone network ("+s.o.Phones.Describe()+"). It is of the kind that training uses to keep the words, "+
			"perhaps the very one, so a model may please it more than it pleases listeners. \"To source\" compares what it hears in the conversion with what it hears in the "+
			"source; \"to labels\" with the phones that were spoken.")
	} else {
		notes = append(notes, "No phone network was given.")
	}
	notes = append(notes,
		"F0 is compared with the F0 that was asked of the vocoder, frame by frame; octave errors are frames, voiced in both, that are off by more than half an octave. "+
			"What the tracker gets wrong in the source is asked for, and so not seen here.",
		fmt.Sprintf("MCD: %d mel-cepstra, level equalised, silence left out, aligned by dynamic time warping, only where the target says the same words.", s.o.Config.Order),
		"Global variance: how much more the spectrum moves within a recording than in the target's own (same mel-cepstra, mean over them); below 0 is dull.",
		"Brackets hold 95 % bootstrap intervals, drawn by whole pairs of speakers where there are several.")
	if len(s.own) > 0 {
		notes = append(notes, "Melody slope: semitones out per semitone in, where a voice is converted to itself: the median over pairs of frames, voiced in both, between which the source moves by a semitone or more.")
	}
	if len(s.o.Disturb) > 0 {
		notes = append(notes, "Disturbed sources: the words, the melody that was asked for and the voices are those of the clean recordings; for listening, "+
			"everything is brought to the clean recording's active level.")
	}
	if s.o.Vocoder != "" {
		notes = append(notes, "Target through the vocoder: its own frames and pitch through the vocoder \""+s.o.Vocoder+"\", what the vocoder alone takes off.")
	}
	return notes
}

// WriteJSON writes all of the report but the examples; a score that could not be had is null.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("writing scores: %w", err)
	}
	return nil
}
