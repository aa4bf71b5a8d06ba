package eval

import "math"

// variances are those of each mel-cepstral coefficient over a recording's frames that are no silence, [Order]: its global
// variance (Toda and Tokuda, "A speech parameter generation algorithm considering global variance for HMM-based speech
// synthesis", 2007). Networks that average over what might have been said make speech of too little.
func (u *Utterance) variances() []float64 {
	order := u.cfg.Order
	sums, squares := make([]float64, order), make([]float64, order)
	for _, t := range u.active {
		for d, c := range u.at(t) {
			sums[d] += c
			squares[d] += c * c
		}
	}
	n := float64(len(u.active))
	for d, sum := range sums {
		squares[d] = squares[d]/n - sum/n*sum/n
	}
	return squares
}

// globalVariance is how much more the spectrum of test moves than those of recordings do, in dB, mean over coefficients:
// 0 for as much, below 0 for dull speech. NaN where there are no recordings.
func globalVariance(test *Utterance, recordings []*Utterance) float64 {
	want := make([]float64, test.cfg.Order)
	for _, r := range recordings {
		for d, v := range r.variances() {
			want[d] += v / float64(len(recordings))
		}
	}
	var sum float64
	for d, v := range test.variances() {
		sum += 10 * math.Log10(v/want[d])
	}
	if math.IsInf(sum, 0) {
		return math.NaN()
	}
	return sum / float64(len(want))
}

// variance compares a recording with those that stand for a voice.
func (s *suite) variance(h *hearing, files []string) float64 {
	var all []*Utterance
	for _, f := range files {
		if own := s.heard[f]; own != nil && own != h {
			all = append(all, own.utterance)
		}
	}
	if len(all) == 0 {
		return math.NaN()
	}
	return globalVariance(h.utterance, all)
}
