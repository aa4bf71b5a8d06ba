package disturb

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/audio"
	"gonum.org/v1/gonum/dsp/fourier"
)

// talk is so many seconds of syllables and pauses, harmonics of 120 Hz under a falling spectrum with a hiss between them.
func talk(rate int, seconds float64, seed uint64) audio.Clip {
	random := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, int(seconds*float64(rate)))
	f0 := 100 + 20*float64(seed)
	for i := range x {
		t := float64(i) / float64(rate)
		if math.Mod(t, 1.1) > 0.8 {
			continue // a pause
		}
		loud := 0.2 + 0.8*math.Pow(math.Sin(math.Pi*t*4), 2)
		var s float64
		for h := 1; float64(h)*f0 < 0.45*float64(rate); h++ {
			s += math.Sin(2*math.Pi*f0*float64(h)*t+float64(h*h)) / float64(h)
		}
		x[i] = float32(0.05 * loud * (s + 0.1*random.NormFloat64()))
	}
	return audio.Clip{Samples: x, Rate: rate}
}

func parse(t *testing.T, text string) Condition {
	t.Helper()
	c, err := Parse(text)
	if err != nil || len(c) != 1 {
		t.Fatalf("%s: %d conditions, %v", text, len(c), err)
	}
	return c[0]
}

func apply(t *testing.T, text string, clip audio.Clip, o Options) audio.Clip {
	t.Helper()
	out, err := parse(t, text).Apply(clip, o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// others writes recordings of other people.
func others(t *testing.T, n int) []string {
	t.Helper()
	dir := t.TempDir()
	var files []string
	for i := range n {
		files = append(files, filepath.Join(dir, fmt.Sprintf("%d.wav", i)))
		if err := audio.WriteFile(files[i], talk(22050, 1.7, uint64(i)+2)); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func decibels(ratio float64) float64 { return 20 * math.Log10(ratio) }

func TestSNR(t *testing.T) {
	o := Options{Seed: 1, Recording: "a/1", Others: others(t, 8)}
	for _, rate := range []int{16000, 24000} {
		clip := talk(rate, 4, 1)
		for _, name := range []string{"noise", "babble"} {
			for _, snr := range []float64{20, 15, 5} {
				out := apply(t, fmt.Sprintf("%s=%g", name, snr), clip, o)
				noise := make([]float32, len(out.Samples))
				for i, v := range out.Samples {
					noise[i] = v - clip.Samples[i]
				}
				got := decibels(ActiveLevel(clip.Samples, rate) / math.Sqrt(power(noise)))
				if math.Abs(got-snr) > 0.3 {
					t.Errorf("%s at %d Hz: SNR %.2f dB, want %g", name, rate, got, snr)
				}
			}
		}
	}
}

// TestActiveLevel: pauses do not count, however many.
func TestActiveLevel(t *testing.T) {
	x := make([]float32, 48000)
	for i := range x[:16000] {
		x[i] = float32(0.1 * math.Sqrt2 * math.Sin(2*math.Pi*200*float64(i)/16000))
	}
	for i := range x[16000:] {
		x[16000+i] = float32(0.001 * math.Sin(float64(i)))
	}
	if got := ActiveLevel(x, 16000); math.Abs(got-0.1) > 0.001 {
		t.Errorf("%g, want 0.1", got)
	}
	if got := ActiveLevel(make([]float32, 100), 16000); got != 0 {
		t.Errorf("silence: %g", got)
	}
}

// bandPower is that of x from low to high Hz.
func bandPower(x []float32, rate int, low, high float64) float64 {
	n := 1 << bitsFor(len(x))
	padded := make([]float64, n)
	for i, v := range x {
		padded[i] = float64(v) * math.Pow(math.Sin(math.Pi*float64(i)/float64(len(x))), 2)
	}
	var sum float64
	for k, c := range fourier.NewFFT(n).Coefficients(nil, padded) {
		if hz := float64(k) * float64(rate) / float64(n); hz >= low && hz < high {
			sum += real(c)*real(c) + imag(c)*imag(c)
		}
	}
	return sum
}

// TestNoiseHasTheShapeOfSpeech: in every band of about an octave its power is as far below the speech as in all.
func TestNoiseHasTheShapeOfSpeech(t *testing.T) {
	clip := talk(16000, 4, 1)
	noise := speechShaped(clip.Samples, clip.Rate, rand.New(rand.NewPCG(1, 1)))
	all := bandPower(clip.Samples, 16000, 60, 8000) / bandPower(noise, 16000, 60, 8000)
	edges := []float64{60, 180, 420, 900, 1860, 3780, 7620} // in the middle between harmonics
	for i, low := range edges[:len(edges)-1] {
		high := edges[i+1]
		ratio := bandPower(clip.Samples, 16000, low, high) / bandPower(noise, 16000, low, high)
		if d := 10 * math.Log10(ratio/all); math.Abs(d) > 1.5 {
			t.Errorf("%g to %g Hz: %.1f dB off", low, high, d)
		}
	}
	// Stationary: no half second is much louder than another.
	var least, most float64 = math.Inf(1), 0
	for piece := range slices.Chunk(noise, 8000) {
		least, most = min(least, power(piece)), max(most, power(piece))
	}
	if most > 1.6*least {
		t.Errorf("half seconds differ by %.1f dB", 10*math.Log10(most/least))
	}
}

// TestReverberationTime integrates backwards (Schroeder, "New method of measuring reverberation time", 1965) and fits -5 to -35 dB.
func TestReverberationTime(t *testing.T) {
	for _, want := range []float64{0.2, 0.4, 0.6, 1, 2} {
		for seed := range uint64(5) {
			const rate = 16000
			h := roomResponse(want, rate, rand.New(rand.NewPCG(seed, 1)))
			if h[0] != 1 || slices.ContainsFunc(h[1:rate*2/1000], func(v float64) bool { return v != 0 }) {
				t.Fatalf("RT60 %g: the direct sound is %g, and there are reflections within 2 ms", want, h[0])
			}
			curve := make([]float64, len(h))
			var sum float64
			for i := len(h) - 1; i >= 0; i-- {
				sum += h[i] * h[i]
				curve[i] = sum
			}
			var n, sx, sy, sxx, sxy float64
			for i, v := range curve {
				if db := 10 * math.Log10(v/curve[0]); db <= -5 && db >= -35 {
					x := float64(i) / rate
					n, sx, sy, sxx, sxy = n+1, sx+x, sy+db, sxx+x*x, sxy+x*db
				}
			}
			got := -60 / ((n*sxy - sx*sy) / (n*sxx - sx*sx))
			if math.Abs(got-want) > 0.15*want {
				t.Errorf("seed %d: RT60 %.3f s, want %g", seed, got, want)
			}
		}
	}
}

// TestPhone: the band is kept, what is beside it is gone, and the timing stays.
func TestPhone(t *testing.T) {
	const rate = 16000
	random := rand.New(rand.NewPCG(1, 1))
	x := make([]float32, 2*rate)
	for i := range x {
		x[i] = float32(0.05 * random.NormFloat64())
	}
	in := audio.Clip{Samples: x, Rate: rate}
	out := apply(t, "phone", in, Options{})
	change := func(low, high float64) float64 {
		return 10 * math.Log10(bandPower(out.Samples, rate, low, high)/bandPower(x, rate, low, high))
	}
	middle := change(500, 3000)
	for _, c := range []struct{ low, high, least, most float64 }{
		{350, 600, -1, 1}, {3000, 3350, -1, 1}, {0, 200, -200, -25}, {3600, 4000, -200, -25}, {4200, 8000, -200, -40},
	} {
		if got := change(c.low, c.high) - middle; got < c.least || got > c.most {
			t.Errorf("%g to %g Hz: %.1f dB against the middle, want %g to %g", c.low, c.high, got, c.least, c.most)
		}
	}
	// Against the recording's own band without mu-law: no lag, and noise of 8 bits.
	band := convolve(append(slices.Clone(x), make([]float32, 255)...), bandPass(300, 3400, rate, 511))[255:][:len(x)]
	var xy, xx, yy float64
	for i, v := range band {
		xy, xx, yy = xy+float64(v)*float64(out.Samples[i]), xx+float64(v)*float64(v), yy+float64(out.Samples[i])*float64(out.Samples[i])
	}
	if r := xy / math.Sqrt(xx*yy); r < 0.99 {
		t.Errorf("correlation with the band-limited recording %.3f, want 0.99", r)
	}
}

func TestMuLaw(t *testing.T) {
	for v := float32(-1); v <= 1; v += 0.001 {
		if d := math.Abs(float64(muLaw(v) - v)); d > 0.025*math.Abs(float64(v))+0.0002 {
			t.Fatalf("%g became %g", v, muLaw(v))
		}
	}
}

func TestCodec(t *testing.T) {
	clip := talk(16000, 2, 1)
	var before float64 = math.Inf(1)
	for _, snr := range []float64{60, 30, 12, 6} {
		out := apply(t, fmt.Sprintf("codec=%g", snr), clip, Options{})
		var noise float64
		for i, v := range out.Samples {
			noise += math.Pow(float64(v-clip.Samples[i]), 2)
		}
		got := 10 * math.Log10(power(clip.Samples)*float64(len(clip.Samples))/noise)
		if got >= before || got < snr-2 {
			t.Errorf("codec=%g: SNR %.1f dB, after %.1f", snr, got, before)
		}
		before = got
	}
	if edges := codecEdges(16000); !slices.IsSorted(edges) || edges[codecBands] != codecBins {
		t.Errorf("%v", edges)
	}
}

// TestKept: length, level and timing stay; the same seed and name give the same samples, others do not.
func TestKept(t *testing.T) {
	files := others(t, 5)
	for _, text := range []string{"noise=15", "babble=10", "room=0.6", "phone", "quiet=30", "clip=12", "codec=9", "room=0.3+noise=20+phone"} {
		for _, rate := range []int{16000, 22050} {
			clip := talk(rate, 2.1, 1)
			before := slices.Clone(clip.Samples)
			o := Options{Seed: 3, Recording: "ann/1", Others: files}
			a, b := apply(t, text, clip, o), apply(t, text, clip, o)
			if !slices.Equal(a.Samples, b.Samples) {
				t.Errorf("%s: not the same twice", text)
			}
			if !slices.Equal(clip.Samples, before) {
				t.Errorf("%s: the recording itself was changed", text)
			}
			if len(a.Samples) != len(before) || a.Rate != rate {
				t.Errorf("%s: %d samples at %d, want %d at %d", text, len(a.Samples), a.Rate, len(before), rate)
			}
			want := 0.0
			switch text {
			case "quiet=30":
				want = -30
			case "noise=15", "babble=10", "room=0.3+noise=20+phone": // in which pauses are no longer below the margin
				want = decibels(ActiveLevel(a.Samples, rate) / ActiveLevel(before, rate))
				if math.Abs(want) > 1.2 {
					t.Errorf("%s: %.2f dB louder", text, want)
				}
			}
			if got := decibels(ActiveLevel(a.Samples, rate) / ActiveLevel(before, rate)); math.Abs(got-want) > 0.05 {
				t.Errorf("%s: %.2f dB louder, want %g", text, got, want)
			}
			random := strings.Contains(text, "noise") || strings.Contains(text, "babble") || strings.Contains(text, "room")
			for _, other := range []Options{{4, "ann/1", files}, {3, "ann/2", files}} {
				if c := apply(t, text, clip, other); slices.Equal(a.Samples, c.Samples) == random {
					t.Errorf("%s: with %d %s the same samples: %v", text, other.Seed, other.Recording, !random)
				}
			}
		}
	}
}

func TestPeak(t *testing.T) {
	clip := talk(16000, 1, 1)
	scale(clip.Samples, 6)
	out := apply(t, "noise=0", clip, Options{})
	for _, v := range out.Samples {
		if v > 1 || v < -1 {
			t.Fatalf("a sample of %g", v)
		}
	}
}

func TestParse(t *testing.T) {
	all, err := Parse("clean, noise=15,babble=15,room=0.6,phone,quiet=30,clip=6,codec=9,room=0.3+noise=10")
	if err != nil || len(all) != 8 || all[7].String() != "room=0.3+noise=10" || !all[1].Babble() || all[0].Babble() {
		t.Errorf("%v, %v", all, err)
	}
	for list, want := range map[string]string{
		"":                    "no condition",
		"clean":               "no condition",
		"hail=3":              `"hail" is not known, want one of noise, babble, room, phone, quiet, clip, codec`,
		"noise":               "noise needs a value in dB, such as noise=20",
		"noise=loud":          "want a number of dB from -20 to 60",
		"noise=nan":           "want a number of dB",
		"room=9":              "want a number of s from 0.05 to 3",
		"phone=3":             "phone takes no value",
		"phone,quiet=3,phone": `"phone" is there twice`,
		"room=0.5+":           `"" is not known`,
	} {
		if _, err := Parse(list); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", list, err, want)
		}
	}
}

func TestRefuses(t *testing.T) {
	nan := talk(16000, 1, 1)
	nan.Samples[7] = float32(math.NaN())
	silent := filepath.Join(t.TempDir(), "silent.wav")
	if err := audio.WriteFile(silent, audio.Clip{Samples: make([]float32, 1000), Rate: 16000}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text string
		clip audio.Clip
		o    Options
		want string
	}{
		{"noise=15", audio.Clip{Samples: make([]float32, 1000), Rate: 16000}, Options{}, "silent"},
		{"quiet=3", nan, Options{}, "not numbers"},
		{"room=1", audio.Clip{Rate: 16000}, Options{}, "silent"},
		{"babble=15", talk(16000, 1, 1), Options{Others: others(t, 3)}, "there are 3: give more sources"},
		{"babble=15", talk(16000, 1, 1), Options{Others: []string{"a.wav", "b.wav", "c.wav", "d.wav"}}, ".wav"},
		{"babble=15", talk(16000, 1, 1), Options{Others: []string{silent, silent, silent, silent}}, "silent.wav is silent"},
	} {
		if _, err := parse(t, c.text).Apply(c.clip, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.text, err, c.want)
		}
	}
}
