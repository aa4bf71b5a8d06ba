// Package anonymize chooses pseudo-speakers for speech whose speakers are not to be known, and says how well that hides them.
//
// A pseudo-speaker is a voice of nobody. Those that are chosen lie far from the speaker and from each other, by the embeddings of
// package judge. How well speakers are hidden is measured as in the VoicePrivacy challenges (Tomashenko et al. 2020): by the equal
// error rate of an attacker who verifies speakers. 50 % is guessing, 0 % is always right.
package anonymize

import (
	"math"

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

// Verify is the attack of one who has recordings of each speaker, enrol, and asks of each recording in trials who of these speaks.
// Both hold embeddings by speaker, in the same order; nil ones do not count. Rate is NaN where there are no trials of both kinds.
func Verify(enrol, trials [][][]float32) Attack {
	var same, different []float64
	for i, recordings := range enrol {
		voice := judge.Enrol(heard(recordings))
		if voice == nil {
			continue
		}
		for k, tests := range trials {
			for _, test := range heard(tests) {
				if s := judge.Similarity(voice, test); i == k {
					same = append(same, s)
				} else {
					different = append(different, s)
				}
			}
		}
	}
	rate, _ := judge.EqualErrorRate(same, different)
	return Attack{Rate: rate, Same: len(same), Different: len(different)}
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
