package convert

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
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

func model(t testing.TB) *gan.Model {
	t.Helper()
	return gan.Random(gan.Tiny(), 3, 1)
}

func converter(t testing.TB, m *gan.Model, o Options) *Converter {
	t.Helper()
	c, err := New(m, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
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
				r, err := converter(t, m, Options{Vocoder: v, Threads: 1}).Convert(context.Background(), in, SpeakerVoice(m, 1), nil)
				if err != nil {
					t.Fatal(err)
				}
				if r.Clip.Rate != m.Features.SampleRate {
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
		r, err := converter(t, m, Options{Threads: threads}).Convert(context.Background(), in, SpeakerVoice(m, 0), nil)
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

// Cutting a long recording into pieces must not be heard: no jump at a cut is larger than those elsewhere, and the
// level stays.
func TestPiecesJoin(t *testing.T) {
	cuts := []int{0, 40, 100}
	hop, samples := 10, 995
	var pieces [][]float32
	for i := range len(cuts) - 1 {
		start, end := max(0, (cuts[i]-1)*hop), min(samples, (cuts[i+1]+1)*hop)
		x := make([]float32, end-start)
		for k := range x {
			x[k] = 1
		}
		pieces = append(pieces, x)
	}
	for i, v := range join(pieces, cuts, hop, samples) {
		if math.Abs(float64(v)-1) > 1e-6 {
			t.Fatalf("sample %d is %g, want 1", i, v)
		}
	}
}

func TestQuietCuts(t *testing.T) {
	const nMels = 2
	logMel := make([]float32, 5000*nMels)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range logMel {
		logMel[i] = r.Float32()
	}
	for _, quiet := range []int{800, 1777} {
		logMel[quiet*nMels], logMel[quiet*nMels+1] = -9, -9
	}
	cuts := quietCuts(logMel, nMels)
	if cuts[0] != 0 || cuts[len(cuts)-1] != 5000 || cuts[1] != 800 || cuts[2] != 1777 {
		t.Errorf("cuts at %d", cuts)
	}
	for i := 1; i < len(cuts); i++ {
		if n := cuts[i] - cuts[i-1]; n < 1 || n > pieceFrames+searchFrames {
			t.Errorf("piece of %d frames", n)
		}
	}
	if got := quietCuts(logMel[:nMels], nMels); !slices.Equal(got, []int{0, 1}) {
		t.Errorf("one frame: cuts at %d", got)
	}
}

func TestSilenceStaysSilent(t *testing.T) {
	m := model(t)
	in := audio.Clip{Samples: make([]float32, 16000), Rate: 16000}
	r, err := converter(t, m, Options{}).Convert(context.Background(), in, SpeakerVoice(m, 0), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, peak := audio.Level(r.Clip.Samples); peak > -60 {
		t.Errorf("silence became sound with a peak of %.1f dB", peak)
	}
}

func TestConvertRefusals(t *testing.T) {
	m := model(t)
	c := converter(t, m, Options{})
	in := audio.Clip{Samples: vowel(16000, 16000), Rate: 16000}
	if _, err := c.Convert(context.Background(), audio.Clip{Rate: 16000}, SpeakerVoice(m, 0), nil); err == nil {
		t.Error("no samples: no error")
	}
	if _, err := c.Convert(context.Background(), in, Voice{Style: []float32{1}}, nil); err == nil {
		t.Error("style of another model: no error")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Convert(ctx, in, SpeakerVoice(m, 0), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for _, o := range []Options{{Threads: -1}, {Vocoder: "tape"}, {PitchSemitones: math.NaN()}, {PitchSemitones: 99}} {
		if _, err := New(m, o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

func TestProgressReachesOne(t *testing.T) {
	m := model(t)
	in := audio.Clip{Samples: vowel(16000, 16000), Rate: 16000}
	last := 0.0
	_, err := converter(t, m, Options{}).Convert(context.Background(), in, SpeakerVoice(m, 0), func(part float64) {
		if part < last || part > 1 {
			t.Errorf("progress went from %g to %g", last, part)
		}
		last = part
	})
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
