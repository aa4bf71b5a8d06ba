package anonymize

import (
	"math"
	"testing"

	"github.com/starvc/vc/internal/phones"
)

// said is so many phones in so many seconds.
func said(count int, seconds float64) phones.Reading {
	return phones.Reading{Phones: make([]uint8, count), Seconds: seconds}
}

func TestRate(t *testing.T) {
	for _, c := range []struct {
		name        string
		heard       []phones.Reading
		rate, tempo float64
	}{
		{"nothing", nil, 0, 1},
		{"silence", []phones.Reading{said(0, 0)}, 0, 1},
		{"too little", []phones.Reading{said(5, 0.9)}, 0, 1},
		{"as all", []phones.Reading{said(24, 2)}, 12, 1},
		{"slow", []phones.Reading{said(20, 2)}, 10, 1.2},
		{"long recordings count for more", []phones.Reading{said(30, 3), said(15, 1)}, 11.25, 12 / 11.25},
		{"slower than can be made up for", []phones.Reading{said(8, 2)}, 4, 4.0 / 3},
		{"faster than that", []phones.Reading{said(60, 2)}, 30, 0.75},
	} {
		rate := Rate(c.heard)
		if tempo := Tempo(rate); math.Abs(rate-c.rate) > 1e-9 || math.Abs(tempo-c.tempo) > 1e-9 {
			t.Errorf("%s: rate %g, tempo %g, want %g, %g", c.name, rate, tempo, c.rate, c.tempo)
		}
	}
	if mean, deviation := RateSpread([]float64{10, 0, 14}); mean != 12 || math.Abs(deviation-math.Sqrt(8)) > 1e-9 {
		t.Errorf("mean %g, deviation %g", mean, deviation)
	}
	if mean, deviation := RateSpread([]float64{10, 0}); !math.IsNaN(mean) || !math.IsNaN(deviation) {
		t.Errorf("of one speaker: mean %g, deviation %g", mean, deviation)
	}
}
