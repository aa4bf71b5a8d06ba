package acoustics

import (
	"math"
	"math/rand/v2"
)

// Room describes a room as its impulse response shows it.
type Room struct {
	RT60     float64 // seconds until the tail has lost 60 dB, at low frequencies
	DirectDB float64 // energy of the direct path over that of all the rest, dB
	Damping  float64 // how much shorter RT60 is at high frequencies: 1 for as long, 0.3 for a third
}

// RandomRoom is any room that people record themselves in, near the microphone or across the room from it: reverberation of 0.1 to 0.9 s, the
// direct path 9 dB below to 9 dB above the rest.
func RandomRoom(r *rand.Rand) Room {
	between := func(low, high float64) float64 { return low + (high-low)*r.Float64() }
	return Room{RT60: between(0.1, 0.9), DirectDB: between(-9, 9), Damping: between(0.5, 1)}
}

const (
	mixingTime = 0.05 // seconds; until then single reflections stand out, after it there are too many
	tailStart  = 0.004
	longestRIR = 0.5 // seconds that are computed
)

// ResponseSamples is the longest impulse response that Response makes at a rate.
func ResponseSamples(rate int) int { return int(longestRIR * float64(rate)) }

// Response is an impulse response drawn from r: the direct path at time 0, so that what was labelled stays where it
// was, reflections that arrive ever more densely (a Poisson process; Moorer 1979 has the shape) and a diffuse tail of
// noise that decays exponentially, faster at high frequencies. Its energy is 1. It is appended to dst, at most
// ResponseSamples long.
func (room Room) Response(dst []float32, r *rand.Rand, rate int) []float32 {
	fs := float64(rate)
	n := max(2, min(int(room.RT60*fs), ResponseSamples(rate)))
	start := len(dst)
	for range n {
		dst = append(dst, 0)
	}
	h := dst[start:]
	first := min(int(tailStart*fs)+1, n-1)
	slow := math.Exp(-3 * math.Ln10 / (room.RT60 * fs)) // amplitude per sample
	fast := math.Exp(-3 * math.Ln10 / (room.RT60 * room.Damping * fs))
	lowPass := 1 - math.Exp(-2*math.Pi*2500/fs)

	// The tail comes up over the mixing time, while single reflections give way to it.
	mixing := mixingTime * fs
	var low, slowGain, fastGain = 0.0, 1.0, 1.0
	for i := first; i < n; i++ {
		v := r.NormFloat64()
		low += lowPass * (v - low)
		slowGain *= slow
		fastGain *= fast
		up := math.Min(1, float64(i-first)/mixing)
		h[i] = float32(up * (low*slowGain + (v-low)*fastGain))
	}
	// The density of reflections grows with the square of time; their sum of squares follows the same decay.
	for at := 0.001 + 0.004*r.Float64(); at < mixingTime; {
		if i := int(at * fs); i >= 1 && i < n {
			size := 1.5 * math.Pow(slow, float64(i)) * (0.5 + r.Float64())
			if r.IntN(4) == 0 {
				size = -size
			}
			h[i] += float32(size)
		}
		at += 0.0002 + 0.006*r.ExpFloat64()*math.Pow(0.3, at/mixingTime*2)
	}
	var energy float64
	for _, v := range h[1:] {
		energy += float64(v) * float64(v)
	}
	h[0] = 1
	direct := math.Pow(10, room.DirectDB/10)
	rest := 0.0
	if energy > 0 {
		rest = math.Sqrt(1 / direct / energy)
	}
	whole := 1 / math.Sqrt(1+1/direct)
	h[0] = float32(whole)
	for i := range h[1:] {
		h[1+i] *= float32(rest * whole)
	}
	return dst
}
