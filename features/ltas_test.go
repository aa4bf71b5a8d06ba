package features

import (
	"math"
	"testing"
)

func TestLongTermSpectrum(t *testing.T) {
	const rate = 16000
	t.Run("noise", func(t *testing.T) {
		// Uniform noise has a mean square of 1/12, spread evenly over rate/2.
		points := LongTermSpectrum(noise(30*rate, 5), rate)
		if first, last := points[0].Hz, points[len(points)-1].Hz; first != 0 || last != rate/2 {
			t.Errorf("from %g to %g Hz, want 0 to %d", first, last, rate/2)
		}
		want := 10 * math.Log10(1.0/12/(rate/2))
		for _, p := range points[1 : len(points)-1] {
			if math.Abs(p.DB-want) > 1.5 {
				t.Errorf("%g Hz: %.2f dB, want about %.2f", p.Hz, p.DB, want)
			}
		}
	})
	t.Run("tone", func(t *testing.T) {
		x := make([]float32, 2*rate)
		for i := range x {
			x[i] = float32(0.5 * math.Sin(2*math.Pi*1000*float64(i)/rate))
		}
		points := LongTermSpectrum(x, rate)
		peak := points[0]
		var power float64
		for _, p := range points {
			if p.DB > peak.DB {
				peak = p
			}
			power += math.Pow(10, p.DB/10) * points[1].Hz
		}
		if peak.Hz != 1000 {
			t.Errorf("peak at %g Hz, want 1000", peak.Hz)
		}
		if math.Abs(power-0.125) > 1e-3 {
			t.Errorf("the density adds up to %g, want the mean square 0.125", power)
		}
	})
	t.Run("silence", func(t *testing.T) {
		for _, p := range LongTermSpectrum(make([]float32, rate), rate) {
			if p.DB != -200 {
				t.Fatalf("%g Hz: %g dB, want -200", p.Hz, p.DB)
			}
		}
	})
	t.Run("short", func(t *testing.T) {
		if n := len(LongTermSpectrum(noise(10, 1), rate)); n != 513 {
			t.Errorf("%d points, want 513", n)
		}
		if n := len(LongTermSpectrum(nil, rate)); n != 0 {
			t.Errorf("%d points of nothing, want 0", n)
		}
	})
}
