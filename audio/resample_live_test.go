package audio

import (
	"math"
	"slices"
	"testing"
)

var liveRates = [][2]int{
	{48000, 16000}, {16000, 48000}, {44100, 16000}, {16000, 44100}, {22050, 16000}, {8000, 16000}, {16000, 8000},
	{96000, 24000}, {16000, 24000}, {44101, 16001}, {16000, 16000}, {1000, 16000}, {16000, 1000},
}

func liveResampler(t *testing.T, from, to int) *Resampler {
	t.Helper()
	r, err := NewLiveResampler(from, to)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestLiveResamplerDelay(t *testing.T) {
	for _, rates := range liveRates {
		r := liveResampler(t, rates[0], rates[1])
		delay := float64(r.half) / float64(rates[0])
		if most := 0.002 + 1.5/float64(rates[0]); min(rates[0], rates[1]) >= 6500 && delay > most {
			t.Errorf("%v: waits for %.2f ms", rates, 1000*delay)
		}
		t.Logf("%v: waits for %.2f ms", rates, 1000*delay)
	}
	if _, err := NewLiveResampler(0, 16000); err == nil {
		t.Error("rate 0: no error")
	}
}

// Outputs must foretell every single output.
func TestResamplerOutputs(t *testing.T) {
	for _, rates := range slices.Concat(ratePairs, liveRates) {
		for _, live := range []bool{false, true} {
			r, _ := NewResampler(rates[0], rates[1])
			if live {
				r = liveResampler(t, rates[0], rates[1])
			}
			x := noise(min(3000, 3*r.half+500), 9)
			given := 0
			for n := range x {
				given += len(r.Process(nil, x[n:n+1]))
				if want := r.Outputs(int64(n + 1)); int64(given) != want {
					t.Fatalf("%v, live %v: %d samples gave %d, Outputs says %d", rates, live, n+1, given, want)
				}
			}
		}
	}
}

// Up to 0.95 kHz below the lower Nyquist frequency a tone passes unchanged; from 0.4 kHz above it nothing is left.
func TestLiveResamplerBands(t *testing.T) {
	resample := func(x []float32, from, to int) []float32 {
		r := liveResampler(t, from, to)
		return inner(r.Flush(r.Process(nil, x)))
	}
	for _, rates := range [][2]int{{48000, 16000}, {44100, 16000}, {16000, 48000}, {16000, 44100}, {8000, 16000}} {
		from, to := rates[0], rates[1]
		nyquist := float64(min(from, to)) / 2
		for _, hz := range []float64{100, 1000, nyquist - 2000, nyquist - 950} {
			got := resample(tone(from/2, hz, from), from, to)
			if db := 20 * math.Log10(amplitude(got, hz, to)); math.Abs(db) > 0.01 {
				t.Errorf("%v: a tone of %.0f Hz comes out at %.3f dB", rates, hz, db)
			}
		}
		for _, beyond := range []float64{400, 450, 600, 1000, 2000} {
			if hz := nyquist + beyond; from > to {
				if db := 20 * math.Log10(peakOf(resample(tone(from/2, hz, from), from, to))); db > -80 {
					t.Errorf("%v: a tone of %.0f Hz leaves %.1f dB", rates, hz, db)
				}
			} else if db := 20 * math.Log10(amplitude(resample(tone(from/2, nyquist-beyond, from), from, to), hz, to)); db > -80 {
				t.Errorf("%v: a tone of %.0f Hz has an image of %.1f dB", rates, nyquist-beyond, db)
			}
		}
	}
}

func TestLiveResamplerAnyChunking(t *testing.T) {
	for _, rates := range liveRates {
		x := noise(9001, 2)
		r := liveResampler(t, rates[0], rates[1])
		want := r.Flush(r.Process(nil, x))
		for _, chunk := range []int{1, 160, 997} {
			var got []float32
			for c := range slices.Chunk(x, chunk) {
				got = r.Process(got, c)
			}
			if got = r.Flush(got); !slices.Equal(got, want) {
				t.Fatalf("%v in chunks of %d: differs", rates, chunk)
			}
		}
	}
}
