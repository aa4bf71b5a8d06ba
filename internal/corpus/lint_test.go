package corpus

import (
	"math"
	"slices"
	"testing"
)

func TestLintClip(t *testing.T) {
	t.Parallel()
	const rate = 16000
	speech := func() []float32 { return voiceSignal(120, 3, rate, 7) }
	with := func(x []float32, change func(i int, v float32) float32) []float32 {
		for i := range x {
			x[i] = change(i, x[i])
		}
		return x
	}
	sine := func(i int, hz float64) float32 { return float32(math.Sin(2 * math.Pi * hz * float64(i) / rate)) }
	tests := []struct {
		name string
		x    []float32
		rate int
		want []Kind
	}{
		{"good", speech(), rate, nil},
		{"good at 48 kHz", voiceSignal(200, 2.5, 48000, 3), 48000, nil},
		{"short", speech()[:rate*49/100], rate, []Kind{TooShort}},
		{"just long enough", speech()[:rate/2], rate, nil},
		{"empty", nil, rate, []Kind{TooShort}},
		{"digital silence", make([]float32, rate), rate, []Kind{Silent}},
		{"constant", constant(0.3, rate), rate, []Kind{Silent}},
		{"one click", append(append(make([]float32, rate), constant(0.9, 100)...), make([]float32, rate)...), rate, []Kind{Silent}},
		{"not a number", with(speech(), func(i int, v float32) float32 {
			if i == 5000 {
				return float32(math.NaN())
			}
			return v
		}), rate, []Kind{NonFinite}},
		{"infinite", with(speech(), func(i int, v float32) float32 {
			if i == 5000 {
				return float32(math.Inf(-1))
			}
			return v
		}), rate, []Kind{NonFinite}},
		{"clipped", with(speech(), func(_ int, v float32) float32 { return min(max(6*v, -1), 1) }), rate, []Kind{Clipped}},
		{"loud sine is not clipped", with(make([]float32, rate), func(i int, _ float32) float32 {
			return float32(math.Round(float64(sine(i, 150))*32767) / 32768)
		}), rate, nil},
		{"very quiet", with(speech(), func(_ int, v float32) float32 { return v * 0.015 }), rate, []Kind{Quiet}},
		{"mostly silence", append(speech(), make([]float32, 30*rate)...), rate, []Kind{MostlySilence}},
		{"noise", with(speech(), func(i int, v float32) float32 {
			return v + 0.12*(sine(i*i%7919, 977)+sine(i*31%104729, 1999))
		}), rate, []Kind{Noisy}},
		{"hum", with(speech(), func(i int, v float32) float32 { return v + 0.01*sine(i, 50) }), rate, []Kind{Hum}},
		{"hum of 60 Hz", with(speech(), func(i int, v float32) float32 { return v + 0.01*sine(i, 60) }), rate, []Kind{Hum}},
		{"telephone", voiceSignal(120, 3, 8000, 7), 8000, []Kind{NarrowBand}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var got []Kind
			for _, p := range lintClip(test.x, test.rate, 16000) {
				got = append(got, p.Kind)
				if p.Detail == "" || p.Path != "" {
					t.Errorf("%+v: want a detail and no path", p)
				}
				if fatal := slices.Index(kinds, p.Kind) < slices.Index(kinds, Clipped); p.Skipped != fatal {
					t.Errorf("%s: skipped is %v", p.Kind, p.Skipped)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v: %+v", got, test.want, lintClip(test.x, test.rate, 16000))
			}
		})
	}
}

func TestToneLevelIsTheSines(t *testing.T) {
	t.Parallel()
	const rate = 22050
	x, window := make([]float32, rate*2/5), make([]float64, rate*2/5)
	for i := range x {
		x[i] = float32(0.1 * math.Cos(2*math.Pi*50*float64(i)/rate+0.4))
		window[i] = 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(x)))
	}
	if got, want := toneLevel(x, window, rate, 50), 20*math.Log10(0.1/math.Sqrt2); math.Abs(got-want) > 0.01 {
		t.Errorf("level %.3f dB, want %.3f", got, want)
	}
	if beside := toneLevel(x, window, rate, 55); beside > -80 {
		t.Errorf("5 Hz beside: %.1f dB", beside)
	}
}
