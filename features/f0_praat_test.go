package features

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/starvc/vc/audio"
)

// What the tracker must reach against Praat on each voice of testdata, in percent. Neither taught the voicing network.
const (
	maxGrossError   = 3.0 // frames more than 20 % off, of those that both call voiced
	maxVoicingError = 6.0 // frames that only one of the two calls voiced, of all

	// The same for TrackRecording.
	maxTwoPassGross, maxTwoPassVoicing = 2.0, 4.5
	maxTwoPassUp                       = 0.2 // frames over half an octave too high, of those that both call voiced
)

// f0Score counts what a tracker and a reference disagree about.
type f0Score struct{ frames, voicing, both, gross, up int }

func (s *f0Score) add(got []float32, want []float64) {
	for i := range min(len(got), len(want)) {
		s.frames++
		switch {
		case (got[i] > 0) != (want[i] > 0):
			s.voicing++
		case got[i] > 0:
			s.both++
			if math.Abs(float64(got[i])/want[i]-1) > 0.2 {
				s.gross++
			}
			if float64(got[i]) > math.Sqrt2*want[i] {
				s.up++
			}
		}
	}
}

func (s f0Score) grossError() float64   { return 100 * float64(s.gross) / float64(max(1, s.both)) }
func (s f0Score) tooHigh() float64      { return 100 * float64(s.up) / float64(max(1, s.both)) }
func (s f0Score) voicingError() float64 { return 100 * float64(s.voicing) / float64(max(1, s.frames)) }

// TestF0AgainstPraat scores the tracker on real speech. The golden file and its maker are testdata/f0_praat.golden and
// testdata/f0_make_golden.py.
func TestF0AgainstPraat(t *testing.T) {
	t.Parallel()
	golden, err := os.ReadFile(filepath.Join("testdata", "f0_praat.golden"))
	if err != nil {
		t.Fatal(err)
	}
	type key struct {
		voice   string
		rate    int
		twoPass bool
	}
	scores := map[key]*f0Score{}
	for line := range strings.Lines(string(golden)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		clip, err := audio.ReadFile(filepath.Join("..", "testdata", filepath.FromSlash(fields[0])))
		if err != nil {
			t.Fatal(err)
		}
		want := make([]float64, len(fields)-1)
		for i, f := range fields[1:] {
			if want[i], err = strconv.ParseFloat(f, 64); err != nil {
				t.Fatal(err)
			}
		}
		voice := "kathleen"
		if strings.Contains(fields[0], "LJ") {
			voice = "lj"
		}
		for _, rate := range []int{16000, 24000} {
			x := audio.Resample(clip.Samples, clip.Rate, rate)
			for twoPass, got := range map[bool][]float32{false: trackF0(rateConfig(t, rate), x), true: TrackRecording(rateConfig(t, rate), x)} {
				k := key{voice, rate, twoPass}
				if scores[k] == nil {
					scores[k] = &f0Score{}
				}
				if math.Abs(float64(len(got)-len(want))) > 1 {
					t.Fatalf("%s: %d frames, the golden file has %d", fields[0], len(got), len(want))
				}
				scores[k].add(got, want)
			}
		}
	}
	if len(scores) != 8 {
		t.Fatalf("%d scores, want two voices at two rates in one pass and in two", len(scores))
	}
	for k, s := range scores {
		name := fmt.Sprintf("%s at %d Hz", k.voice, k.rate)
		gross, voicing, up := maxGrossError, maxVoicingError, 100.0
		if k.twoPass {
			name += " in two passes"
			gross, voicing, up = maxTwoPassGross, maxTwoPassVoicing, maxTwoPassUp
		}
		t.Logf("%s: gross error %.2f %%, up %.2f %%, voicing error %.2f %% (%d frames, %d voiced in both)",
			name, s.grossError(), s.tooHigh(), s.voicingError(), s.frames, s.both)
		if e := s.grossError(); e > gross {
			t.Errorf("%s: gross error %.2f %%, want at most %g", name, e, gross)
		}
		if e := s.voicingError(); e > voicing {
			t.Errorf("%s: voicing error %.2f %%, want at most %g", name, e, voicing)
		}
		if e := s.tooHigh(); e > up {
			t.Errorf("%s: %.2f %% of the frames too high, want at most %g", name, e, up)
		}
	}
}
