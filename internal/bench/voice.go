package bench

import (
	"math"
	"math/rand/v2"
)

// Voice is sound that costs what speech costs: syllables of a buzz with a gliding pitch under moving resonances, hisses
// between them, and pauses.
func Voice(rate, samples int) []float32 {
	x := make([]float32, samples)
	r := rand.New(rand.NewPCG(1, 2))
	phase := 0.0
	for i := range x {
		t := float64(i) / float64(rate)
		syllable := math.Mod(t, 0.25) / 0.25
		hz := 130 + 30*math.Sin(2*t) + 20*math.Sin(0.7*t)
		phase += hz / float64(rate)
		phase -= math.Floor(phase)
		loud := math.Sin(math.Pi * syllable)
		switch {
		case math.Mod(t, 3) > 2.6: // a pause
			x[i] = float32(0.0005 * r.NormFloat64())
		case syllable < 0.2:
			x[i] = float32(0.05 * loud * r.NormFloat64())
		default:
			// A pulse of that phase, rung by two resonances.
			first, second := 600+200*math.Sin(5*t), 1500+400*math.Cos(3*t)
			since := phase / hz
			v := math.Exp(-since*400)*math.Sin(2*math.Pi*first*since) + 0.5*math.Exp(-since*600)*math.Sin(2*math.Pi*second*since)
			x[i] = float32(loud * (0.3*v + 0.002*r.NormFloat64()))
		}
	}
	return x
}
