package anonymize

import (
	"math"
	"slices"
	"testing"
)

// at is a voice on the unit circle.
func at(degrees float64) []float32 {
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	return []float32{float32(cos), float32(sin)}
}

func TestChooseFar(t *testing.T) {
	pool := [][]float32{at(10), at(170), at(80), at(200)}
	for _, c := range []struct {
		name    string
		sources [][]float32
		want    []int
	}{
		{"far from the source", [][]float32{at(0)}, []int{1}},
		{"and from those chosen", [][]float32{at(0), at(300)}, []int{1, 2}},
		{"a source that is not heard has no say", [][]float32{at(350), nil}, []int{1, 0}},
		{"each serves once, then again", [][]float32{at(0), at(0), at(0), at(0), at(0)}, []int{1, 2, 3, 0, 1}},
	} {
		if got := Choose(c.sources, pool); !slices.Equal(got, c.want) {
			t.Errorf("%s: chose %v, want %v", c.name, got, c.want)
		}
	}
}

// Two speakers at 0 and 90 degrees: trials that lie beside their own voice are always told, those that have changed places never,
// and of four trials of which one of each speaker has changed places, half are wrong.
func TestTry(t *testing.T) {
	enrol := [][][]float32{{at(-5), at(5)}, {at(90), nil}}
	for _, c := range []struct {
		name   string
		trials [][][]float32
		want   Attack
	}{
		{"told", [][][]float32{{at(10)}, {at(80), at(85)}}, Attack{0, 3, 3}},
		{"changed places", [][][]float32{{at(80)}, {at(10), at(5)}}, Attack{1, 3, 3}},
		{"half of them", [][][]float32{{at(10), at(80)}, {at(80), at(10)}}, Attack{0.5, 4, 4}},
	} {
		if got := Try(enrol, c.trials).Attack(); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
	if got := Try(nil, nil).Attack(); !math.IsNaN(got.Rate) {
		t.Errorf("the rate of no trials is %g, want NaN", got.Rate)
	}
}

func TestSpread(t *testing.T) {
	mean, greatest := Spread([][][]float32{{at(0)}, {at(60), nil}, {nil}, {at(120)}})
	if math.Abs(mean-(0.5+0.5-0.5)/3) > 1e-6 || math.Abs(greatest-0.5) > 1e-6 {
		t.Errorf("mean %g, greatest %g", mean, greatest)
	}
}
