package acoustics

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/starvc/vc/features"
)

const rate = 16000

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 9)) }

// noise is white, RMS 0.1.
func noise(seed uint64, n int) []float32 {
	r := random(seed)
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(0.1 * r.NormFloat64())
	}
	return x
}

func rms(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum / float64(len(x)))
}

func TestResponse(t *testing.T) {
	t.Parallel()
	for _, c := range []Room{{0.1, 0, 0.5}, {0.3, 12, 0.3}, {0.6, 0, 1}, {0.8, -3, 0.6}} {
		for seed := range uint64(5) {
			h := c.Response(nil, random(seed), rate)
			if len(h) > ResponseSamples(rate) {
				t.Fatalf("%+v: %d samples", c, len(h))
			}
			direct, all := float64(h[0]*h[0]), rms(h)*rms(h)*float64(len(h))
			if got := 10 * math.Log10(direct/(all-direct)); math.Abs(got-c.DirectDB) > 0.01 || math.Abs(all-1) > 1e-3 {
				t.Errorf("%+v: direct to the rest %.2f dB, energy %.4f", c, got, all)
			}
			if h[0] < 0 || slices.ContainsFunc(h[1:12], func(v float32) bool { return v != 0 }) {
				t.Errorf("%+v: the direct path does not stand alone at time 0", c)
			}
			if again := c.Response(nil, random(seed), rate); !slices.Equal(h, again) {
				t.Errorf("%+v: drawn otherwise the second time", c)
			}
		}
	}
}

// The energy that is left falls by 60 dB in RT60, measured from -5 to -25 dB (Schroeder 1965).
func TestDecay(t *testing.T) {
	t.Parallel()
	for _, want := range []float64{0.2, 0.4, 0.6, 0.8} {
		mean := 0.0
		const rooms = 8
		for seed := range uint64(rooms) {
			h := Room{RT60: want, DirectDB: -20, Damping: 1}.Response(nil, random(seed), rate)
			left := make([]float64, len(h))
			sum := 0.0
			for i := len(h) - 1; i >= 0; i-- {
				sum += float64(h[i]) * float64(h[i])
				left[i] = sum
			}
			from := int(mixingTime * rate) // where only the tail is left
			at := func(db float64) float64 {
				limit := left[from] * math.Pow(10, -db/10)
				return float64(slices.IndexFunc(left[from:], func(v float64) bool { return v < limit })) / rate
			}
			mean += 3 * (at(21) - at(1)) / rooms
		}
		if math.Abs(mean/want-1) > 0.15 {
			t.Errorf("RT60 %g: measured %.3f", want, mean)
		}
	}
}

// The mixer convolves as the sum over the taps does, behind its lead-in.
func TestReverberate(t *testing.T) {
	t.Parallel()
	n := 2 * ResponseSamples(rate)
	x := noise(1, n)
	h := Room{0.5, 3, 0.6}.Response(nil, random(2), rate)
	m := NewMixer(rate, n)
	m.Begin(x)
	m.Reverberate(h)
	y := make([]float32, n)
	m.End(y)
	for i := ResponseSamples(rate); i < n; i += 97 {
		var want float64
		for k, v := range h {
			if i-k >= 0 {
				want += float64(v) * float64(x[i-k])
			}
		}
		if math.Abs(float64(y[i])-want) > 1e-5 {
			t.Fatalf("sample %d: %g, want %g", i, y[i], want)
		}
	}
}

func TestMixerNoise(t *testing.T) {
	t.Parallel()
	const n = 1 << 15
	m := NewMixer(rate, n)
	silence, y := make([]float32, n), make([]float32, n)
	level := func(c Curve, add func()) (all, low, high float64) {
		m.Begin(silence)
		add()
		m.End(y)
		all = rms(y)
		for i, band := range []Curve{Band(0, 1000), Band(2000, 8000)} {
			m.Begin(y)
			m.Filter(band)
			z := make([]float32, n)
			m.End(z)
			if i == 0 {
				low = rms(z)
			} else {
				high = rms(z)
			}
		}
		return all, low, high
	}
	flat := Curve{{Hz: 1000}}
	all, low, high := level(flat, func() { m.AddNoise(random(3), flat, 0.25) })
	if math.Abs(all-0.25) > 0.005 || high < low {
		t.Errorf("white noise: %.3f, below 1 kHz %.3f, above 2 kHz %.3f", all, low, high)
	}
	// Gaussian: a stretch of it as well.
	var fourth float64
	for _, v := range y[5000:15000] {
		fourth += math.Pow(float64(v), 4) / 10000
	}
	if kurtosis := fourth / math.Pow(rms(y[5000:15000]), 4); math.Abs(kurtosis-3) > 0.3 {
		t.Errorf("kurtosis %.2f, want 3", kurtosis)
	}
	brown := Curve{{50, 20}, {8000, -40}}
	if all, low, high = level(brown, func() { m.AddNoise(random(4), brown, 0.1) }); math.Abs(all-0.1) > 0.002 || low < 3*high {
		t.Errorf("brown noise: %.3f, below 1 kHz %.3f, above 2 kHz %.3f", all, low, high)
	}
	hum := Hum(random(5), rate, n)
	if all, low, high = level(nil, func() { m.AddSound(hum, 0.05) }); math.Abs(all-0.05) > 0.003 || high > low/50 { // the window's ends leak
		t.Errorf("hum: %.3f, below 1 kHz %.3f, above 2 kHz %.3f", all, low, high)
	}
}

func TestBands(t *testing.T) {
	t.Parallel()
	const n = 1 << 14
	for _, c := range []struct {
		name          string
		curve         Curve
		passes, stops []float64
	}{
		{"telephone", Telephone(), []float64{350, 1000, 3300}, []float64{100, 4100, 6000}},
		{"low-pass", Band(0, 5000), []float64{50, 1000, 4900}, []float64{6000, 7900}},
		{"nothing", nil, []float64{50, 4000, 7900}, nil},
	} {
		m := NewMixer(rate, n)
		through := func(hz float64) float64 {
			x, y := make([]float32, n), make([]float32, n)
			for i := range x {
				x[i] = float32(math.Sin(2 * math.Pi * math.Round(hz*n/rate) / n * float64(i)))
			}
			m.Begin(x)
			before := m.Power()
			m.Filter(c.curve)
			if after := m.Power(); after > 1.01*before {
				t.Errorf("%s: power went from %g to %g", c.name, before, after)
			}
			m.End(y)
			return 20 * math.Log10(rms(y)/rms(x)+1e-9)
		}
		for _, hz := range c.passes {
			if db := through(hz); math.Abs(db) > 0.5 {
				t.Errorf("%s: %g Hz passes with %.1f dB", c.name, hz, db)
			}
		}
		for _, hz := range c.stops {
			if db := through(hz); db > -50 {
				t.Errorf("%s: %g Hz is stopped with %.1f dB", c.name, hz, db)
			}
		}
	}
}

func TestScale(t *testing.T) {
	t.Parallel()
	x := noise(6, 4096)
	m := NewMixer(rate, len(x))
	m.Begin(x)
	if p := m.Power(); math.Abs(math.Sqrt(p)/rms(x)-1) > 1e-3 {
		t.Errorf("power %g of RMS %g", p, rms(x))
	}
	m.Scale(0.5)
	y := make([]float32, len(x))
	m.End(y)
	for i := range x {
		if math.Abs(float64(y[i]-x[i]/2)) > 1e-6 {
			t.Fatalf("sample %d: %g, want %g", i, y[i], x[i]/2)
		}
	}
}

func TestReadAt(t *testing.T) {
	t.Parallel()
	const n = 4000
	x := make([]int16, n)
	tone := func(hz, at float64) float64 { return 20000 * math.Sin(2*math.Pi*hz*at/rate) }
	for _, hz := range []float64{300, 2000, 5000} {
		for i := range x {
			x[i] = int16(math.Round(tone(hz, float64(i))))
		}
		for _, speed := range []float64{1, 0.8, 0.95, 1.1, 1.3} {
			if hz*speed > 6000 { // where the pass band ends
				continue
			}
			for _, from := range []float64{100, 100.37} {
				y := make([]float32, 1000)
				ReadAt(y, x, 1, from, speed)
				for i, v := range y {
					if want := tone(hz, from+float64(i)*speed); math.Abs(float64(v)-want) > 250 {
						t.Fatalf("%g Hz, speed %g from %g: sample %d is %.0f, want %.0f", hz, speed, from, i, v, want)
					}
				}
			}
		}
	}
	// What lies above half the rate at the new speed does not fold back.
	for i := range x {
		x[i] = int16(tone(7600, float64(i)))
	}
	y := make([]float32, 1000)
	ReadAt(y, x, 1, 500, 1.3)
	if r := rms(y); r > 600 {
		t.Errorf("7600 Hz at speed 1.3 leaves %.0f", r)
	}
	// Silence before and behind, and gain.
	for i := range x {
		x[i] = 1000
	}
	ReadAt(y, x, 0.5, -100, 1)
	if y[99] != 0 || y[100] != 500 {
		t.Errorf("before the beginning %g, at it %g", y[99], y[100])
	}
	ReadAt(y, x, 1, n-500.5, 1.5)
	if y[100] < 990 || y[999] != 0 {
		t.Errorf("near the end %g, behind it %g", y[100], y[999])
	}
}

func TestLogMel(t *testing.T) {
	cfg := features.DefaultConfig()
	x := noise(7, 8000)
	for i := range x {
		at := float64(i) / rate
		x[i] = x[i]*float32(0.02*math.Exp(-at)) + float32(0.1*math.Sin(2*math.Pi*(200+4000*at)*at))
	}
	want, err := features.Extract(cfg, x)
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewLogMel(cfg)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float32, want.Len()*cfg.NMels)
	l.Fill(got, x, 0)
	for i, v := range got {
		if math.Abs(float64(v-want.LogMel[i])) > 1e-3 {
			t.Fatalf("frame %d band %d: %g, want %g", i/cfg.NMels, i%cfg.NMels, v, want.LogMel[i])
		}
	}
	part := make([]float32, 10*cfg.NMels)
	l.Fill(part, x, 7*cfg.Hop)
	if !slices.Equal(part, got[7*cfg.NMels:17*cfg.NMels]) {
		t.Error("frames depend on where the call begins")
	}
	if n := testing.AllocsPerRun(10, func() { l.Fill(part, x, 0) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
	cfg.NFFT = 500
	if _, err := NewLogMel(cfg); err == nil {
		t.Error("a transform of 500 points is accepted")
	}
}

func TestRandomCurve(t *testing.T) {
	t.Parallel()
	c := RandomCurve(random(8), -6, 3)
	for _, p := range c {
		if slope := -6 * math.Log2(p.Hz/1000); math.Abs(p.DB-slope) > 3 {
			t.Errorf("%g Hz: %.1f dB, want within 3 of %.1f", p.Hz, p.DB, slope)
		}
	}
	if a, b := c.db(1), c.db(1e5); a != c[0].DB || b != c[len(c)-1].DB {
		t.Errorf("beyond the ends %g and %g", a, b)
	}
}
