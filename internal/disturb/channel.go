package disturb

import (
	"math"
	"math/rand/v2"

	"github.com/starvc/vc/audio"
)

// Of a telephone.
const (
	phoneRate  = 8000
	phoneLow   = 300.0
	phoneHigh  = 3400.0
	phoneTaps  = 255   // 32 ms
	phoneLevel = 0.07  // active level on the line, -23 dB of full scale
	mu         = 255.0 // ITU-T G.711
)

// throughPhone is x through a telephone line. The filter is of linear phase and its delay is taken off.
func throughPhone(x []float32, rate int, _ float64, _ Options, _ *rand.Rand) ([]float32, error) {
	level := ActiveLevel(x, rate)
	y := audio.Resample(x, rate, phoneRate)
	// The filter's delay is half of its length.
	padded := append(y, make([]float32, phoneTaps/2)...)
	y = convolve(padded, bandPass(phoneLow, phoneHigh, phoneRate, phoneTaps))[phoneTaps/2:]
	keepLevel(y, phoneRate, phoneLevel)
	for i, v := range y {
		y[i] = muLaw(v)
	}
	z := audio.Resample(y, phoneRate, rate)
	out := make([]float32, len(x))
	copy(out, z)
	return keepLevel(out, rate, level), nil
}

// muLaw is v, cut off at 1, rounded to a step of 8-bit mu-law.
func muLaw(v float32) float32 {
	size := math.Min(1, math.Abs(float64(v)))
	step := math.Round(127 * math.Log1p(mu*size) / math.Log1p(mu))
	return float32(math.Copysign(math.Expm1(step/127*math.Log1p(mu))/mu, float64(v)))
}

// bandPass is a filter of an odd number of taps that lets low to high Hz pass, by the window method with a Blackman window.
func bandPass(low, high, rate float64, taps int) []float64 {
	h := make([]float64, taps)
	for i := range h {
		t := float64(i - taps/2)
		ideal := 2 * (high - low) / rate
		if t != 0 {
			ideal = (math.Sin(2*math.Pi*high/rate*t) - math.Sin(2*math.Pi*low/rate*t)) / (math.Pi * t)
		}
		phase := 2 * math.Pi * float64(i) / float64(taps-1)
		h[i] = ideal * (0.42 - 0.5*math.Cos(phase) + 0.08*math.Cos(2*phase))
	}
	return h
}

// Of the codec.
const (
	codecBins  = 256 // new samples and coefficients per frame
	codecBands = 20
)

// throughCodec rounds the coefficients of a lapped transform (MDCT, Princen and Bradley 1986) to steps that put the noise snr dB
// below the sound of each band in each frame, as MP3 and AAC do when bits are short: what is less than half a step is gone. There
// is no model of hearing, and no bits are counted.
func throughCodec(x []float32, rate int, snr float64, _ Options, _ *rand.Rand) ([]float32, error) {
	level := ActiveLevel(x, rate)
	const n = codecBins
	window := make([]float64, 2*n)
	for i := range window {
		window[i] = math.Sin(math.Pi * (float64(i) + 0.5) / (2 * n))
	}
	cosines := make([]float64, 8*n) // cos(pi/(4n) j) for j mod 8n; all angles below are multiples
	for j := range cosines {
		cosines[j] = math.Cos(math.Pi / (4 * n) * float64(j))
	}
	cosine := func(i, k int) float64 { return cosines[(2*i+1+n)*(2*k+1)%(8*n)] }
	edges := codecEdges(rate)
	padded := make([]float64, (len(x)/n+3)*n) // a frame of silence before, and one or more after
	for i, v := range x {
		padded[n+i] = float64(v)
	}
	out := make([]float64, len(padded))
	coefficients := make([]float64, n)
	for at := 0; at+2*n <= len(padded); at += n {
		for k := range coefficients {
			var sum float64
			for i, w := range window {
				sum += w * padded[at+i] * cosine(i, k)
			}
			coefficients[k] = sum
		}
		for b := range len(edges) - 1 {
			band := coefficients[edges[b]:edges[b+1]]
			var energy float64
			for _, c := range band {
				energy += c * c
			}
			if size := math.Sqrt(12 * energy / float64(len(band)) * math.Pow(10, -snr/10)); size > 0 {
				for i, c := range band {
					band[i] = size * math.Round(c/size)
				}
			}
		}
		for i, w := range window {
			var sum float64
			for k, c := range coefficients {
				sum += c * cosine(i, k)
			}
			out[at+i] += 2.0 / n * w * sum
		}
	}
	return keepLevel(narrow(out[n:], len(x)), rate, level), nil
}

// codecEdges are the coefficients at which bands begin, and the last one's end: even on a scale that is linear below 1 kHz and
// logarithmic above, as hearing is.
func codecEdges(rate int) []int {
	scale := func(hz float64) float64 { return math.Log1p(hz / 700) }
	edges := []int{0}
	for b := 1; b <= codecBands; b++ {
		hz := 700 * math.Expm1(scale(float64(rate)/2)*float64(b)/codecBands)
		edges = append(edges, max(edges[b-1]+1, int(math.Round(2*hz/float64(rate)*codecBins))))
	}
	edges[codecBands] = codecBins
	return edges
}
