package train

import (
	"bytes"
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/internal/mlx/profile"
)

// Every part is measured, has a floor, adds up, and is in the table; in the first phase nothing of the discriminators is.
func TestProfile(t *testing.T) {
	c := microConfig(t)
	c.Batch, c.CropFrames = 1, c.minCrop()
	for _, x := range []struct {
		share float64
		terms []string
		ways  int
	}{
		{0.5, append([]string{vocoding, comparing, periods, resolutions}, withoutFeeding()...), 11},
		{1, append([]string{vocoding, comparing}, withoutFeeding()...), 2},
	} {
		c.SpectralShare = x.share
		r, err := profileConfig(context.Background(), ProfileOptions{Device: "go"}, c)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		sum := 0.0
		for _, term := range r.Terms {
			names = append(names, term.Name)
			if !(term.MS >= 0) || term.Name != profile.Calling && !(term.OperationsMS > 0 || term.MemoryMS > 0) {
				t.Errorf("%+v", term)
			}
			sum += term.MS
		}
		if !slices.Equal(names, x.terms) || len(r.Passes) != x.ways || math.Abs(sum+r.RestMS-r.StepMS) > 1e-6 {
			t.Errorf("terms %q, %d ways, %g ms and %g of %g", names, len(r.Passes), sum, r.RestMS, r.StepMS)
		}
		k := c.stepCost(x.share < 1, false)
		if counted := r.StepGFLOP * 1e9; !(counted > k.products+k.convolutions && counted < 1.2*(k.products+k.convolutions)) { // the optimizer too
			t.Errorf("%g operations, the estimate has %g", counted, k.products+k.convolutions)
		}
		var table bytes.Buffer
		if err := r.WriteTable(&table); err != nil {
			t.Fatal(err)
		}
		t.Log("\n" + table.String())
		for _, want := range append([]string{"preset tiny", "whole step", "compare the copies with the recordings"}, x.terms...) {
			if !strings.Contains(table.String(), want) {
				t.Errorf("the table lacks %q", want)
			}
		}
		if strings.Contains(table.String(), "styles") {
			t.Error("the table has styles")
		}
	}
}

func withoutFeeding() []string {
	return slices.DeleteFunc(slices.Clone(profile.CommonTerms), func(name string) bool { return name == profile.Feeding })
}

func TestProfileRefuses(t *testing.T) {
	for _, set := range []string{"cropFrames=1", "nothing=1"} {
		if _, err := (ProfileOptions{Set: []string{set}}).config(); err == nil {
			t.Errorf("--set %s is taken", set)
		}
	}
	if c, err := (ProfileOptions{Batch: 3}).config(); err != nil || c.Preset != "base" || c.Batch != 3 {
		t.Errorf("%+v, %v", c, err)
	}
}
