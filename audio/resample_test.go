package audio

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// ratePairs covers up and down, whole and broken ratios, exact and interpolated banks.
var ratePairs = [][2]int{
	{44100, 16000}, {48000, 16000}, {22050, 16000}, {24000, 16000}, {16000, 48000}, {16000, 44100}, {8000, 16000},
	{16000, 24000}, {44100, 44101}, {44101, 16001}, {192000, 8000}, {16000, 16000}, {768000, 1009},
}

func noise(n int, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.Float64()*2 - 1)
	}
	return x
}

func tone(n int, hz float64, rate int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(math.Sin(2 * math.Pi * hz * float64(i) / float64(rate)))
	}
	return x
}

// directResample evaluates the windowed sinc at every tap in float64, without a bank.
func directResample(x []float32, from, to int) []float64 {
	r, _ := NewResampler(from, to)
	beta := 0.1102 * (stopBandDB - 8.7)
	window := kaiser{beta: beta, scale: 1 / besselI0(beta), half: float64(r.half)}
	cutoff := 0.25 * min(1, float64(to)/float64(from)) * (1 + passBandEdge)
	y := make([]float64, resampledLen(int64(len(x)), from, to))
	for k := range y {
		num := k * r.down
		at, frac := num/r.up, float64(num%r.up)/float64(r.up)
		var sum, gain float64
		for i := at - r.half + 1; i <= at+r.half; i++ {
			t := float64(i-at) - frac
			h := sinc(2*cutoff*t) * window.at(t)
			gain += h
			if i >= 0 && i < len(x) {
				sum += h * float64(x[i])
			}
		}
		y[k] = sum / gain
	}
	return y
}

func TestResampleAgainstDirectSum(t *testing.T) {
	for _, rates := range ratePairs {
		from, to := rates[0], rates[1]
		if from == to {
			continue
		}
		t.Run(fmt.Sprintf("%d to %d", from, to), func(t *testing.T) {
			t.Parallel()
			x := noise(6000, 1)
			got, want := Resample(x, from, to), directResample(x, from, to)
			if len(got) != len(want) {
				t.Fatalf("%d samples, want %d", len(got), len(want))
			}
			for k := range got {
				if d := math.Abs(float64(got[k]) - want[k]); d > 2e-5 {
					t.Fatalf("sample %d: %g, want %g", k, got[k], want[k])
				}
			}
		})
	}
}

func TestResampleLength(t *testing.T) {
	for _, rates := range ratePairs {
		for _, n := range []int{0, 1, 2, 99, 441, 10007} {
			want := int(math.Floor(float64(n)*float64(rates[1])/float64(rates[0]) + 0.5))
			if got := len(Resample(make([]float32, n), rates[0], rates[1])); got != want {
				t.Errorf("%d samples from %d to %d Hz: %d, want %d", n, rates[0], rates[1], got, want)
			}
		}
	}
}

// TestResampleStopBand holds the promise of 80 dB: tones from the lower Nyquist frequency on leave nothing when the
// rate falls, and tones leave no image above it when the rate rises.
func TestResampleStopBand(t *testing.T) {
	for _, rates := range [][2]int{{44100, 16000}, {48000, 16000}, {22050, 16000}, {44101, 16001}, {48000, 24000}} {
		from, to := rates[0], rates[1]
		var worst float64
		for _, part := range []float64{1, 1.003, 1.01, 1.02, 1.03, 1.05, 1.1, 1.2, 1.37} {
			y := inner(Resample(tone(from/4, part*float64(to)/2, from), from, to))
			worst = max(worst, peakOf(y))
		}
		if db := 20 * math.Log10(worst); db > -80 {
			t.Errorf("%d to %d Hz: stop band at %.1f dB", from, to, db)
		} else {
			t.Logf("%d to %d Hz: stop band at %.1f dB", from, to, db)
		}
	}
	for _, rates := range [][2]int{{16000, 48000}, {16000, 44100}, {8000, 16000}, {16001, 44101}} {
		from, to := rates[0], rates[1]
		var worst float64
		for _, part := range []float64{0.01, 0.3, 0.7, 0.89, 0.95, 0.999} {
			hz := part * float64(from) / 2
			y := inner(Resample(tone(from/2, hz, from), from, to))
			for image := 1; image <= 2; image++ {
				for _, at := range []float64{float64(image*from) - hz, float64(image*from) + hz} {
					if at < float64(to)/2 {
						worst = max(worst, amplitude(y, at, to))
					}
				}
			}
		}
		if db := 20 * math.Log10(worst); db > -80 {
			t.Errorf("%d to %d Hz: images at %.1f dB", from, to, db)
		} else {
			t.Logf("%d to %d Hz: images at %.1f dB", from, to, db)
		}
	}
}

// TestResamplePassBand compares tones with the same tones computed at the new rate: gain, phase (no delay) and noise
// in one.
func TestResamplePassBand(t *testing.T) {
	for _, rates := range ratePairs {
		from, to := rates[0], rates[1]
		for _, part := range []float64{0.02, 0.25, 0.6, 0.89} {
			hz := part * float64(min(from, to)) / 2
			got := Resample(tone(from/2, hz, from), from, to)
			want := tone(len(got), hz, to)
			var worst float64
			margin := len(got) / 4
			for k := margin; k < len(got)-margin; k++ {
				worst = max(worst, math.Abs(float64(got[k]-want[k])))
			}
			if db := 20 * math.Log10(worst); db > -80 {
				t.Errorf("%d to %d Hz: a tone of %.0f Hz is off by %.1f dB", from, to, hz, db)
			}
		}
	}
}

func inner(x []float32) []float32 { return x[len(x)/4 : len(x)-len(x)/4] }

func peakOf(x []float32) (peak float64) {
	for _, v := range x {
		peak = max(peak, math.Abs(float64(v)))
	}
	return peak
}

// amplitude measures the tone at hz in x under a Blackman-Harris window.
func amplitude(x []float32, hz float64, rate int) float64 {
	var re, im, sum float64
	for i, v := range x {
		p := 2 * math.Pi * float64(i) / float64(len(x))
		w := 0.35875 - 0.48829*math.Cos(p) + 0.14128*math.Cos(2*p) - 0.01168*math.Cos(3*p)
		a := 2 * math.Pi * hz * float64(i) / float64(rate)
		re, im, sum = re+w*float64(v)*math.Cos(a), im+w*float64(v)*math.Sin(a), sum+w
	}
	return 2 * math.Hypot(re, im) / sum
}

func TestResamplerAnyChunking(t *testing.T) {
	for _, rates := range ratePairs {
		x := noise(20011, 2)
		want := Resample(x, rates[0], rates[1])
		r, err := NewResampler(rates[0], rates[1])
		if err != nil {
			t.Fatal(err)
		}
		for _, chunk := range []int{1, 159, 160, 161, 4093, 8192, len(x)} {
			var got []float32
			fed := 0
			for c := range slices.Chunk(x, chunk) {
				got = r.Process(got, c)
				fed += len(c)
				if least := fed*rates[1]/rates[0] - r.Latency(); len(got) < least {
					t.Fatalf("%v: %d samples after %d, Latency promises %d", rates, len(got), fed, least)
				}
			}
			// What is out already cannot depend on what follows, so that this is the test of causality too.
			if !slices.Equal(got, want[:len(got)]) {
				t.Fatalf("%v in chunks of %d: differs before Flush", rates, chunk)
			}
			if got = r.Flush(got); !slices.Equal(got, want) { // and Flush resets for the next round
				t.Fatalf("%v in chunks of %d: differs", rates, chunk)
			}
		}
	}
}

func TestResamplerReset(t *testing.T) {
	r, _ := NewResampler(44100, 16000)
	x := noise(5000, 3)
	r.Process(nil, noise(777, 4))
	r.Reset()
	if got := r.Flush(r.Process(nil, x)); !slices.Equal(got, Resample(x, 44100, 16000)) {
		t.Error("the signal before Reset is still heard")
	}
}

func TestNewResamplerRefuses(t *testing.T) {
	for _, rates := range [][2]int{{0, 16000}, {16000, 0}, {-1, 16000}, {16000, MaxRate + 1}, {MinRate - 1, 16000}} {
		if _, err := NewResampler(rates[0], rates[1]); err == nil {
			t.Errorf("%v: no error", rates)
		}
	}
}

func TestResamplerAllocs(t *testing.T) {
	for _, rates := range [][2]int{{48000, 16000}, {44101, 16001}, {16000, 48000}} {
		r, _ := NewResampler(rates[0], rates[1])
		x := noise(960, 5)
		dst := make([]float32, 0, 4*len(x))
		if n := testing.AllocsPerRun(100, func() { dst = r.Process(dst[:0], x) }); n != 0 {
			t.Errorf("%v: %v allocations per Process", rates, n)
		}
	}
}

func BenchmarkResample(b *testing.B) {
	for _, rates := range [][2]int{{44100, 16000}, {48000, 16000}, {16000, 48000}, {44100, 44101}} {
		b.Run(fmt.Sprintf("%dto%d", rates[0], rates[1]), func(b *testing.B) {
			x := noise(10*rates[0], 6)
			b.ReportAllocs()
			for b.Loop() {
				Resample(x, rates[0], rates[1])
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/10, "RTF")
		})
	}
}
