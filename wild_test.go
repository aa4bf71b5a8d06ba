package vc

import (
	"context"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/untrained"
)

// wild is a model whose weights are finite and whose output is not.
func wild(t *testing.T) *Model {
	t.Helper()
	echo := untrained.Echo(features.DefaultConfig())
	tensors := map[string][]float32{}
	for _, p := range echo.Config.ModelParams(1) {
		tensors[p.Name] = append([]float32{}, echo.Tensor(p.Name)...)
	}
	for i := range tensors["gen.out.w"] {
		tensors["gen.out.w"][i] = 3e38
	}
	m, err := gan.NewModel(echo.Features, echo.Config, echo.Speakers, gan.Trained{}, tensors)
	if err != nil {
		t.Fatal(err)
	}
	return New(m)
}

// A model that gives no numbers gives silence in a stream, which says so, and an error for a file.
func TestWildModel(t *testing.T) {
	m := wild(t)
	x := vowel(16000, 16000)
	s, err := m.NewStream(m.SpeakerVoice(0), m.StreamOptions(16000))
	if err != nil {
		t.Fatal(err)
	}
	y := s.Flush(s.Process(nil, x))
	if s.Healthy() {
		t.Error("the stream says that all is well")
	}
	if len(y) != len(x) || !allFinite(y) {
		t.Errorf("%d samples of %d, finite %v", len(y), len(x), allFinite(y))
	}
	if _, peak := audio.Level(y); peak > -60 {
		t.Errorf("a peak of %.1f dB", peak)
	}
	if _, err := m.Convert(context.Background(), audio.Clip{Samples: x, Rate: 16000}, m.SpeakerVoice(0), Options{Threads: 1}); err == nil {
		t.Error("a file: no error")
	}
}
