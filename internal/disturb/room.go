package disturb

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/dsp/fourier"
)

// addRoom lets x sound in a room, as a microphone 1 m away hears it. The direct sound stays where it is and the active level is
// kept; what sounds on after the end of x is cut off.
func addRoom(x []float32, rate int, rt60 float64, _ Options, random *rand.Rand) ([]float32, error) {
	level := ActiveLevel(x, rate)
	return keepLevel(convolve(x, roomResponse(rt60, rate, random)), rate, level), nil
}

const (
	roomCubicMetres = 60
	distanceMetres  = 1
	firstReflection = 0.0025 // seconds after the direct sound
	diffuseAfter    = 0.03   // seconds; reflections before are single ones
)

// roomResponse is the impulse response of a room with a reverberation time of rt60 seconds: the direct sound, 1 at sample 0;
// single reflections, which come ever closer; then a diffuse tail, Gaussian noise. From the first reflection on, energy falls off
// exponentially, by 60 dB in rt60, at all frequencies alike (Moorer, "About this reverberation business", 1979). The direct sound
// stands to the rest as the square of the critical distance, 0.057 sqrt(volume/rt60) metres, to that of the distance (Kuttruff,
// "Room acoustics").
func roomResponse(rt60 float64, rate int, random *rand.Rand) []float64 {
	decay := 6 * math.Ln10 / rt60 // of power, per second
	h := make([]float64, int(1.1*rt60*float64(rate))+1)
	second := func(i int) float64 { return float64(i) / float64(rate) }
	at := firstReflection
	for at < diffuseAfter {
		// The next one comes after 2.5 to 5 ms at first, and after half of that by the time the tail begins.
		gap := 0.0025 * (1 + random.Float64()) * (1 - 0.5*at/diffuseAfter)
		i := min(int(at*float64(rate)), len(h)-1)
		h[i] = math.Sqrt((math.Exp(-decay*at) - math.Exp(-decay*(at+gap))) / decay * float64(rate)) // all the power of the gap
		if random.IntN(2) == 0 {
			h[i] = -h[i]
		}
		at += gap
	}
	for i := int(at * float64(rate)); i < len(h); i++ {
		h[i] = random.NormFloat64() * math.Exp(-decay/2*second(i))
	}
	var energy float64
	for _, v := range h[1:] {
		energy += v * v
	}
	critical := 0.057 * math.Sqrt(roomCubicMetres/rt60)
	gain := distanceMetres / critical / math.Sqrt(energy)
	for i := range h {
		h[i] *= gain
	}
	h[0] = 1
	return h
}

// convolve is the first len(x) samples of x through the filter h.
func convolve(x []float32, h []float64) []float32 {
	n := 1 << bitsFor(len(x)+len(h)-1)
	a, b := make([]float64, n), make([]float64, n)
	for i, v := range x {
		a[i] = float64(v)
	}
	copy(b, h)
	plan := fourier.NewFFT(n)
	product := plan.Coefficients(nil, a)
	for k, c := range plan.Coefficients(nil, b) {
		product[k] *= c / complex(float64(n), 0)
	}
	return narrow(plan.Sequence(nil, product), len(x))
}
