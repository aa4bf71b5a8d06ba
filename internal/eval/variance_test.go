package eval

import (
	"math"
	"testing"
)

// Half the deviation from the mean is a quarter of the variance: 6 dB less, whatever the mean and the level are.
func TestGlobalVariance(t *testing.T) {
	ref, err := Analyze(low.says(), DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	flat := *ref
	flat.cepstra = make([]float64, len(ref.cepstra))
	for i, c := range ref.cepstra {
		flat.cepstra[i] = 3 + c/2
	}
	if got := globalVariance(&flat, []*Utterance{ref, ref}); math.Abs(got+6.0206) > 1e-3 {
		t.Errorf("half the movement is %.3f dB, want -6.02", got)
	}
	quiet := low.says()
	for i := range quiet.Samples {
		quiet.Samples[i] *= 0.05
	}
	other, err := Analyze(quiet, DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	if got := globalVariance(other, []*Utterance{ref}); math.Abs(got) > 0.05 {
		t.Errorf("the same, quieter, is %.3f dB, want 0", got)
	}
	for d := range flat.cepstra {
		flat.cepstra[d] = 1
	}
	if got := globalVariance(&flat, []*Utterance{ref}); !math.IsNaN(got) {
		t.Errorf("no movement at all is %g dB, want NaN", got)
	}
	if got := globalVariance(ref, []*Utterance{ref}); got != 0 {
		t.Errorf("itself is %g dB, want 0", got)
	}
}
