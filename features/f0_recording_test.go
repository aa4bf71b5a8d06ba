package features

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// TestTrackRecordingTones tracks tones of known F0.
func TestTrackRecordingTones(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{16000, 24000} {
		cfg := rateConfig(t, rate)
		for _, f0 := range []float64{75, 97.3, 155.5, 261.6, 440, 650} {
			t.Run(fmt.Sprintf("%d/%g", rate, f0), func(t *testing.T) {
				x := harmonics(rate, 1, f0, 1, 12)
				got := TrackRecording(cfg, x)
				if len(got) != cfg.NumFrames(len(x)) {
					t.Fatalf("%d frames, want %d", len(got), cfg.NumFrames(len(x)))
				}
				for i := 4; i < 96; i++ {
					if math.Abs(float64(got[i])/f0-1) > 0.01 {
						t.Fatalf("frame %d: %g Hz, want %g", i, got[i], f0)
					}
				}
			})
		}
	}
}

// TestTrackRecordingEdges has recordings without a voice, without a length, and with broken samples.
func TestTrackRecordingEdges(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	broken := harmonics(16000, 1, 150, 1, 12)
	broken[3000], broken[3100], broken[3200] = float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))
	for _, c := range []struct {
		name   string
		x      []float32
		voiced bool
	}{
		{"nothing", nil, false},
		{"one sample", []float32{1}, false},
		{"silence", make([]float32, 16000), false},
		{"noise", whiteNoise(1, 16000, 0.0316), false},
		{"broken samples", broken, true},
	} {
		got := TrackRecording(cfg, c.x)
		if len(got) != cfg.NumFrames(len(c.x)) {
			t.Errorf("%s: %d frames, want %d", c.name, len(got), cfg.NumFrames(len(c.x)))
		}
		voiced := 0
		for _, hz := range got {
			if hz > 0 {
				voiced++
			}
			if hz != 0 && !(float64(hz) >= cfg.F0MinHz && float64(hz) <= cfg.F0MaxHz) {
				t.Errorf("%s: %g Hz", c.name, hz)
			}
		}
		if voiced > 0 != c.voiced {
			t.Errorf("%s: %d frames voiced", c.name, voiced)
		}
	}
}

// TestDecideMendsSlips gives the second pass frames whose best candidate is now and then the octave, and some without odds.
func TestDecideMendsSlips(t *testing.T) {
	t.Parallel()
	moments := make([]f0Moment, 60)
	for i := range moments {
		m := &moments[i]
		m.count, m.odds = 2, 4
		m.lag[0], m.lag[1] = 6, 5 // 125 and 250 Hz
		m.score[0], m.score[1] = 0.8, 0.75
		if i >= 20 && i < 23 {
			m.score[0], m.score[1] = 0.6, 0.8
		}
		if i == 40 {
			m.odds = -2
		}
		if i < 5 || i >= 55 {
			m.odds = -10
		}
	}
	for i, lag := range f0Decide(moments, 6) {
		want := float32(6)
		if i < 5 || i >= 55 {
			want = noLag
		}
		if lag != want {
			t.Errorf("frame %d: lag %g, want %g", i, lag, want)
		}
	}
}

func TestExtractRecording(t *testing.T) {
	t.Parallel()
	for _, cfg := range configs(t) {
		x := speech(t)[:cfg.SampleRate+123]
		causal, err := Extract(cfg, x)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ExtractRecording(cfg, x)
		if err != nil {
			t.Fatal(err)
		}
		want := causal
		want.F0 = TrackRecording(cfg, x)
		sameFrames(t, got, want)
		if slices.Equal(got.F0, causal.F0) {
			t.Error("the second pass changes nothing")
		}
	}
	if _, err := ExtractRecording(Config{}, nil); err == nil {
		t.Error("a configuration of zeros is taken")
	}
}

func BenchmarkTrackRecording(b *testing.B) {
	cfg := DefaultConfig()
	x := append(harmonics(16000, 0.7, 120, 1, 30), whiteNoise(1, 16000*3/10, 0.02)...)
	b.ReportAllocs()
	for b.Loop() {
		TrackRecording(cfg, x)
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "RTF") // x lasts a second
}
