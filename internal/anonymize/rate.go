package anonymize

import (
	"math"

	"github.com/starvc/vc/internal/phones"
)

// CommonRate is how many phones are said in a second of speech, pauses left out, where all are to speak equally fast. 17 people who
// read say 9.0 to 15.0, 11.8 in the mean, as the phone network of this program hears them.
const CommonRate = 12.0

// LeastTempo and MostTempo bound how far speech is slowed down and hurried to CommonRate, in times its own rate: beyond, it sounds unnatural.
const (
	LeastTempo = 0.75
	MostTempo  = 4.0 / 3
)

// leastSpeech is how many seconds of speech tell a rate.
const leastSpeech = 1.0

// Rate is how many phones somebody says in a second of speech, over all of these recordings, 0 where they have too little speech to tell.
func Rate(heard []phones.Reading) float64 {
	var all phones.Reading
	for _, r := range heard {
		all.Phones = append(all.Phones, r.Phones...)
		all.Seconds += r.Seconds
	}
	if all.Seconds < leastSpeech {
		return 0
	}
	return all.Rate()
}

// Tempo is what brings that rate to CommonRate, from LeastTempo to MostTempo; 1 for a rate of 0, which nobody knows.
func Tempo(rate float64) float64 {
	if rate == 0 {
		return 1
	}
	return min(max(CommonRate/rate, LeastTempo), MostTempo)
}

// RateSpread is the mean and the standard deviation of the rates of speakers, in phones a second of speech. Those whose rate is not known, 0, do
// not count; of fewer than two that count both are NaN.
func RateSpread(rates []float64) (mean, deviation float64) {
	n := 0.0
	for _, r := range rates {
		if r != 0 {
			mean += r
			n++
		}
	}
	if n < 2 {
		return math.NaN(), math.NaN()
	}
	mean /= n
	for _, r := range rates {
		if r != 0 {
			deviation += (r - mean) * (r - mean)
		}
	}
	return mean, math.Sqrt(deviation / (n - 1))
}
