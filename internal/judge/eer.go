package judge

import (
	"math"
	"slices"
)

// EqualErrorRate is the rate, 0 to 1, at which as many pairs of the same voice fall below the threshold as pairs of
// different voices come to or above it, and that threshold. It is NaN where one of the two lists is empty.
func EqualErrorRate(same, different []float64) (rate, threshold float64) {
	if len(same) == 0 || len(different) == 0 {
		return math.NaN(), math.NaN()
	}
	same, different = slices.Sorted(slices.Values(same)), slices.Sorted(slices.Values(different))
	// The share of the same below a threshold rises with it, the share of the different above it falls.
	gap := math.Inf(1)
	for _, at := range slices.Concat(same, different, []float64{math.Nextafter(different[len(different)-1], math.Inf(1))}) {
		below, _ := slices.BinarySearch(same, at)
		above, _ := slices.BinarySearch(different, at)
		missed := float64(below) / float64(len(same))
		accepted := 1 - float64(above)/float64(len(different))
		if d := math.Abs(missed - accepted); d < gap {
			gap, rate, threshold = d, (missed+accepted)/2, at
		}
	}
	return rate, threshold
}

// Verification is how well embeddings tell speakers apart.
type Verification struct {
	Pairs, Same                     int // pairs of recordings, and those of one speaker
	PairEER, EnrolledEER, Threshold float64
	Identified                      float64 // share of recordings that are nearest to their own speaker's others
}

// Verify scores embeddings, by speaker. Speakers with one recording count as others only.
func Verify(speakers [][][]float32) Verification {
	var same, different, own, other []float64
	var right, all float64
	for i, recordings := range speakers {
		for k, e := range recordings {
			for _, f := range recordings[k+1:] {
				same = append(same, Similarity(e, f))
			}
			for _, them := range speakers[i+1:] {
				for _, f := range them {
					different = append(different, Similarity(e, f))
				}
			}
			if len(recordings) < 2 {
				continue
			}
			rest := slices.Concat(recordings[:k], recordings[k+1:])
			mine, best := Similarity(e, Enrol(rest)), math.Inf(-1)
			own = append(own, mine)
			for m, them := range speakers {
				if m != i && len(them) > 0 {
					s := Similarity(e, Enrol(them))
					other = append(other, s)
					best = max(best, s)
				}
			}
			all++
			if mine > best {
				right++
			}
		}
	}
	v := Verification{Pairs: len(same) + len(different), Same: len(same), Identified: right / all}
	v.PairEER, _ = EqualErrorRate(same, different)
	v.EnrolledEER, v.Threshold = EqualErrorRate(own, other)
	return v
}
