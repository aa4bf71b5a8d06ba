package gan_test

import (
	"math"
	"slices"
	"testing"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/untrained"
)

// Styles come nearer to their mean, all but the one that is named, and the mean is that of before.
func TestWithStrength(t *testing.T) {
	m := untrained.Model(gan.Tiny(), 3, 1)
	half, err := m.WithStrength(map[string]float64{"": 0.5, "spk1": 1})
	if err != nil {
		t.Fatal(err)
	}
	for k, kept := range half.Style(1) {
		mean := (m.Style(0)[k] + m.Style(1)[k] + m.Style(2)[k]) / 3
		if kept != m.Style(1)[k] {
			t.Fatalf("number %d of spk1 went from %g to %g", k, m.Style(1)[k], kept)
		}
		if have, want := half.Style(2)[k], (mean+m.Style(2)[k])/2; math.Abs(float64(have-want)) > 1e-6 {
			t.Fatalf("number %d of spk2 is %g, want %g", k, have, want)
		}
	}
	if _, err := m.WithStrength(map[string]float64{"nobody": 1}); err == nil {
		t.Error("nobody was strengthened")
	}
}

// The others keep all that is theirs.
func TestWithout(t *testing.T) {
	m := untrained.Model(gan.Tiny(), 3, 1)
	two, err := m.Without("spk1")
	if err != nil {
		t.Fatal(err)
	}
	if len(two.Speakers) != 2 || two.Speakers[1].Name != "spk2" || !slices.Equal(two.Style(1), m.Style(2)) {
		t.Errorf("left: %v", two.Speakers)
	}
	head := m.Tensor("sty.head.b")
	if n := len(head) / 3; !slices.Equal(two.Tensor("sty.head.b")[n:], head[2*n:]) {
		t.Error("spk2's head of E is another")
	}
	if _, err := m.Without("nobody"); err == nil {
		t.Error("nobody was left out")
	}
	if _, err := m.Without("spk0", "spk1", "spk2"); err == nil {
		t.Error("a model without voices was made")
	}
}
