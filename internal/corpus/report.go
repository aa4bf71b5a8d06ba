package corpus

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
)

// Kind is a sort of fault in a recording.
type Kind string

// The faults that lead to a recording being left out come first.
const (
	Unreadable Kind = "unreadable"
	NonFinite  Kind = "broken samples"
	TooShort   Kind = "too short"
	Silent     Kind = "silent"
	Duplicate  Kind = "duplicate"
	Shared     Kind = "under two speakers"
	Converted  Kind = "converted by vc" // by its mark: nobody's own voice
	NoSpeech   Kind = "hardly speech"   // may be used all the same

	Clipped       Kind = "clipped"
	Quiet         Kind = "very quiet"
	MostlySilence Kind = "mostly silence"
	Noisy         Kind = "noisy"
	Hum           Kind = "mains hum"
	NarrowBand    Kind = "narrow band"
	Incomplete    Kind = "incomplete"
)

var kinds = []Kind{
	Unreadable, NonFinite, TooShort, Silent, Duplicate, Shared, Converted, NoSpeech,
	Clipped, Quiet, MostlySilence, Noisy, Hum, NarrowBand, Incomplete,
}

// Problem is a fault found in a recording.
type Problem struct {
	Path    string `json:"path,omitempty"`
	Kind    Kind   `json:"kind"`
	Detail  string `json:"detail"`            // plain words with values, such as "0.31 s"
	Skipped bool   `json:"skipped,omitempty"` // the recording is left out; otherwise it is used all the same
}

// SpeakerReport says what became of a speaker's recordings.
type SpeakerReport struct {
	Name     string
	Files    int     // found
	LeftOut  int     // of these
	Train    int     // utterances for training: recordings, or the pieces of long ones
	Valid    int     // held out
	Seconds  float64 // usable, training and held-out together
	F0Hz     float64 // exp(LogF0Mean); 0 when no voiced speech was found
	Problems []Problem
	Advice   []string // what to do for a better result, plain words

	Recordings []ScoredFile // that are used
	Cut        []CutFile    // of these, those that were cut into pieces
}

// CutFile is a recording that was cut at its pauses.
type CutFile struct {
	Path   string
	Pieces []Piece
}

// Piece is a part of a recording, in seconds from its beginning. One with a Fault is left out.
type Piece struct {
	From, To float64
	Fault    string
}

// Report is what Prepare found, fit to print.
type Report struct {
	Speakers []SpeakerReport
	Warnings []string // that concern no single speaker, such as a cache folder that cannot be written
	Cached   int      // recordings whose features came from the cache
	Computed int      // recordings whose features were computed
}

// namesShown is how many recordings WriteTo names for each fault of a speaker.
const namesShown = 4

// WriteTo writes the report as plain text: a line per speaker, then lines for its faults and for advice.
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	width := 0
	for _, s := range r.Speakers {
		width = max(width, len([]rune(s.Name)))
	}
	for _, s := range r.Speakers {
		length := fmt.Sprintf("%.1f min", s.Seconds/60)
		if s.Seconds < 60 {
			length = fmt.Sprintf("%.1f s", s.Seconds)
		}
		fmt.Fprintf(&b, "%-*s  %9s in %s", width, s.Name, length, count(s.Files, "file"))
		if pieces := s.pieces(); pieces > 0 {
			fmt.Fprintf(&b, ", %s cut at pauses into %s", cutFiles(len(s.Cut), s.Files), count(pieces, "piece"))
		}
		fmt.Fprintf(&b, ": %d to train, %d held out", s.Train, s.Valid)
		if s.LeftOut > 0 {
			fmt.Fprintf(&b, ", %d left out", s.LeftOut)
		}
		if s.F0Hz > 0 {
			fmt.Fprintf(&b, "; pitch %.0f Hz", s.F0Hz)
		}
		b.WriteByte('\n')
		for _, kind := range kinds {
			for _, skipped := range []bool{true, false} {
				s.writeProblems(&b, kind, skipped)
			}
		}
		s.writeScores(&b)
		for _, a := range s.Advice {
			fmt.Fprintf(&b, "  advice: %s\n", a)
		}
	}
	for _, warning := range r.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", warning)
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

func (s SpeakerReport) writeProblems(b *strings.Builder, kind Kind, skipped bool) {
	var named []string
	for _, p := range s.Problems {
		if p.Kind == kind && p.Skipped == skipped {
			named = append(named, describe(p))
		}
	}
	if len(named) == 0 {
		return
	}
	fate := "used"
	if skipped {
		fate = "left out"
	}
	fmt.Fprintf(b, "  %s, %s (%s): %s\n", kind, fate, count(len(named), "file"), someOf(named, namesShown))
}

func describe(p Problem) string { return fmt.Sprintf("%s (%s)", filepath.Base(p.Path), p.Detail) }

// The least a speaker needs, and what a good result needs.
const (
	minUtterances  = 2
	minSeconds     = 2.0
	shortSeconds   = 30.0
	enoughSeconds  = 120.0
	manyBadPercent = 20
)

const howToCut = "add recordings, or one of half a minute: `vc train` cuts it where its speaker pauses"

// fault says why a speaker cannot be trained at all, or nothing.
func (s SpeakerReport) fault() string {
	used := s.Train + s.Valid
	var why string
	var left []string
	for _, p := range s.Problems {
		if p.Skipped {
			left = append(left, fmt.Sprintf("%s: %s, %s", filepath.Base(p.Path), p.Kind, p.Detail))
		}
	}
	if len(left) > 0 {
		why = fmt.Sprintf(" (left out: %s)", someOf(left, 3))
	}
	switch {
	case used == 0:
		return fmt.Sprintf("%s: none of %s can be used%s; replace them or leave the speaker out", s.Name, count(s.Files, "recording"), why)
	case used < minUtterances:
		return fmt.Sprintf("%s: only one usable recording%s; at least %d are needed, since the voice is taken from one and tried on another, and 3 for held-out validation; %s",
			s.Name, why, minUtterances, howToCut)
	case s.Seconds < minSeconds:
		return fmt.Sprintf("%s: only %.1f s of usable speech in %s%s; at least %.0f s are needed, and %.0f s or more for a voice to be recognised; add recordings",
			s.Name, s.Seconds, count(used, "recording"), why, minSeconds, shortSeconds)
	}
	return ""
}

// advise fills in Advice.
func (s *SpeakerReport) advise(wantValid bool) {
	switch used := s.Train + s.Valid; {
	case used == 0:
		return
	case s.Valid == 0 && wantValid:
		s.Advice = append(s.Advice, fmt.Sprintf("%s are too few to hold one out, so validation goes without this speaker; %s", count(used, "recording"), howToCut))
	}
	switch {
	case s.Seconds < shortSeconds:
		s.Advice = append(s.Advice, fmt.Sprintf("%.0f s of speech is very little: expect a poor likeness; %.0f minutes or more are good", s.Seconds, enoughSeconds/60))
	case s.Seconds < enoughSeconds:
		s.Advice = append(s.Advice, fmt.Sprintf("%.1f minutes of speech is little; %.0f minutes or more are better", s.Seconds/60, enoughSeconds/60))
	}
	if s.F0Hz == 0 {
		s.Advice = append(s.Advice, "no voiced speech was found, so the pitch is a guess; check that these are recordings of speech")
	}
	bad := map[Kind]map[string]bool{}
	for _, p := range s.Problems {
		if bad[p.Kind] == nil {
			bad[p.Kind] = map[string]bool{}
		}
		bad[p.Kind][p.Path] = true
	}
	for _, a := range []struct {
		kind   Kind
		advice string
	}{
		{Clipped, "recordings are clipped, which the model will learn as part of the voice; record again with less gain"},
		{Noisy, "recordings are noisy, which the model will learn as part of the voice; record closer to the microphone or reduce the noise first"},
		{Hum, "recordings have mains hum; a high-pass filter takes it away, for example: sox in.wav out.wav highpass 75"},
		{Quiet, "recordings are very quiet; raise their level, for example: sox --norm=-3 in.wav out.wav"},
	} {
		if n := len(bad[a.kind]); n*100 >= manyBadPercent*s.Files && n > 0 {
			s.Advice = append(s.Advice, fmt.Sprintf("%d of %d %s", n, s.Files, a.advice))
		}
	}
}

// sortProblems brings problems into an order that depends on nothing but the recordings.
func sortProblems(ps []Problem) {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		if c := strings.Compare(a.Path, b.Path); c != 0 {
			return c
		}
		return slices.Index(kinds, a.Kind) - slices.Index(kinds, b.Kind)
	})
}

func pitchOf(info SpeakerInfo, voiced bool) float64 {
	if !voiced {
		return 0
	}
	return math.Exp(info.LogF0Mean)
}
