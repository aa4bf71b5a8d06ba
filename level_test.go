package vc

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/untrained"
)

// TestLevelGoesInAndOut: a recording that is 30 dB quieter is converted to the same, 30 dB quieter; an offset changes nothing.
func TestLevelGoesInAndOut(t *testing.T) {
	clip, err := audio.ReadFile("testdata/clips/lj_LJ001-0136.flac")
	if err != nil {
		t.Fatal(err)
	}
	m := New(untrained.Model(gan.Tiny(), 2, 1))
	x := audio.Resample(clip.Samples, clip.Rate, m.Features().SampleRate)
	file := func(x []float32) []float32 {
		r, err := m.Convert(context.Background(), audio.Clip{Samples: x, Rate: m.Features().SampleRate}, m.SpeakerVoice(0), Options{Vocoder: SourceFilter})
		if err != nil {
			t.Fatal(err)
		}
		return r.Clip.Samples
	}
	stream := func(x []float32) []float32 {
		s, err := m.NewStream(m.SpeakerVoice(0), m.StreamOptions(m.Features().SampleRate))
		if err != nil {
			t.Fatal(err)
		}
		var y []float32
		for piece := range slices.Chunk(x, 321) {
			y = s.Process(y, piece)
		}
		return s.Flush(y)
	}
	for name, tt := range map[string]struct {
		convert func([]float32) []float32
		within  float64 // dB, of the log-mels, after the first second
	}{"file": {file, 0.2}, "stream": {stream, 1}} {
		want := tt.convert(x)
		quiet, offset := slices.Clone(x), slices.Clone(x)
		audio.Amplify(quiet, -30)
		for i := range offset {
			offset[i] += 0.03
		}
		for input, y := range map[string][]float32{"30 dB quieter": quiet, "offset": offset} {
			got := tt.convert(y)
			if input == "30 dB quieter" {
				audio.Amplify(got, 30)
			}
			if d := melDistance(t, m.Features(), want, got, m.Features().SampleRate); d > tt.within {
				t.Errorf("%s, %s: log-mels are %.2f dB apart, want %g at most", name, input, d, tt.within)
			}
		}
	}
}

// melDistance is the mean absolute difference of two sounds' log-mels from a sample on, in dB, over the frames within 40 dB of the
// loudest and the bands within 60 dB.
func melDistance(t *testing.T, cfg features.Config, a, b []float32, from int) float64 {
	t.Helper()
	x, err := features.Extract(cfg, a[from:])
	if err != nil {
		t.Fatal(err)
	}
	y, err := features.Extract(cfg, b[from:])
	if err != nil {
		t.Fatal(err)
	}
	dB := 20 / math.Ln10 * cfg.MelScale
	least := slices.Max(x.LogMel) - float32(60/dB)
	loud := slices.Max(x.LogEnergy) - float32(40*math.Ln10/20)
	var sum float64
	n := 0
	for f, e := range x.LogEnergy {
		if e < loud {
			continue
		}
		for k, v := range x.Mel(f) {
			sum += math.Abs(float64(max(v, least) - max(y.Mel(f)[k], least)))
			n++
		}
	}
	return dB * sum / float64(n)
}
