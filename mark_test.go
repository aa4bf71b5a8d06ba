package vc_test

import (
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/mark"
)

// tenSeconds is about ten seconds of somebody's speech, at 24000 Hz.
func tenSeconds(t *testing.T) audio.Clip {
	t.Helper()
	paths, err := filepath.Glob("testdata/clips/*.flac")
	if err != nil || len(paths) == 0 {
		t.Fatal("no clips", err)
	}
	all := audio.Clip{Rate: 24000}
	for _, p := range paths {
		clip, err := audio.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		all.Samples = append(all.Samples, again(clip, all.Rate).Samples...)
		if len(all.Samples) >= 10*all.Rate {
			break
		}
	}
	return all
}

// again is a clip at another rate.
func again(c audio.Clip, rate int) audio.Clip {
	return audio.Clip{Samples: audio.Resample(c.Samples, c.Rate, rate), Rate: rate}
}

func base(t *testing.T) *vc.Model {
	t.Helper()
	m, err := vc.Base()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func converted(t *testing.T, m *vc.Model, in audio.Clip, voice string) audio.Clip {
	t.Helper()
	v, err := m.Voice(voice)
	if err != nil {
		t.Fatal(err)
	}
	r, err := m.Convert(context.Background(), in, v, vc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r.Clip
}

// TestMarkIsFound in converted speech after what happens to recordings, and in no other.
func TestMarkIsFound(t *testing.T) {
	if testing.Short() {
		t.Skip("listens for a minute under the race detector")
	}
	m, in := base(t), tenSeconds(t)
	out := converted(t, m, in, "lj")
	if len(out.Samples) != len(in.Samples) {
		t.Fatalf("%d samples, want %d", len(out.Samples), len(in.Samples))
	}
	change := func(f func(i int, v float64) float64) audio.Clip {
		c := audio.Clip{Rate: out.Rate, Samples: make([]float32, len(out.Samples))}
		for i, v := range out.Samples {
			c.Samples[i] = float32(f(i, float64(v)))
		}
		return c
	}
	draw := rand.New(rand.NewPCG(1, 2))
	for name, c := range map[string]audio.Clip{
		"as it is":        out,
		"8 bits":          change(func(_ int, v float64) float64 { return math.Round(v*127) / 127 }),
		"20 dB softer":    change(func(_ int, v float64) float64 { return v / 10 }),
		"16000 Hz":        again(out, 16000),
		"44100 Hz":        again(out, 44100),
		"8000 Hz":         again(out, 8000),
		"cut":             {Rate: out.Rate, Samples: out.Samples[33333:]},
		"noise at 30 dB":  change(func(_ int, v float64) float64 { return v + 0.07/31.6*draw.NormFloat64() }),
		"2 per cent fast": {Rate: out.Rate * 102 / 100, Samples: out.Samples},
	} {
		f, err := mark.DetectClip(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		if !f.Found || f.Info != mark.Of("lj") || len(f.Spans) == 0 {
			t.Errorf("%s: %+v", name, f)
			continue
		}
		if last := f.Spans[len(f.Spans)-1]; f.Spans[0].From != 0 || last.To > c.Duration()+20*time.Millisecond || last.To < c.Duration()-6*time.Second {
			t.Errorf("%s: found at %v of %v", name, f.Spans, c.Duration())
		}
	}
	for name, c := range map[string]audio.Clip{
		"a recording": in, "unmarked": converted(t, m.Unmarked(), in, "lj"), "silence": {Rate: 16000, Samples: make([]float32, 50000)},
		"short": {Rate: 16000, Samples: make([]float32, 5)},
	} {
		if f, err := mark.DetectClip(context.Background(), c); err != nil || f.Found || f.Info != (mark.Info{}) || len(f.Spans) != 0 {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
}

// TestMarkFollowsTheVoice of a stream, whose voice changes on the way.
func TestMarkFollowsTheVoice(t *testing.T) {
	if testing.Short() {
		t.Skip("listens for a minute under the race detector")
	}
	m, in := base(t), tenSeconds(t)
	in.Samples = append(in.Samples, in.Samples...)
	v, err := m.Voice("lj")
	if err != nil {
		t.Fatal(err)
	}
	w, err := m.Voice("rms")
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.NewStream(v, m.StreamOptions(in.Rate))
	if err != nil {
		t.Fatal(err)
	}
	half := len(in.Samples) / 2
	y := s.Process(nil, in.Samples[:half])
	if err := s.SetVoice(w); err != nil {
		t.Fatal(err)
	}
	y = s.Flush(s.Process(y, in.Samples[half:]))
	f, err := mark.DetectClip(context.Background(), audio.Clip{Samples: y, Rate: in.Rate})
	if err != nil || !f.Found || len(f.Spans) < 2 || f.Spans[0].Info != mark.Of("lj") || f.Spans[len(f.Spans)-1].Info != mark.Of("rms") {
		t.Errorf("%+v, %v", f, err)
	}
}

// TestMarkAtAnotherTempo: the mark runs in the time of the result, whatever becomes of the words.
func TestMarkAtAnotherTempo(t *testing.T) {
	if testing.Short() {
		t.Skip("listens for a minute under the race detector")
	}
	m, in := base(t), tenSeconds(t)
	v, err := m.Voice("lj")
	if err != nil {
		t.Fatal(err)
	}
	for _, tempo := range []float64{0.75, 4.0 / 3} {
		r, err := m.Convert(context.Background(), in, v, vc.Options{Tempo: tempo})
		if err != nil {
			t.Fatal(err)
		}
		if f, err := mark.DetectClip(context.Background(), r.Clip); err != nil || !f.Found || f.Info != mark.Of("lj") {
			t.Errorf("tempo %g: %+v, %v", tempo, f, err)
		}
	}
}
