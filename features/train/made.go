package train

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"

	"github.com/starvc/vc/internal/acoustics"
)

// rateHz is the sample rate of all material, that of features.DefaultConfig.
const rateHz = 16000

// randomFor is a source of its own for each recording, so that no order of work changes what is drawn.
func randomFor(seed uint64, purpose, speaker, name string) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s/%s/%s", purpose, speaker, name)
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

func db(v float64) float64 { return math.Pow(10, v/20) }

func uniform(r *rand.Rand, from, to float64) float64 { return from + (to-from)*r.Float64() }

func rms(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum / float64(max(1, len(x))))
}

// mix is gain*x + noise, the noise scaled to that root mean square.
func mix(x []float32, gain float64, noise []float32, level float64) []float32 {
	y := make([]float32, len(x))
	scale := 0.0
	if r := rms(noise); r > 0 {
		scale = level / r
	}
	for i, v := range x {
		y[i] = float32(gain*float64(v) + scale*float64(noise[i]))
	}
	return y
}

func white(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// dark is noise that falls by 6 dB per octave above a few hundred hertz, as that of rooms and cars does.
func dark(r *rand.Rand, n int) []float32 {
	x := white(r, n)
	pole := float32(uniform(r, 0.85, 0.97))
	for i := 1; i < n; i++ {
		x[i] += pole * x[i-1]
	}
	return x
}

func hum(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	phase := uniform(r, 0, 2*math.Pi)
	for i := range x {
		x[i] = float32(math.Sin(2*math.Pi*50*float64(i)/rateHz + phase))
	}
	return x
}

// babble is eight recordings at once, each begun somewhere and repeated.
func babble(r *rand.Rand, n int, voices []Recording) []float32 {
	x := make([]float32, n)
	for range 8 {
		v := voices[r.IntN(len(voices))].Samples
		if len(v) == 0 {
			continue
		}
		at, scale := r.IntN(len(v)), float32(1/(rms(v)+1e-9))
		for i := range x {
			x[i] += scale * v[(at+i)%len(v)]
		}
	}
	return x
}

// altered is a copy at another level, or with noise or hum that is hardly heard.
func altered(c Recording, seed uint64) Recording {
	r, n := randomFor(seed, "altered", c.Speaker, c.Name), len(c.Samples)
	switch r.IntN(4) {
	case 0:
		c.Samples = mix(c.Samples, db(uniform(r, -28, 8)), white(r, n), 0)
	case 1:
		c.Samples = mix(c.Samples, 1, white(r, n), db(uniform(r, -65, -48)))
	case 2:
		c.Samples = mix(c.Samples, 1, hum(r, n), db(uniform(r, -58, -46)))
	default:
		gain := db(uniform(r, -26, -6))
		c.Samples = mix(c.Samples, gain, white(r, n), gain*db(uniform(r, -60, -48)))
	}
	return c
}

// noisy is a copy with white or dark noise, or babble of voices, from least to most dB below it.
func noisy(c Recording, voices []Recording, seed uint64, least, most float64) Recording {
	r, n := randomFor(seed, "noisy", c.Speaker, c.Name), len(c.Samples)
	level := rms(c.Samples) * db(-uniform(r, least, most))
	switch r.IntN(3) {
	case 0:
		c.Samples = mix(c.Samples, 1, white(r, n), level)
	case 1:
		c.Samples = mix(c.Samples, 1, dark(r, n), level)
	default:
		c.Samples = mix(c.Samples, 1, babble(r, n, voices), level)
	}
	return c
}

// theRoom is the one that tables are made with: a living room, heard from a metre away.
var theRoom = acoustics.Room{RT60: 0.6, DirectDB: -5, Damping: 0.9}

// roomy is a copy in a room, theRoom if always, else any. The direct sound stays where it is, and so does what the teacher said of it: in the
// pauses there is no voice, whatever still rings.
func roomy(c Recording, seed uint64, always bool) Recording {
	r := randomFor(seed, "roomy", c.Speaker, c.Name)
	room := theRoom
	if !always {
		room = acoustics.RandomRoom(r)
	}
	response := room.Response(nil, r, rateHz)
	m := acoustics.NewMixer(rateHz, len(c.Samples)+len(response))
	y := make([]float32, len(c.Samples))
	m.Begin(c.Samples)
	m.Reverberate(response)
	m.End(y)
	c.Samples = y
	return c
}

// made are 40 tones of 0.8 s, some with vibrato, some without a fundamental, and 22 noises without any voice.
func made(seed uint64) []Recording {
	var all []Recording
	for i := range 40 {
		name := fmt.Sprint("tone", i)
		r := randomFor(seed, "made", "", name)
		all = append(all, Recording{Speaker: "made", Name: name, Samples: tone(r), F0: make([]float64, 101)})
		for k := 10; k < 91; k++ {
			all[i].F0[k] = 100 // only whether there is one matters
		}
	}
	for i := range 22 {
		name := fmt.Sprint("noise", i)
		r := randomFor(seed, "made", "", name)
		all = append(all, Recording{Speaker: "made", Name: name, Samples: voiceless(r, i), F0: make([]float64, 201)})
	}
	return all
}

// tone is silence of 0.1 s, a harmonic tone, and silence, over faint noise.
func tone(r *rand.Rand) []float32 {
	f0 := math.Exp(uniform(r, math.Log(58), math.Log(850)))
	vibrato := []float64{0, 0.02}[r.IntN(2)]
	slope := []float64{0, 6, 12}[r.IntN(3)]
	first, last := 1+r.IntN(2), 3+r.IntN(17)
	x := make([]float32, rateHz)
	for h := first; h <= last && float64(h)*f0 < 7200; h++ {
		gain, phase := db(-slope*math.Log2(float64(h))), uniform(r, 0, 2*math.Pi)
		for i := rateHz / 10; i < 9*rateHz/10; i++ {
			t := float64(i) / rateHz
			turns := f0 * (t - vibrato*math.Cos(2*math.Pi*5*t)/(2*math.Pi*5))
			x[i] += float32(gain * math.Sin(2*math.Pi*float64(h)*turns+phase))
		}
	}
	return mix(x, db(uniform(r, -35, -15))/rms(x), white(r, len(x)), db(uniform(r, -90, -60)))
}

// voiceless number i is white or dark noise of 2 s, steady or in bursts, some over hum; number 20 is hum alone, 21 hum
// with an offset.
func voiceless(r *rand.Rand, i int) []float32 {
	const n = 2 * rateHz
	switch i {
	case 20:
		return mix(make([]float32, n), 0, hum(r, n), db(-50))
	case 21:
		x := mix(make([]float32, n), 0, hum(r, n), db(-56))
		for k := range x {
			x[k] += 0.1
		}
		return x
	}
	x := white(r, n)
	if i%4 >= 2 {
		x = dark(r, n)
	}
	if i%2 == 1 {
		for k := range x {
			if math.Sin(2*math.Pi*1.5*float64(k)/rateHz) < 0 {
				x[k] = 0
			}
		}
	}
	x = mix(make([]float32, n), 0, x, db(uniform(r, -70, -18)))
	if i%5 == 0 {
		x = mix(x, 1, hum(r, n), db(-50))
	}
	return x
}
