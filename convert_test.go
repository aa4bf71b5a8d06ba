package vc

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/untrained"
)

// vowel is a buzz of gliding pitch under two resonances, with a pause in the middle.
func vowel(rate, samples int) []float32 {
	x := make([]float32, samples)
	phase := 0.0
	for i := range x {
		t := float64(i) / float64(rate)
		phase += (120 + 30*math.Sin(2*t)) / float64(rate)
		if part := float64(i) / float64(samples); part > 0.45 && part < 0.55 {
			continue
		}
		for k := 1.0; k < 20; k++ {
			hz := k * 120
			gain := 1/(1+math.Pow((hz-700)/200, 2)) + 0.5/(1+math.Pow((hz-1800)/300, 2)) + 0.02
			x[i] += float32(0.15 * gain * math.Sin(2*math.Pi*k*phase))
		}
	}
	return x
}

func model(t testing.TB) *Model {
	t.Helper()
	return New(untrained.Model(gan.Tiny(), 3, 1))
}

func TestConvertKeepsDuration(t *testing.T) {
	m := withNet(t, model(t))
	for _, c := range []struct {
		name          string
		rate, samples int
	}{
		{"model rate", 16000, 16000},
		{"one sample", 16000, 1},
		{"less than a hop", 16000, 159},
		{"not a multiple of the hop", 16000, 8111},
		{"44.1 kHz", 44100, 30011},
		{"8 kHz", 8000, 4001},
		{"one sample of 192 kHz", 192000, 1},
	} {
		for _, v := range Vocoders() {
			t.Run(c.name+" "+string(v), func(t *testing.T) {
				in := audio.Clip{Samples: vowel(c.rate, c.samples), Rate: c.rate}
				r, err := m.Convert(context.Background(), in, m.SpeakerVoice(1), Options{Vocoder: v, Threads: 1})
				if err != nil {
					t.Fatal(err)
				}
				if r.Clip.Rate != m.Features().SampleRate {
					t.Errorf("output at %d Hz", r.Clip.Rate)
				}
				want, got := float64(c.samples)/float64(c.rate), float64(len(r.Clip.Samples))/float64(r.Clip.Rate)
				if math.Abs(want-got) > 1.0/16000 {
					t.Errorf("output of %g s, input of %g s", got, want)
				}
				if !allFinite(r.Clip.Samples) {
					t.Error("output has values that are not numbers")
				}
			})
		}
	}
}

func TestConvertDoesNotDependOnThreads(t *testing.T) {
	m := model(t)
	in := audio.Clip{Samples: vowel(16000, 16000*25), Rate: 16000}
	var want []float32
	for _, threads := range []int{1, 3} {
		r, err := m.Convert(context.Background(), in, m.SpeakerVoice(0), Options{Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = r.Clip.Samples
		} else if !slices.Equal(want, r.Clip.Samples) {
			t.Error("the output depends on the number of threads")
		}
	}
}

func TestSilenceStaysSilent(t *testing.T) {
	m := model(t)
	in := audio.Clip{Samples: make([]float32, 16000), Rate: 16000}
	r, err := m.Convert(context.Background(), in, m.SpeakerVoice(0), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, peak := audio.Level(r.Clip.Samples); peak > -60 {
		t.Errorf("silence became sound with a peak of %.1f dB", peak)
	}
}

func TestConvertRefusals(t *testing.T) {
	m := model(t)
	in := audio.Clip{Samples: vowel(16000, 16000), Rate: 16000}
	if _, err := m.Convert(context.Background(), audio.Clip{Rate: 16000}, m.SpeakerVoice(0), Options{}); err == nil {
		t.Error("no samples: no error")
	}
	if _, err := m.Convert(context.Background(), in, Voice{Style: []float32{1}}, Options{}); err == nil {
		t.Error("style of another model: no error")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.Convert(ctx, in, m.SpeakerVoice(0), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for _, o := range []Options{{Threads: -1}, {Vocoder: "tape"}, {PitchSemitones: math.NaN()}, {PitchSemitones: 99}} {
		if _, err := m.Convert(context.Background(), in, m.SpeakerVoice(0), o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

func TestProgressReachesOne(t *testing.T) {
	m := model(t)
	in := audio.Clip{Samples: vowel(16000, 16000), Rate: 16000}
	last := 0.0
	_, err := m.Convert(context.Background(), in, m.SpeakerVoice(0), Options{Progress: func(part float64) {
		if part < last || part > 1 {
			t.Errorf("progress went from %g to %g", last, part)
		}
		last = part
	}})
	if err != nil || last != 1 {
		t.Errorf("progress ended at %g, error %v", last, err)
	}
}

func TestMix(t *testing.T) {
	a := Voice{Style: []float32{1, 2}, LogF0: features.Pitch{Mean: 5, Std: 0.1}}
	b := Voice{Style: []float32{3, -2}, LogF0: features.Pitch{Mean: 6, Std: 0.3}}
	v, err := Mix([]Voice{a, b}, []float64{3, 1})
	if err != nil {
		t.Fatal(err)
	}
	if v.Style[0] != 1.5 || v.Style[1] != 1 || math.Abs(v.LogF0.Mean-5.25) > 1e-12 || math.Abs(v.LogF0.Std-0.15) > 1e-12 {
		t.Errorf("mix is %+v", v)
	}
	for _, w := range [][]float64{{0, 0}, {-1, 2}, {1}, {math.NaN(), 1}} {
		if _, err := Mix([]Voice{a, b}, w); err == nil {
			t.Errorf("weights %g: no error", w)
		}
	}
}
