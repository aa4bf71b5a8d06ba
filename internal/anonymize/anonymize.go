// Package anonymize chooses pseudo-speakers for speech whose speakers are not to be known, and says how well that hides them.
//
// A pseudo-speaker is a voice of nobody. Those that are chosen lie far from the speaker and from each other, by the embeddings of
// package judge. How well speakers are hidden is measured as in the VoicePrivacy challenges (Tomashenko et al. 2020): by the equal
// error rate of an attacker who verifies speakers. 50 % is guessing, 0 % is always right.
package anonymize

import (
	"math"
	"slices"

	"github.com/starvc/vc/internal/judge"
)

// Choose gives each of the sources the number of a candidate in pool: greedily, in order, the one whose greatest similarity to the
// source and to those chosen before is least. No candidate serves twice until all have served. sources and pool are embeddings of
// length 1; a source that is nil has no say. It panics if pool is empty.
func Choose(sources, pool [][]float32) []int {
	chosen := make([]int, len(sources))
	used := make([]bool, len(pool))
	nearest := make([]float64, len(pool)) // similarity to those chosen
	left := 0
	for i, source := range sources {
		if left == 0 {
			left = len(pool)
			for k := range pool {
				used[k], nearest[k] = false, math.Inf(-1)
			}
		}
		best, least := -1, math.Inf(1)
		for k, candidate := range pool {
			if used[k] {
				continue
			}
			near := nearest[k]
			if source != nil {
				near = max(near, judge.Similarity(source, candidate))
			}
			if best < 0 || near < least {
				best, least = k, near
			}
		}
		chosen[i], used[best] = best, true
		left--
		for k, candidate := range pool {
			nearest[k] = max(nearest[k], judge.Similarity(pool[best], candidate))
		}
	}
	return chosen
}

// Attack is how well an attacker tells speakers.
type Attack struct {
	Rate      float64 `json:"equalErrorRate"` // 0 to 1
	Same      int     `json:"sameTrials"`     // trials in which the speaker is who is claimed
	Different int     `json:"differentTrials"`
}

// Trials are the similarities that an attacker has found, each of a recording to a speaker who is claimed.
type Trials struct {
	Same      []float64 // where it is that speaker
	Different []float64 // where it is another
}

// Try is the attack of one who has recordings of each speaker, enrol, and asks of each recording in trials who of these speaks.
// Both hold embeddings by speaker, in the same order; nil ones do not count.
func Try(enrol, trials [][][]float32) (t Trials) {
	for i, recordings := range enrol {
		voice := judge.Enrol(heard(recordings))
		if voice == nil {
			continue
		}
		for k, tests := range trials {
			for _, test := range heard(tests) {
				if s := judge.Similarity(voice, test); i == k {
					t.Same = append(t.Same, s)
				} else {
					t.Different = append(t.Different, s)
				}
			}
		}
	}
	return t
}

// Attack says how well that went. Rate is NaN where there are no trials of both kinds.
func (t Trials) Attack() Attack {
	rate, _ := judge.EqualErrorRate(t.Same, t.Different)
	return Attack{Rate: rate, Same: len(t.Same), Different: len(t.Different)}
}

// Errors are the two ways in which an attacker who says "it is that speaker" from a threshold on is wrong, each 0 to 1.
type Errors struct {
	Threshold float64 // a similarity
	Missed    float64 // share of the trials of the same speaker below the threshold
	Accepted  float64 // share of those of others at it or above
}

// TradeOff gives the errors for each threshold that makes a difference, from where all is accepted to where all is missed: nil where
// there are no trials of both kinds.
func (t Trials) TradeOff() []Errors {
	if len(t.Same) == 0 || len(t.Different) == 0 {
		return nil
	}
	same, different := slices.Sorted(slices.Values(t.Same)), slices.Sorted(slices.Values(t.Different))
	all := slices.Compact(slices.Sorted(slices.Values(slices.Concat(same, different))))
	all = append(all, math.Nextafter(all[len(all)-1], math.Inf(1)))
	curve := make([]Errors, len(all))
	for i, at := range all {
		missed, _ := slices.BinarySearch(same, at)
		rejected, _ := slices.BinarySearch(different, at)
		curve[i] = Errors{at, float64(missed) / float64(len(same)), 1 - float64(rejected)/float64(len(different))}
	}
	return curve
}

// Spread is the mean and the greatest similarity between two of the speakers, each known by all its recordings; NaN for fewer than two.
func Spread(speakers [][][]float32) (mean, greatest float64) {
	sum, pairs := 0.0, 0
	greatest = math.Inf(-1)
	var voices [][]float32
	for _, recordings := range speakers {
		voice := judge.Enrol(heard(recordings))
		if voice == nil {
			continue
		}
		for _, other := range voices {
			s := judge.Similarity(voice, other)
			sum, greatest = sum+s, max(greatest, s)
			pairs++
		}
		voices = append(voices, voice)
	}
	if pairs == 0 {
		return math.NaN(), math.NaN()
	}
	return sum / float64(pairs), greatest
}

// heard leaves out what is too short for an embedding.
func heard(recordings [][]float32) [][]float32 {
	var all [][]float32
	for _, e := range recordings {
		if e != nil {
			all = append(all, e)
		}
	}
	return all
}
