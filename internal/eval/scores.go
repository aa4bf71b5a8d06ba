package eval

import (
	"encoding/json"
	"math"
)

// PhoneErrors counts substitutions, insertions and deletions against the phones that were spoken.
type PhoneErrors struct{ Wrong, Spoken int }

// Rate is the phone error rate, NaN where nothing is known. It can pass 1.
func (e PhoneErrors) Rate() float64 { return float64(e.Wrong) / float64(e.Spoken) }

// Melody is how F0 that was asked for compares with F0 that is heard.
type Melody struct {
	Correlation float64 // of log-F0 where both are voiced
	OffCents    float64 // root mean square difference there
	Voicing     float64 // share of the frames of speech of which one is voiced and one is not
	// Shares of the frames voiced in both that lie more than half an octave above, and below, what was asked for.
	OctaveUp, OctaveDown float64
	// Slope is how many semitones the output moves where the source moves by one; only of a voice converted to itself.
	Slope float64
}

// Scores are what is measured of one recording. What could not be measured is NaN.
type Scores struct {
	ToTarget, ToSource float64     // similarity by the judge, -1 to 1
	Source             PhoneErrors // against the phones that are heard in the source
	Labels             PhoneErrors // against the phones that were spoken
	Before             PhoneErrors // the source against the phones that were spoken
	Melody             Melody
	MCD                float64 // dB, against the target's own recording of the same words
	Variance           float64 // dB, global variance against that of the target's recordings
}

func noMelody() Melody {
	nan := math.NaN()
	return Melody{nan, nan, nan, nan, nan, nan}
}

func noScores() Scores {
	nan := math.NaN()
	return Scores{ToTarget: nan, ToSource: nan, Melody: noMelody(), MCD: nan, Variance: nan}
}

// MarshalJSON writes what is not known as null.
func (s Scores) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		ToTarget     number `json:"similarityToTarget"`
		ToSource     number `json:"similarityToSource"`
		Source       number `json:"phoneErrorsToSource"`
		Labels       number `json:"phoneErrorsToLabels"`
		Before       number `json:"sourcePhoneErrorsToLabels"`
		Correlation  number `json:"logF0Correlation"`
		OffCents     number `json:"f0OffCents"`
		VoicingError number `json:"voicingError"`
		OctaveUp     number `json:"octaveErrorsUp"`
		OctaveDown   number `json:"octaveErrorsDown"`
		Slope        number `json:"melodySlope"`
		MCD          number `json:"mcdDB"`
		Variance     number `json:"globalVarianceDB"`
	}{number(s.ToTarget), number(s.ToSource), number(s.Source.Rate()), number(s.Labels.Rate()), number(s.Before.Rate()),
		number(s.Melody.Correlation), number(s.Melody.OffCents), number(s.Melody.Voicing),
		number(s.Melody.OctaveUp), number(s.Melody.OctaveDown), number(s.Melody.Slope), number(s.MCD), number(s.Variance)})
}

// ClipScores is one conversion with its baselines.
type ClipScores struct {
	Source    string  `json:"source"`
	Target    string  `json:"target"`
	Utterance string  `json:"utterance"`
	Seconds   float64 `json:"seconds"`
	SameWords bool    `json:"sameWords"` // the target's recording says the same
	Health    Health  `json:"health"`
	Converted Scores  `json:"converted"`
	Copied    Scores  `json:"sourceCopied"`
	True      Scores  `json:"trueTarget"`
	Vocoded   Scores  `json:"vocodedTarget"`
}

// Summary is what a number of recordings come to. Phone error rates are of all phones together.
type Summary struct {
	Clips     int      `json:"clips"`
	ToTarget  Interval `json:"similarityToTarget"`
	ToSource  Interval `json:"similarityToSource"`
	Margin    Interval `json:"margin"` // the first less the second, clip by clip
	Source    Interval `json:"phoneErrorsToSource"`
	Labels    Interval `json:"phoneErrorsToLabels"`
	Before    Interval `json:"sourcePhoneErrorsToLabels"`
	Added     Interval `json:"phoneErrorsAdded"` // Labels less Before, on the same clips
	Melody    Interval `json:"logF0Correlation"`
	OffCents  Interval `json:"f0OffCents"`
	Voicing   Interval `json:"voicingError"`
	Up        Interval `json:"octaveErrorsUp"`
	Down      Interval `json:"octaveErrorsDown"`
	Slope     Interval `json:"melodySlope"`
	MCD       Interval `json:"mcdDB"`
	MCDBefore Interval `json:"sourceMCDdB"` // of the unconverted source, on the same clips
	Variance  Interval `json:"globalVarianceDB"`
}

// summarize sums up one of the four recordings of each clip. Intervals come from drawing whole pairs of speakers where
// there are several, since clips of one pair are alike.
func summarize(clips []ClipScores, pick func(ClipScores) Scores) Summary {
	groups := make([]int, len(clips))
	numbers := map[[2]string]int{}
	for i, c := range clips {
		key := [2]string{c.Source, c.Target}
		if _, ok := numbers[key]; !ok {
			numbers[key] = len(numbers)
		}
		groups[i] = numbers[key]
	}
	sum := func(value func(Scores, ClipScores) (v, weight float64)) Interval {
		values, weights := make([]float64, len(clips)), make([]float64, len(clips))
		for i, c := range clips {
			values[i], weights[i] = value(pick(c), c)
		}
		return BootstrapGroups(values, weights, groups)
	}
	plain := func(value func(Scores) float64) Interval {
		return sum(func(s Scores, _ ClipScores) (float64, float64) { return value(s), 1 })
	}
	rate := func(value func(Scores) PhoneErrors) Interval {
		return sum(func(s Scores, _ ClipScores) (float64, float64) {
			e := value(s)
			return e.Rate(), float64(e.Spoken)
		})
	}
	return Summary{
		Clips:    len(clips),
		ToTarget: plain(func(s Scores) float64 { return s.ToTarget }),
		ToSource: plain(func(s Scores) float64 { return s.ToSource }),
		Margin:   plain(func(s Scores) float64 { return s.ToTarget - s.ToSource }),
		Source:   rate(func(s Scores) PhoneErrors { return s.Source }),
		Labels:   rate(func(s Scores) PhoneErrors { return s.Labels }),
		Before:   rate(func(s Scores) PhoneErrors { return s.Before }),
		Added: sum(func(s Scores, _ ClipScores) (float64, float64) {
			return s.Labels.Rate() - s.Before.Rate(), float64(s.Labels.Spoken)
		}),
		Melody:    plain(func(s Scores) float64 { return s.Melody.Correlation }),
		OffCents:  plain(func(s Scores) float64 { return s.Melody.OffCents }),
		Voicing:   plain(func(s Scores) float64 { return s.Melody.Voicing }),
		Up:        plain(func(s Scores) float64 { return s.Melody.OctaveUp }),
		Down:      plain(func(s Scores) float64 { return s.Melody.OctaveDown }),
		Slope:     plain(func(s Scores) float64 { return s.Melody.Slope }),
		MCD:       plain(func(s Scores) float64 { return s.MCD }),
		MCDBefore: sum(func(_ Scores, c ClipScores) (float64, float64) { return c.Copied.MCD, 1 }),
		Variance:  plain(func(s Scores) float64 { return s.Variance }),
	}
}
