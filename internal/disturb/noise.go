package disturb

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/starvc/vc/audio"
	"gonum.org/v1/gonum/dsp/fourier"
)

// addNoise adds stationary noise that has the long-term spectrum of the speech in x, snr dB below its active level.
func addNoise(x []float32, rate int, snr float64, _ Options, random *rand.Rand) ([]float32, error) {
	return mix(x, rate, speechShaped(x, rate, random), snr), nil
}

// mix adds noise to x so that the noise's mean power is snr dB below the active speech level of x.
func mix(x []float32, rate int, noise []float32, snr float64) []float32 {
	gain := ActiveLevel(x, rate) * fromDB(-snr) / math.Sqrt(power(noise))
	for i, v := range noise {
		x[i] += float32(gain * float64(v))
	}
	return x
}

// speechShaped is as long as x: Gaussian noise whose spectrum is the mean of those of the frames of x that hold speech.
func speechShaped(x []float32, rate int, random *rand.Rand) []float32 {
	n := 1 << bitsFor(rate/32) // frames of 32 ms or a little more
	plan := fourier.NewFFT(n)
	frame := make([]float64, n)
	spectrum := make([]float64, n/2+1) // power
	least := ActiveLevel(x, rate) * fromDB(-marginDB)
	for at := 0; at == 0 || at+n <= len(x); at += n / 2 {
		piece := x[at:min(at+n, len(x))]
		if math.Sqrt(power(piece)) < least {
			continue
		}
		clear(frame)
		for i, v := range piece {
			frame[i] = float64(v) * (0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(n)))
		}
		for k, c := range plan.Coefficients(nil, frame) {
			spectrum[k] += real(c)*real(c) + imag(c)*imag(c)
		}
	}
	long := 1 << bitsFor(len(x))
	white := make([]float64, long)
	for i := range white {
		white[i] = random.NormFloat64()
	}
	plan = fourier.NewFFT(long)
	coefficients := plan.Coefficients(nil, white)
	for k := range coefficients {
		at := float64(k) * float64(n) / float64(long)
		below := min(int(at), n/2-1)
		part := at - float64(below)
		coefficients[k] *= complex(math.Sqrt(spectrum[below]*(1-part)+spectrum[below+1]*part), 0)
	}
	return narrow(plan.Sequence(nil, coefficients), len(x))
}

// Of the people who talk at once. Fewer than four can be understood.
const (
	FewestTalkers = 4
	mostTalkers   = 6
)

// addBabble adds 4 to 6 of the other recordings, each at the same active level and begun anywhere, together snr dB below that of x.
func addBabble(x []float32, rate int, snr float64, o Options, random *rand.Rand) ([]float32, error) {
	if len(o.Others) < FewestTalkers {
		return nil, fmt.Errorf("babble is made of at least %d other recordings, of other words, and there are %d: give more sources, or leave babble out",
			FewestTalkers, len(o.Others))
	}
	talkers := FewestTalkers + random.IntN(mostTalkers-FewestTalkers+1)
	babble := make([]float32, len(x))
	for _, i := range random.Perm(len(o.Others))[:min(talkers, len(o.Others))] {
		clip, err := audio.ReadFile(o.Others[i])
		if err != nil {
			return nil, err
		}
		y := audio.Resample(clip.Samples, clip.Rate, rate)
		level := ActiveLevel(y, rate)
		if !(level > 0) {
			return nil, fmt.Errorf("%s is silent: take it out of the sources, or leave babble out", o.Others[i])
		}
		from := random.IntN(len(y))
		for k := range babble {
			babble[k] += float32(float64(y[(from+k)%len(y)]) / level)
		}
	}
	return mix(x, rate, babble, snr), nil
}

// bitsFor is the least b with 1<<b >= n.
func bitsFor(n int) int {
	b := 1
	for 1<<b < n {
		b++
	}
	return b
}

// narrow is the first n samples as float32.
func narrow(x []float64, n int) []float32 {
	y := make([]float32, n)
	for i := range y {
		y[i] = float32(x[i])
	}
	return y
}
