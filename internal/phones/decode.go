package phones

import "github.com/starvc/vc/internal/corpus"

// changePenalty is what a change of phone costs in decoding, as the negative logarithm of its probability: it keeps
// single frames from becoming phones.
const changePenalty = 3

// Decode is the most probable sequence of phones where every change has one fixed, small probability (Viterbi), without
// silence. logProbability is [frames, corpus.PhoneCount].
func Decode(logProbability []float32) []uint8 {
	spoken, _ := decodePath(logProbability)
	return spoken
}

// decodePath also gives how many frames have no silence.
func decodePath(logProbability []float32) (spoken []uint8, speech int) {
	k := corpus.PhoneCount
	n := len(logProbability) / k
	if n == 0 {
		return nil, 0
	}
	score := append([]float32(nil), logProbability[:k]...)
	from := make([]uint8, n*k) // the phone of the frame before
	for t := 1; t < n; t++ {
		best := MostProbable(score)
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
	path[n-1] = MostProbable(score)
	for t := n - 1; t > 0; t-- {
		path[t-1] = from[t*k+int(path[t])]
	}
	for t, p := range path {
		if p == corpus.Silence {
			continue
		}
		if speech++; t == 0 || path[t-1] != p {
			spoken = append(spoken, p)
		}
	}
	return spoken, speech
}

// MostProbable is the index of the largest of p, the first of equals.
func MostProbable(p []float32) uint8 {
	best := 0
	for i, v := range p {
		if v > p[best] {
			best = i
		}
	}
	return uint8(best)
}

// Distance is the fewest substitutions, insertions and deletions that turn a into b (Levenshtein 1966).
func Distance(a, b []uint8) int {
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
