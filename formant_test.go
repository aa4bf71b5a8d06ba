package vc

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/synth"
	"github.com/starvc/vc/internal/untrained"
)

// sung is a vowel of that F0 in Hz, a little vibrato included, whose formants lie at stretch times the usual place.
func sung(f0, stretch float64, samples int) []float32 {
	const rate = 16000
	x := make([]float32, samples)
	phase := 0.0
	for i := range x {
		f := f0 * (1 + 0.1*math.Sin(6*float64(i)/rate))
		phase += f / rate
		for k := 1.0; k*f < rate/2; k++ {
			gain := 0.01
			for j, formant := range []float64{700, 1220, 2600, 3500, 4500} {
				width := 80 + 40*float64(j)
				gain += math.Pow(0.6, float64(j)) / math.Sqrt(1+math.Pow((k*f/stretch-formant)/width, 2))
			}
			x[i] += float32(0.1 * gain * math.Sin(2*math.Pi*k*phase))
		}
	}
	return x
}

func extract(t *testing.T, x []float32) features.Frames {
	t.Helper()
	f, err := features.Extract(features.DefaultConfig(), x)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A vowel with its formants moved comes near to one sung with other formants and the same pitch.
func TestFormantsMoveAndPitchStays(t *testing.T) {
	const samples, first, last = 16000, 20, 80
	cfg := features.DefaultConfig()
	// distance is the mean of absolute differences in dB below 6 kHz, beyond which formants come in that were not there.
	distance := func(a, b []float32) float64 {
		sum, n := 0.0, 0.0
		for i := first * cfg.NMels; i < last*cfg.NMels; i++ {
			if cfg.BandHz(i%cfg.NMels) < 6000 {
				sum += math.Abs(float64(a[i]-b[i])) * cfg.MelScale * 20 / math.Ln10
				n++
			}
		}
		return sum / n
	}
	voc, err := synth.New(cfg, synth.Options{Vocoder: synth.SourceFilter})
	if err != nil {
		t.Fatal(err)
	}
	for _, f0 := range []float64{100, 220} {
		source := extract(t, sung(f0, 1, samples))
		for _, semitones := range []float64{-4, 2, 4} {
			want := extract(t, sung(f0, math.Exp2(semitones/12), samples))
			w := newFormantWarp(cfg, semitones)
			logMel := slices.Clone(source.LogMel)
			for i, hz := range source.F0 {
				w.frame(logMel[i*cfg.NMels:(i+1)*cfg.NMels], hz)
			}
			before, after := distance(source.LogMel, want.LogMel), distance(logMel, want.LogMel)
			t.Logf("F0 %g Hz, %+g semitones: %.2f dB off before, %.2f after", f0, semitones, before, after)
			if after > before/1.8 {
				t.Errorf("F0 %g Hz, %+g semitones: %.2f dB off before and %.2f after", f0, semitones, before, after)
			}
			y, err := voc.Synthesize(context.Background(), logMel, source.F0, samples, nil)
			if err != nil {
				t.Fatal(err)
			}
			heard, wrong := extract(t, y), 0
			for i := first; i < last; i++ {
				if !(math.Abs(math.Log(float64(heard.F0[i]/source.F0[i]))) < 0.1) {
					wrong++
				}
			}
			if wrong > (last-first)/20 {
				t.Errorf("F0 %g Hz, %+g semitones: %d of %d frames have another pitch", f0, semitones, wrong, last-first)
			}
		}
	}
}

func TestFormantWarp(t *testing.T) {
	cfg := features.DefaultConfig()
	flat := make([]float32, cfg.NMels)
	fill(flat, 0.5)
	for _, semitones := range []float64{-24, -12, 0, 12, 24} {
		got := slices.Clone(flat)
		newFormantWarp(cfg, semitones).frame(got, 150)
		for m, v := range got {
			if math.Abs(float64(v-0.5)) > 1e-6 {
				t.Fatalf("%+g semitones: band %d of a flat frame is %g", semitones, m, v)
			}
		}
	}
	// A move ends where it should, in equal steps.
	w := newFormantWarp(cfg, -2)
	w.moveTo(4, 3)
	for _, want := range []float64{0, 2, 4, 4} {
		if w.frame(slices.Clone(flat), 0); math.Abs(w.now-want) > 1e-12 {
			t.Errorf("at %g semitones, want %g", w.now, want)
		}
	}
}

// Live and offline do the same, however the input is cut, and a voice's own share counts like an option.
func TestFormantInStreams(t *testing.T) {
	m := New(untrained.Echo(features.DefaultConfig()))
	x := steady(16000, 16000)
	v := m.SpeakerVoice(0)
	shifted := v
	shifted.Formant = 3
	run := func(v Voice, semitones float64, chunk int) []float32 {
		o := m.StreamOptions(16000)
		o.FormantSemitones = semitones
		s, err := m.NewStream(v, o)
		if err != nil {
			t.Fatal(err)
		}
		return pieces(s, x, chunk)
	}
	want := run(v, 3, len(x))
	if slices.Equal(want, run(v, 0, len(x))) {
		t.Error("the formants do not move")
	}
	for _, chunk := range []int{1, 159, 997} {
		if !slices.Equal(run(v, 3, chunk), want) {
			t.Errorf("chunks of %d samples give another output", chunk)
		}
	}
	if !slices.Equal(run(shifted, 0, len(x)), want) {
		t.Error("the voice's own shift is not that of the options")
	}
	if !slices.Equal(run(shifted, -3, len(x)), run(v, 0, len(x))) {
		t.Error("opposite shifts do not cancel")
	}
	for name, o := range map[string]Options{"high": {FormantSemitones: 13}, "not a number": {FormantSemitones: math.NaN()}} {
		if o.Validate() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	level := func(v Voice, semitones float64) string {
		r, err := m.Convert(context.Background(), audio.Clip{Samples: x, Rate: 16000}, v, Options{FormantSemitones: semitones})
		if err != nil {
			t.Fatal(err)
		}
		rms, _ := audio.Level(r.Clip.Samples)
		return fmt.Sprintf("%.4f", rms)
	}
	if level(v, 3) != level(shifted, 0) || level(v, 3) == level(v, 0) {
		t.Error("offline, the voice's own shift is not that of the options")
	}
}
