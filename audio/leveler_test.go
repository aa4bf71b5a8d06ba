package audio

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// talk is like speech at rate Hz in its levels: syllables of a buzz, 200 ms long and of different loudness, over a faint noise,
// and pauses of half a second. The same seed gives the same.
func talk(rate int, seconds float64, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 0))
	x := make([]float32, int(seconds*float64(rate)))
	syllable, loud := -1, 0.0
	for i := range x {
		t := float64(i) / float64(rate)
		if k := int(t / 0.2); k != syllable {
			syllable, loud = k, 0.1*math.Pow(10, r.Float64()*8/20)
		}
		if math.Mod(t, 2) < 1.5 && t > 0.3 {
			shape := math.Sin(math.Pi * math.Mod(t, 0.2) / 0.2)
			for h := 1; h < 12; h++ {
				x[i] += float32(loud * shape * math.Sin(2*math.Pi*140*float64(h)*t) / float64(h))
			}
		}
		x[i] += float32(0.0003 * r.NormFloat64())
	}
	return x
}

func times(x []float32, gainDB float64) []float32 {
	y := slices.Clone(x)
	Amplify(y, gainDB)
	return y
}

// cuts are how a stream may be cut, by a hop of n.
func cuts(n, all int) []int { return []int{1, n - 1, n, n + 1, 197, all} }

func TestHighPassResponse(t *testing.T) {
	const rate = 16000
	for _, order := range []int{2, 4, 6} {
		for _, tt := range []struct{ hz, want float64 }{
			{12, -20 * math.Log10(math.Sqrt(1+math.Pow(35.0/12, 2*float64(order))))},
			{35, -3.0103}, {70, -10 * math.Log10(1+math.Pow(0.5, 2*float64(order)))}, {1000, 0},
		} {
			h, err := NewHighPass(rate, 35, order)
			if err != nil {
				t.Fatal(err)
			}
			y := h.Process(nil, tone(4*rate, tt.hz, rate))
			in, _ := Level(tone(4*rate, tt.hz, rate)[2*rate:])
			out, _ := Level(y[2*rate:])
			if math.Abs(out-in-tt.want) > 0.02 {
				t.Errorf("order %d at %g Hz: %.3f dB, want %.3f", order, tt.hz, out-in, tt.want)
			}
		}
	}
}

func TestHighPassBounds(t *testing.T) {
	for name, f := range map[string]func() (*HighPass, error){
		"odd order": func() (*HighPass, error) { return NewHighPass(16000, 35, 3) },
		"no order":  func() (*HighPass, error) { return NewHighPass(16000, 35, 0) },
		"no cutoff": func() (*HighPass, error) { return NewHighPass(16000, 0, 2) },
		"beyond":    func() (*HighPass, error) { return NewHighPass(16000, 8000, 2) },
		"NaN":       func() (*HighPass, error) { return NewHighPass(16000, math.NaN(), 2) },
	} {
		if _, err := f(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestHighPassOffset(t *testing.T) {
	h, _ := NewHighPass(16000, 35, 6)
	x := make([]float32, 16000)
	for i := range x {
		x[i] = 0.3
	}
	if peak := peakOf(h.Process(nil, x)); peak > 1e-6 {
		t.Errorf("an offset from the beginning makes a thump of %g", peak)
	}
}

func TestHighPassChunks(t *testing.T) {
	x := talk(16000, 1, 1)
	h, _ := NewHighPass(16000, 35, 6)
	want := h.Process(nil, x)
	for _, n := range cuts(160, len(x)) {
		h.Reset()
		var y []float32
		for c := range slices.Chunk(x, n) {
			y = h.Process(y, c)
		}
		if !slices.Equal(y, want) {
			t.Errorf("pieces of %d: another result", n)
		}
	}
}

func TestSpeechLevel(t *testing.T) {
	const rate = 16000
	x := talk(rate, 6, 1)
	want, contrast := SpeechLevel(x, rate)
	if contrast < 20 {
		t.Errorf("contrast %.1f dB", contrast)
	}
	r := rand.New(rand.NewPCG(2, 0))
	noise := make([]float32, 3*len(x))
	for i := range noise {
		noise[i] = float32(r.NormFloat64())
	}
	noisy := func(snr float64) []float32 {
		y := slices.Clone(noise)
		Amplify(y, want-snr)
		for i, v := range x {
			y[i] += v
		}
		return y
	}
	clicks := slices.Clone(x)
	for i := 5000; i < len(clicks); i += 20000 {
		clicks[i] = 1
	}
	knock := slices.Clone(x)
	for i := range 800 { // 50 ms
		knock[30000+i] = float32(0.9 * math.Sin(0.1*float64(i)))
	}
	faint := times(x, -30)
	copy(faint[30000:30800], knock[30000:])
	nan := slices.Clone(x)
	nan[100], nan[200] = float32(math.NaN()), float32(math.Inf(1))
	for _, tt := range []struct {
		name string
		x    []float32
		want float64
		by   float64
	}{
		{"30 dB quieter", times(x, -30), want - 30, 0.1},
		{"17.3 dB louder", times(x, 17.3), want + 17.3, 0.1},
		{"long silence", append(make([]float32, 60*rate), x...), want, 0.3},
		{"pauses with noise at 20 dB", noisy(20), want, 0.8},
		{"pauses with noise at 10 dB", noisy(10), want, 1.5},
		{"clicks", clicks, want, 0.5},
		{"knock", knock, want, 0.5},
		{"knock beside faint speech", faint, want - 30, 0.5},
		{"not finite", nan, want, 0.1},
	} {
		if got, _ := SpeechLevel(tt.x, rate); math.Abs(got-tt.want) > tt.by {
			t.Errorf("%s: %.2f dB, want %.2f", tt.name, got, tt.want)
		}
	}
	for name, x := range map[string][]float32{"nothing": nil, "silence": make([]float32, rate)} {
		if got, contrast := SpeechLevel(x, rate); !math.IsInf(got, -1) || contrast != 0 {
			t.Errorf("%s: %g dB, contrast %g", name, got, contrast)
		}
	}
	if got, _ := SpeechLevel([]float32{0.1, -0.1}, rate); !close3(got, -20) {
		t.Errorf("two samples: %g dB", got)
	}
}

// steady are sounds that hold no speech.
func steady(rate int) map[string][]float32 {
	r := rand.New(rand.NewPCG(3, 0))
	noise, hum := make([]float32, 4*rate), make([]float32, 4*rate)
	for i := range noise {
		noise[i] = float32(0.001 * r.NormFloat64())
		hum[i] = float32(0.001*math.Sin(2*math.Pi*50*float64(i)/float64(rate)) + 0.0001*r.NormFloat64())
	}
	onset := append(make([]float32, 2*rate), noise...)
	return map[string][]float32{"noise": noise, "hum": hum, "noise after silence": onset, "silence": make([]float32, rate), "nothing": nil}
}

func TestLevelSpeech(t *testing.T) {
	const rate = 16000
	x := talk(rate, 6, 1)
	for _, dB := range []float64{-30, -20, 0, 10} {
		l := LevelSpeech(times(x, dB), rate)
		if got, _ := SpeechLevel(l.Samples, rate); math.Abs(got-SpeechDB) > 0.1 {
			t.Errorf("%g dB: speech at %.2f dB", dB, got)
		}
		y := slices.Clone(l.Samples)
		l.Restore(y, rate)
		want, _ := Level(WithoutRumble(times(x, dB), rate))
		if got, _ := Level(y); dB < 0 && math.Abs(got-want) > 1e-3 {
			t.Errorf("%g dB: restored to %.3f dB, want %.3f", dB, got, want)
		}
		if peakOf(y) > 1 {
			t.Errorf("%g dB: restored to a peak of %g", dB, peakOf(y))
		}
	}
	if l := LevelSpeech(times(x, -60), rate); l.GainDB > maxGainDB {
		t.Errorf("amplified by %g dB", l.GainDB)
	}
	for name, x := range steady(rate) {
		if l := LevelSpeech(x, rate); l.GainDB > 0 {
			t.Errorf("%s: amplified by %.1f dB", name, l.GainDB)
		}
	}
}

func TestLevelSpeechBelowRumble(t *testing.T) {
	const rate = 16000
	x := talk(rate, 4, 1)
	want := LevelSpeech(x, rate).Samples
	for name, f := range map[string]func(i int) float64{
		"offset": func(int) float64 { return 0.03 },
		"12 Hz":  func(i int) float64 { return 0.1414 * math.Cos(2*math.Pi*12*float64(i)/rate+0.6) },
	} {
		y := slices.Clone(x)
		for i := range y {
			y[i] += float32(f(i))
		}
		got := LevelSpeech(y, rate).Samples
		difference := make([]float32, len(got))
		for i := range got {
			difference[i] = got[i] - want[i]
		}
		if d, _ := Level(difference[rate/4:]); d > -65 {
			t.Errorf("%s: %.1f dB are left of it", name, d)
		}
	}
}

// leveled is what a Leveler makes of x in pieces of n, and what it restores of that, so many samples later.
func leveled(t testing.TB, x []float32, rate, n, delay int) (heard, restored []float32, l *Leveler) {
	t.Helper()
	l, err := NewLeveler(rate)
	if err != nil {
		t.Fatal(err)
	}
	give := func(upTo int) {
		from := len(restored)
		if upTo > from {
			restored = append(restored, heard[from:upTo]...)
			l.Restore(restored[from:])
		}
	}
	for c := range slices.Chunk(slices.Clone(x), n) {
		l.Process(c)
		heard = append(heard, c...)
		give(len(heard) - delay)
	}
	give(len(heard))
	return heard, restored, l
}

func TestLevelerFollowsSpeech(t *testing.T) {
	const rate = 16000
	x := talk(rate, 8, 1)
	whole := LevelSpeech(x, rate).GainDB
	for _, dB := range []float64{-30, 0, 8} {
		heard, restored, l := leveled(t, times(x, dB), rate, 160, 700)
		if math.Abs(l.GainDB()-(whole-dB)) > 2 {
			t.Errorf("%g dB: the gain is %.1f dB, that of the recording %.1f", dB, l.GainDB(), whole-dB)
		}
		if got, _ := SpeechLevel(heard[rate:], rate); math.Abs(got-SpeechDB) > 2 {
			t.Errorf("%g dB: after a second the speech is at %.1f dB", dB, got)
		}
		high, _ := NewHighPass(rate, rumbleHz, rumbleOrder)
		want := high.Process(nil, times(x, dB))
		if peakOf(want) > highestPeak {
			continue
		}
		for i := range want {
			if math.Abs(float64(restored[i]-want[i])) > 1e-5 {
				t.Errorf("%g dB: sample %d comes back as %g, want %g", dB, i, restored[i], want[i])
				break
			}
		}
	}
}

func TestLevelerLeavesNoise(t *testing.T) {
	const rate = 16000
	for name, x := range steady(rate) {
		if _, _, l := leveled(t, x, rate, 160, 0); l.GainDB() > 0 {
			t.Errorf("%s: amplified by %.1f dB", name, l.GainDB())
		}
	}
	// Nor is noise pulled up in a pause, nor does a click move the gain.
	x := times(talk(rate, 7.4, 1), -20)
	_, _, l := leveled(t, x, rate, 160, 0)
	before := l.GainDB()
	pause := times(steady(rate)["noise"], -10)
	for i := rate; i < len(pause); i += rate {
		pause[i] = 1
	}
	l.Process(pause)
	if math.Abs(l.GainDB()-before) > 0.5 {
		t.Errorf("in a pause the gain went from %.2f to %.2f dB", before, l.GainDB())
	}
}

func TestLevelerChunks(t *testing.T) {
	const rate = 16000
	x := times(talk(rate, 2, 1), -15)
	heard, restored, l := leveled(t, x, rate, len(x), 0)
	gain := l.GainDB()
	for _, n := range cuts(160, len(x)) {
		for _, delay := range []int{0, 333} {
			a, b, l := leveled(t, x, rate, n, delay)
			if !slices.Equal(a, heard) || !slices.Equal(b, restored) || l.GainDB() != gain {
				t.Errorf("pieces of %d, output %d samples later: another result", n, delay)
			}
		}
	}
	l.Reset()
	again := slices.Clone(x)
	l.Process(again)
	if !slices.Equal(again, heard) {
		t.Error("after Reset: another result")
	}
}

func TestLevelerCausal(t *testing.T) {
	const rate = 16000
	x := times(talk(rate, 2, 1), -15)
	whole, _, _ := leveled(t, x, rate, 160, 0)
	for _, n := range []int{1, 160, 9999} {
		if part, _, _ := leveled(t, x[:n], rate, 160, 0); !slices.Equal(part, whole[:n]) {
			t.Errorf("the first %d samples depend on those after them", n)
		}
	}
}

func TestLevelerSurvivesBadSamples(t *testing.T) {
	const rate = 16000
	x := talk(rate, 4, 1)
	x[5000], x[6000], x[7000] = float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))
	x[8000] = math.MaxFloat32
	heard, restored, l := leveled(t, x, rate, 160, 500)
	for i := range heard {
		if heard[i]-heard[i] != 0 || restored[i]-restored[i] != 0 {
			t.Fatalf("sample %d is %g and %g", i, heard[i], restored[i])
		}
	}
	if math.Abs(l.GainDB()-LevelSpeech(talk(rate, 4, 1), rate).GainDB) > 3 {
		t.Errorf("the gain is %.1f dB after them", l.GainDB())
	}
}

func TestLevelerAllocatesNothing(t *testing.T) {
	const rate, delay = 16000, 700
	l, err := NewLeveler(rate)
	if err != nil {
		t.Fatal(err)
	}
	l.Grow(delay + 320)
	x := times(talk(rate, 4, 1), -20)
	y := make([]float32, 320)
	at := 0
	l.Process(make([]float32, delay))
	allocs := testing.AllocsPerRun(100, func() {
		copy(y, x[at:])
		l.Process(y)
		l.Restore(y)
		at += len(y)
	})
	if allocs != 0 {
		t.Errorf("%g allocations per piece", allocs)
	}
}

// BenchmarkLevel reports the real-time factors of leveling, a part of those of conversion.
func BenchmarkLevel(b *testing.B) {
	const rate, seconds = 16000, 10
	x := talk(rate, seconds, 1)
	b.Run("file", func(b *testing.B) {
		for b.Loop() {
			l := LevelSpeech(x, rate)
			l.Restore(l.Samples, rate)
		}
		b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/seconds, "RTF")
	})
	b.Run("stream", func(b *testing.B) {
		l, err := NewLeveler(rate)
		if err != nil {
			b.Fatal(err)
		}
		y := make([]float32, 160)
		at := 0
		b.ReportAllocs()
		for b.Loop() {
			copy(y, x[at:])
			l.Process(y)
			l.Restore(y)
			if at += len(y); at+len(y) > len(x) {
				at = 0
			}
		}
		b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/0.01, "RTF")
	})
}

// TestLevelPieces: the pieces give what LevelSpeech gives, which is what a slow direct version gives.
func TestLevelPieces(t *testing.T) {
	const rate = 16000
	for _, n := range []int{0, 1, 100, 159, 160, 161, 320, 4000, 4001, 4002, 50000} {
		x := times(talk(rate, 4, 2)[:n], -10)
		direct := append([]float32(nil), x...)
		high, err := NewHighPass(rate, rumbleHz, rumbleOrder)
		if err != nil {
			t.Fatal(err)
		}
		high.lead(x, rate/4)
		direct = high.Process(direct[:0], direct)
		want := LevelSpeech(x, rate)
		Amplify(direct, want.GainDB)
		if !slices.Equal(want.Samples, direct) {
			t.Fatalf("%d samples: LevelSpeech gives others than its parts", n)
		}
		restored := append([]float32(nil), direct...)
		want.Restore(restored, rate)
		for _, piece := range []int{1, 159, 160, 161, 4001, 1 << 20} {
			p := NewLevelPieces(rate)
			var got []float32
			for c := range slices.Chunk(x, piece) {
				got = p.Process(got, c)
			}
			got = p.Flush(got)
			Amplify(got, p.GainDB())
			if p.GainDB() != want.GainDB || !slices.Equal(got, want.Samples) {
				t.Errorf("%d samples in pieces of %d: gain %g, want %g, or other samples", n, piece, p.GainDB(), want.GainDB)
			}
			r := NewRestorer(p.GainDB(), rate)
			for c := range slices.Chunk(got, piece) {
				r.Process(c)
			}
			if !slices.Equal(got, restored) {
				t.Errorf("%d samples restored in pieces of %d: other samples", n, piece)
			}
		}
	}
}
