package vc

import (
	"math"
	"slices"
	"testing"

	"github.com/starvc/vc/features"
)

// A frame without formants stays as it is, one with formants gets deeper valleys, and the power stays; a level more or less
// changes nothing else.
func TestSharpener(t *testing.T) {
	cfg := features.DefaultConfig()
	s := newSharpener(cfg)
	flat := make([]float32, cfg.NMels)
	for m := range flat {
		flat[m] = -1.5
	}
	got := slices.Clone(flat)
	s.frame(got)
	for m, v := range got {
		if math.Abs(float64(v-flat[m])) > 1e-6 {
			t.Fatalf("band %d of a flat frame went from %g to %g", m, flat[m], v)
		}
	}

	formants := make([]float32, cfg.NMels)
	louder := make([]float32, cfg.NMels)
	for m := range formants {
		formants[m] = float32(0.5 * math.Cos(2*math.Pi*float64(m)/16))
		louder[m] = formants[m] + 2
	}
	sharp := slices.Clone(formants)
	s.frame(sharp)
	before := formants[32] - formants[40]
	after := sharp[32] - sharp[40]
	if grown := after / before; grown < 1.1 || grown > 1+sharpness {
		t.Errorf("a valley is %.3f times as deep, want 1.1 to %.1f", grown, 1+sharpness)
	}
	if a, b := s.power(formants), s.power(sharp); math.Abs(a/b-1) > 1e-5 {
		t.Errorf("power went from %g to %g", a, b)
	}
	s.frame(louder)
	for m := range louder {
		if math.Abs(float64(louder[m]-sharp[m]-2)) > 1e-5 {
			t.Fatalf("band %d: %g with a louder frame, want %g", m, louder[m], sharp[m]+2)
		}
	}
	if n := testing.AllocsPerRun(10, func() { s.frame(louder) }); n != 0 {
		t.Errorf("%g allocations a frame", n)
	}
}
