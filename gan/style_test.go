package gan

import (
	"fmt"
	"slices"
	"testing"
)

func TestMappingEqualsEquations(t *testing.T) {
	for name, c := range map[string]Config{"odd": odd(), "tiny": Tiny()} {
		m := random(c, 3, 21)
		f := NewMappingNetwork(m)
		for y := range m.Speakers {
			z := noise(uint64(y), c.LatentDim)
			near(t, fmt.Sprint(name, y), f.Style(z, y), direct{m}.mapping(z, y), 1e-5)
		}
	}
}

func TestStyleEncoderEqualsEquations(t *testing.T) {
	for _, c := range []struct {
		name    string
		cfg     Config
		frames  int
		speaker int
	}{
		{"odd", odd(), 29, 2},
		{"odd, common head", odd(), 8, CommonHead},
		{"tiny", Tiny(), 17, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := random(c.cfg, 3, 22)
			logMel := noise(1, c.frames*c.cfg.NMels)
			got, err := NewStyleEncoder(m).Style(logMel, c.speaker)
			if err != nil {
				t.Fatal(err)
			}
			d := direct{m}
			v := d.bodyMean(logMel, "sty")
			want := d.linear(v, "sty.common", c.cfg.StyleDim)
			if c.speaker != CommonHead {
				want = d.head(v, "sty.head", c.speaker)
			}
			near(t, c.name, got, want, 1e-5)
		})
	}
}

func TestStyleOfShortReference(t *testing.T) {
	c := odd()
	m := random(c, 1, 23)
	e := NewStyleEncoder(m)
	logMel := noise(2, 3*c.NMels)
	got, err := e.Style(logMel, 0)
	if err != nil {
		t.Fatal(err)
	}
	// 3 frames, 8 needed: a b c a b c a b.
	want, err := e.Style(slices.Concat(logMel, logMel, logMel[:2*c.NMels]), 0)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("three frames do not equal three frames repeated to %d (%v)", c.MinStyleFrames(), err)
	}
	if _, err := e.Style(nil, 0); err == nil {
		t.Error("an empty reference has a style")
	}
}

// TestStyleOfLongReference checks that stretches are averaged by their length, and that a rest too short for a step
// is left out.
func TestStyleOfLongReference(t *testing.T) {
	c := odd()
	m := random(c, 1, 24)
	logMel := noise(3, (referenceFrames+16+5)*c.NMels)
	got, err := NewStyleEncoder(m).Style(logMel, 0)
	if err != nil {
		t.Fatal(err)
	}
	d := direct{m}
	v := d.bodyMean(logMel[:referenceFrames*c.NMels], "sty")
	rest := d.bodyMean(logMel[referenceFrames*c.NMels:], "sty")
	steps, more := float64(referenceFrames/8), float64((16+5)/8)
	for i := range v {
		v[i] = (v[i]*steps + rest[i]*more) / (steps + more)
	}
	near(t, "long", got, d.head(v, "sty.head", 0), 1e-5)
	if got, err = NewStyleEncoder(m).Style(logMel[:(referenceFrames+7)*c.NMels], 0); err != nil {
		t.Fatal(err)
	}
	near(t, "rest", got, d.head(d.bodyMean(logMel[:referenceFrames*c.NMels], "sty"), "sty.head", 0), 1e-5)
}
