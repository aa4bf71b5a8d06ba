package features_test

import (
	"math"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
)

// TestAnalyzeHearsAllLevelsAlike: neither a gain nor an offset changes what is seen of speech.
func TestAnalyzeHearsAllLevelsAlike(t *testing.T) {
	clip, err := audio.ReadFile("../testdata/clips/lj_LJ001-0136.flac")
	if err != nil {
		t.Fatal(err)
	}
	cfg := features.DefaultConfig()
	want, err := features.Analyze(cfg, clip)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name           string
		gainDB, offset float64
	}{{"quiet", -30, 0}, {"loud", 15, 0}, {"offset", 0, 0.03}} {
		x := make([]float32, len(clip.Samples))
		for i, v := range clip.Samples {
			x[i] = float32(float64(v)*math.Pow(10, tt.gainDB/20) + tt.offset)
		}
		got, err := features.Analyze(cfg, audio.Clip{Samples: x, Rate: clip.Rate})
		if err != nil {
			t.Fatal(err)
		}
		if d := got.GainDB + tt.gainDB - want.GainDB; math.Abs(d) > 0.1 {
			t.Errorf("%s: the gain is %.2f dB off", tt.name, d)
		}
		var sum float64
		for i, v := range got.Frames.LogMel {
			sum += math.Abs(float64(v-want.Frames.LogMel[i])) / float64(len(want.Frames.LogMel))
		}
		if dB := sum * cfg.MelScale * 20 / math.Ln10; dB > 0.2 {
			t.Errorf("%s: log-mels are %.2f dB apart", tt.name, dB)
		}
	}
}

func TestAnalyzeNothing(t *testing.T) {
	got, err := features.Analyze(features.DefaultConfig(), audio.Clip{Rate: 48000})
	if err != nil || got.Frames.Len() != 1 || got.GainDB != 0 {
		t.Errorf("%d frames, gain %g dB, %v", got.Frames.Len(), got.GainDB, err)
	}
	if _, err := features.Analyze(features.Config{}, audio.Clip{Rate: 48000}); err == nil {
		t.Error("a configuration that is none: no error")
	}
}
