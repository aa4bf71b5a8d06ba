package eval

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
)

// voice is a speaker made by formula.
type voice struct {
	rate     int     // Hz
	f0       float64 // Hz, about which the melody moves
	formants float64 // factor on all formants: above 1 a shorter throat
	tempo    float64 // factor on the speed
}

var (
	low  = voice{rate: 16000, f0: 110, formants: 1, tempo: 1}
	high = voice{rate: 16000, f0: 190, formants: 1.2, tempo: 1}
)

// says is the sentence: eight vowels with a hiss between them, and silence at both ends.
func (v voice) says() audio.Clip {
	vowels := [][3]float64{{730, 1090, 2440}, {270, 2290, 3010}, {300, 870, 2240}, {530, 1840, 2480},
		{660, 1720, 2410}, {490, 1350, 1690}, {440, 1020, 2240}, {390, 1990, 2550}}
	const each, hiss, rim = 0.22, 0.07, 0.25 // seconds at tempo 1
	random := rand.New(rand.NewPCG(7, 7))
	length := (2*rim + each*float64(len(vowels))) / v.tempo
	x := make([]float32, int(length*float64(v.rate)))
	var turn float64
	for i := range x {
		at := float64(i)/float64(v.rate)*v.tempo - rim // seconds at tempo 1
		k := int(math.Floor(at / each))
		if at < 0 || k >= len(vowels) {
			continue
		}
		f0 := v.f0 * (1 + 0.2*math.Sin(2*math.Pi*at*0.8))
		turn += f0 / float64(v.rate)
		if at-float64(k)*each > each-hiss {
			x[i] = float32(0.03 * random.NormFloat64())
			continue
		}
		next := vowels[min(k+1, len(vowels)-1)]
		glide := max(0, (at-float64(k)*each)/each-0.4)
		var s float64
		for h := 1; float64(h)*f0 < 0.45*float64(v.rate); h++ {
			hz, gain := float64(h)*f0, 0.003
			for j, formant := range vowels[k] {
				f := v.formants * (formant + glide*(next[j]-formant))
				d := (hz - f) / (70 + 40*float64(j))
				gain += 1 / float64(j+1) / (1 + d*d)
			}
			s += gain / float64(h) * math.Sin(2*math.Pi*float64(h)*turn)
		}
		x[i] = float32(0.15 * s)
	}
	return audio.Clip{Samples: x, Rate: v.rate}
}

// with is v with other settings.
func (v voice) with(change func(*voice)) voice { change(&v); return v }

func mustMCD(t *testing.T, ref, test audio.Clip) Result {
	t.Helper()
	r, err := MCD(ref, test, DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestIdenticalIsZero(t *testing.T) {
	r := mustMCD(t, low.says(), low.says())
	if r.MCD != 0 || r.VoicingError != 0 {
		t.Errorf("MCD %g dB, voicing error %g, want 0", r.MCD, r.VoicingError)
	}
	if r.VoicedPairs > 0 && (math.Abs(r.LogF0Corr-1) > 1e-9 || r.LogF0RMSE != 0) {
		t.Errorf("log-F0 correlation %g and RMSE %g, want 1 and 0", r.LogF0Corr, r.LogF0RMSE)
	}
}

// What does not change who speaks must count for little, what does for much.
func TestWhatCounts(t *testing.T) {
	quiet := low.says()
	for i := range quiet.Samples {
		quiet.Samples[i] *= 0.02
	}
	pad := func(samples int) audio.Clip {
		clip := low.says()
		clip.Samples = slices.Concat(make([]float32, samples), clip.Samples, make([]float32, 5000))
		return clip
	}
	tests := []struct {
		name        string
		test        audio.Clip
		least, most float64 // dB
	}{
		{"34 dB quieter", quiet, 0, 0.05},
		{"more silence around it", pad(57 * 160), 0, 0.05},
		{"off the grid of frames", pad(57*160 + 80), 0, 2},
		{"at another rate", low.with(func(v *voice) { v.rate = 24000 }).says(), 0, 2},
		{"slower", low.with(func(v *voice) { v.tempo = 0.75 }).says(), 0, 2},
		{"faster", low.with(func(v *voice) { v.tempo = 1.3 }).says(), 0, 2},
		{"shorter throat", low.with(func(v *voice) { v.formants = 1.2 }).says(), 4, 20},
		{"other voice", high.says(), 4, 20},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := mustMCD(t, low.says(), tt.test).MCD
			t.Logf("%.2f dB", got)
			if got < tt.least || got > tt.most {
				t.Errorf("MCD %.2f dB, want %g to %g", got, tt.least, tt.most)
			}
		})
	}
}

// One cosine over the bands, a neper high, is one coefficient of 1.
func TestCepstraOfACosine(t *testing.T) {
	cfg := DefaultConfig()
	n := cfg.Features.NMels
	for _, d := range []int{1, 5, 24} {
		var pair [2]features.Frames
		for i := range pair {
			f := features.Frames{NMels: n, LogMel: make([]float32, n)}
			for m := range n {
				neper := 0.7*float64(i) + float64(i)*math.Cos(math.Pi*float64(d)*(float64(m)+0.5)/float64(n))
				f.LogMel[m] = float32(neper / cfg.Features.MelScale)
			}
			pair[i] = f
		}
		a, b := cepstra(pair[0], cfg), cepstra(pair[1], cfg)
		for i := range a {
			want := 0.0
			if i+1 == d {
				want = 1
			}
			if math.Abs(b[i]-a[i]-want) > 1e-6 {
				t.Errorf("cosine %d: coefficient %d is %g, want %g", d, i+1, b[i]-a[i], want)
			}
		}
		ref := &Utterance{cfg: cfg, cepstra: a, f0: []float32{0}, active: []int{0}}
		test := &Utterance{cfg: cfg, cepstra: b, f0: []float32{0}, active: []int{0}}
		r, err := Compare(ref, test)
		if err != nil {
			t.Fatal(err)
		}
		// A cosine of 1 neper has an RMS of 8.686/sqrt(2) dB.
		if want := 20 / math.Ln10 / math.Sqrt2; math.Abs(r.MCD-want) > 1e-5 {
			t.Errorf("cosine %d: MCD %g dB, want %g", d, r.MCD, want)
		}
	}
}
