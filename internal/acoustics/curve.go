package acoustics

import (
	"math"
	"math/rand/v2"
)

// Curve is a gain over frequency: straight lines between points, in dB over the logarithm of the frequency, level
// beyond the ends.
type Curve []Point

// Point is one point of a Curve. Points stand in order of their frequency.
type Point struct{ Hz, DB float64 }

// gain is the factor at a frequency.
func (c Curve) gain(hz float64) float64 {
	return math.Exp(c.db(hz) * math.Ln10 / 20)
}

func (c Curve) db(hz float64) float64 {
	switch {
	case len(c) == 0:
		return 0
	case hz <= c[0].Hz:
		return c[0].DB
	}
	for i := 1; i < len(c); i++ {
		if hz < c[i].Hz {
			a, b := c[i-1], c[i]
			part := math.Log(hz/a.Hz) / math.Log(b.Hz/a.Hz)
			return a.DB + part*(b.DB-a.DB)
		}
	}
	return c[len(c)-1].DB
}

// bandCentres are where random curves have their points, about an octave apart.
var bandCentres = []float64{60, 125, 250, 500, 1000, 1800, 3000, 4500, 6000, 8000, 12000, 20000}

// RandomCurve wavers around a slope: slopeDB per octave, plus up to rangeDB either way at points an octave apart.
func RandomCurve(r *rand.Rand, slopeDB, rangeDB float64) Curve {
	c := make(Curve, len(bandCentres))
	for i, hz := range bandCentres {
		c[i] = Point{hz, slopeDB*math.Log2(hz/1000) + (2*r.Float64()-1)*rangeDB}
	}
	return c
}

const stopDB = -70

// Band passes what lies between two frequencies; 0 stands for no lower edge. Its edges fall by 70 dB within a sixth of
// the frequency.
func Band(lowHz, highHz float64) Curve {
	var c Curve
	if lowHz > 0 {
		c = Curve{{lowHz / 2, stopDB}, {lowHz, 0}}
	}
	return append(c, Point{highHz, 0}, Point{highHz * 7 / 6, stopDB})
}

// Telephone is the band of a line of old.
func Telephone() Curve { return Band(300, 3400) }

// Hum is that of the mains: the harmonics of 50 or 60 Hz, [samples], RMS 1.
func Hum(r *rand.Rand, rate, samples int) []float32 {
	base := 50.0
	if r.IntN(2) == 0 {
		base = 60
	}
	x := make([]float32, samples)
	var power float64
	for k := 1; k <= 8; k++ {
		size := r.Float64() / float64(k)
		power += size * size / 2
		step := 2 * math.Pi * base * float64(k) / float64(rate)
		// A rotation per sample is cheaper than a sine.
		sin, cos := math.Sincos(step)
		b, a := math.Sincos(2 * math.Pi * r.Float64())
		a, b = size*a, size*b
		for i := range x {
			x[i] += float32(a)
			a, b = a*cos-b*sin, a*sin+b*cos
		}
	}
	scale := float32(1 / math.Sqrt(power+1e-12))
	for i := range x {
		x[i] *= scale
	}
	return x
}
