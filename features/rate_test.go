package features

import (
	"math"
	"testing"

	"github.com/starvc/vc/audio"
)

// The encoder and the phone network hear the same numbers at either rate.
func TestLowerBandsAreTheSameAtAnyRate(t *testing.T) {
	narrow, wide := configs(t)[0], configs(t)[1]
	if n := wide.SpeechMels(); n != narrow.NMels || narrow.SpeechMels() != n {
		t.Fatalf("%d bands up to 8 kHz, and %d at 16000 Hz, want %d", n, narrow.SpeechMels(), narrow.NMels)
	}
	for m := range narrow.NMels {
		if d := math.Abs(wide.BandHz(m) - narrow.BandHz(m)); d > 1e-9*wide.BandHz(m) {
			t.Fatalf("band %d lies at %g Hz, and at %g", m, wide.BandHz(m), narrow.BandHz(m))
		}
	}
	x := speech(t)
	low := audio.Resample(x, 24000, 16000)
	at24, err := Extract(wide, x)
	if err != nil {
		t.Fatal(err)
	}
	at16, err := Extract(narrow, low)
	if err != nil {
		t.Fatal(err)
	}
	frames := min(at24.Len(), at16.Len())
	var sum, most, energies float64
	count, voices := 0, 0
	for i := range frames {
		if at16.LogEnergy[i] < -7 { // silence, where rounding counts
			continue
		}
		energies += math.Abs(float64(at24.LogEnergy[i]-at16.LogEnergy[i])) * 20 / math.Ln10
		voices++
		for m := range narrow.NMels - 4 { // the last lie in the resampler's slope
			d := math.Abs(float64(at24.Mel(i)[m]-at16.Mel(i)[m])) * narrow.MelScale * 20 / math.Ln10
			sum, most, count = sum+d, max(most, d), count+1
		}
	}
	mean, energy := sum/float64(count), energies/float64(voices)
	t.Logf("%d frames: bands differ by %.3f dB in the mean and %.2f dB at most, energies by %.2f dB in the mean", voices, mean, most, energy)
	if !(mean < 0.02) || !(most < 0.2) || !(energy < 0.2) {
		t.Error("want at most 0.02, 0.2 and 0.2 dB")
	}
}
