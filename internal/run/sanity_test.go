package run

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/features"
)

// sound is a second or two of f, at 16 kHz.
func sound(seconds float64, f func(t float64) float64) []float32 {
	x := make([]float32, int(seconds*16000))
	for i := range x {
		x[i] = float32(f(float64(i) / 16000))
	}
	return x
}

// babble is speech of a kind: syllables of falling harmonics whose formant moves, and hisses between them.
func babble(f0, formantShift float64) []float32 {
	r := rand.New(rand.NewPCG(5, 5))
	phase := 0.0
	return sound(3, func(t float64) float64 {
		hz := f0 * (1 + 0.1*math.Sin(2*math.Pi*1.3*t))
		phase += hz / 16000
		envelope := math.Sin(2 * math.Pi * 2.1 * t)
		formant := (900 + 600*math.Sin(2*math.Pi*0.9*t)) * formantShift
		v := 0.0
		for k := 1.0; k*hz < 7000; k++ {
			d := (k*hz - formant) / 500
			v += (math.Exp(-d*d) + 0.05) * math.Sin(2*math.Pi*phase*k) / (1 + k/10)
		}
		v *= 0.1 * max(0, envelope)
		if envelope < -0.7 {
			v += 0.03 * r.NormFloat64()
		}
		return v + 1e-4*r.NormFloat64()
	})
}

func TestFault(t *testing.T) {
	cfg := features.DefaultConfig()
	frames := func(x []float32) features.Frames {
		f, err := features.Extract(cfg, x)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	source := babble(120, 1)
	r := rand.New(rand.NewPCG(1, 1))
	dull := slices.Clone(source) // falls by 12 dB more an octave from 200 Hz on
	for range 2 {
		low := float32(0)
		for i, v := range dull {
			low += 0.08 * (v - low)
			dull[i] = 2 * low
		}
	}
	gate := func(at float64) float64 { return max(0, math.Sin(2*math.Pi*2.1*at)) }
	for _, c := range []struct {
		name   string
		output []float32
		want   string // in the fault; empty for speech
	}{
		{"itself", source, ""},
		{"another voice", babble(210, 1.15), ""},
		{"a voice with little but its lowest harmonics", dull, ""},
		{"a hum in the source's rhythm", sound(3, func(at float64) float64 {
			return 0.1 * gate(at) * (math.Sin(2*math.Pi*120*at) + 0.3*math.Sin(2*math.Pi*240*at) + 0.1*math.Sin(2*math.Pi*360*at))
		}), "hum"},
		{"softer by 12 dB", sound(3, func(at float64) float64 { return float64(source[int(at*16000)]) / 4 }), ""},
		{"silence", make([]float32, len(source)), "silence"},
		{"nearly silence", sound(3, func(at float64) float64 { return float64(source[int(at*16000)]) / 300 }), "silence"},
		{"a beep", sound(3, func(at float64) float64 { return 0.1 * math.Sin(2*math.Pi*1000*at) }), "beep"},
		{"a beep in the source's rhythm", sound(3, func(at float64) float64 { return 0.1 * gate(at) * math.Sin(2*math.Pi*1000*at) }), "beep"},
		{"noise", sound(3, func(float64) float64 { return 0.05 * r.NormFloat64() }), " "},
		{"noise in the source's rhythm", sound(3, func(at float64) float64 { return 0.05 * gate(at) * r.NormFloat64() }), " "},
		{"a buzz", sound(3, func(at float64) float64 { return 0.2 * (math.Mod(120*at, 1) - 0.5) }), " "},
		{"other words", sound(3, func(at float64) float64 { return float64(source[len(source)-1-int(at*16000)]) }), "not the source's words"},
	} {
		got := Fault(cfg, frames(source), frames(c.output))
		if c.want == "" && got != "" || c.want != "" && (got == "" || !strings.Contains(got, c.want)) {
			t.Errorf("%s: %q, want %q; source %.2f, output %.2f, follows %.2f", c.name, got, c.want,
				measureSpeech(cfg, frames(source)), measureSpeech(cfg, frames(c.output)), follows(frames(source), frames(c.output)))
		}
	}
}

func TestSuspect(t *testing.T) {
	for _, c := range []struct {
		faults, samples, steps int
		suspect, told          bool
	}{
		{0, 4, 5000, false, false}, {1, 4, 5000, false, true}, {2, 4, 5000, true, false}, {4, 4, 5000, true, false},
		{0, 0, 5000, false, false}, {1, 1, 5000, true, false}, {4, 4, 100, false, true},
	} {
		told := false
		got := Suspect(make([]string, c.faults), c.samples, c.steps, func(string, ...any) { told = true })
		if got != c.suspect || told != c.told {
			t.Errorf("%+v: suspect %v, told %v", c, got, told)
		}
	}
	if got := SuspectName("a.b/my.safetensors"); got != "a.b/my.suspect.safetensors" {
		t.Errorf("the suspect's name is %s", got)
	}
}
