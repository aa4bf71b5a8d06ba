package acoustics

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/starvc/vc/internal/simd"
)

// Mixer disturbs stretches of sound of at most so many samples. It holds scratch memory, so each goroutine needs its
// own.
//
// The order of the calls is the order of the world: Begin with the sound, Reverberate, AddSound, AddNoise, Filter, and
// End.
type Mixer struct {
	rate   int
	fft    *simd.FFT
	re, im []float32 // the sound's spectrum
	hr, hi []float32 // another's
	x      []float32
	gain   []float32 // per bin
	length int
}

// NewMixer plans for stretches of up to samples, the longest room's response among them: the first ResponseSamples of
// what End gives wrap around and are not to be used.
func NewMixer(rate, samples int) *Mixer {
	n := 1024
	for n < samples {
		n *= 2
	}
	m := &Mixer{rate: rate, fft: simd.NewFFT(n)}
	bins := m.fft.Bins()
	m.re, m.im, m.hr, m.hi = make([]float32, bins), make([]float32, bins), make([]float32, bins), make([]float32, bins)
	m.x, m.gain = make([]float32, n), make([]float32, bins)
	return m
}

// Samples is the longest stretch.
func (m *Mixer) Samples() int { return m.fft.Len() }

// Begin takes a stretch of sound.
func (m *Mixer) Begin(x []float32) {
	if len(x) > m.fft.Len() {
		panic(fmt.Sprintf("acoustics: %d samples, want at most %d", len(x), m.fft.Len()))
	}
	m.length = len(x)
	m.spectrum(m.re, m.im, x)
}

func (m *Mixer) spectrum(re, im, x []float32) {
	clear(m.x[copy(m.x, x):])
	m.fft.Forward(re, im, m.x)
}

// Reverberate convolves the sound with an impulse response.
func (m *Mixer) Reverberate(response []float32) {
	m.spectrum(m.hr, m.hi, response)
	for k, a := range m.re {
		b, c, d := m.im[k], m.hr[k], m.hi[k]
		m.re[k], m.im[k] = float32(a*c)-float32(b*d), float32(a*d)+float32(b*c)
	}
}

// AddSound adds another sound.
func (m *Mixer) AddSound(x []float32, gain float32) {
	m.spectrum(m.hr, m.hi, x[:min(len(x), m.fft.Len())])
	for k := range m.re {
		m.re[k] += float32(gain * m.hr[k])
		m.im[k] += float32(gain * m.hi[k])
	}
}

// AddNoise adds stationary noise of that RMS, with the spectrum of a curve: bins of a fixed size and random phase, of
// which every part of the sound shorter than the whole hears Gaussian noise.
func (m *Mixer) AddNoise(r *rand.Rand, c Curve, rms float64) {
	m.evaluate(c)
	var power float64
	for _, g := range m.gain[1 : len(m.gain)-1] {
		power += 2 * float64(g) * float64(g)
	}
	if power == 0 {
		return
	}
	n := float64(m.fft.Len())
	// Parseval: the sum of the squares of the bins is n^2 times the mean square.
	scale := float32(rms * n / math.Sqrt(power))
	for k := 1; k < len(m.re)-1; k++ {
		p := r.Uint64()
		i := p % uint64(len(cosines))
		j := (i + uint64(len(cosines))/4) % uint64(len(cosines))
		g := scale * m.gain[k]
		m.re[k] += g * cosines[i]
		m.im[k] += g * cosines[j]
	}
}

// cosines is one turn of a cosine.
var cosines = func() (t [4096]float32) {
	for i := range t {
		t[i] = float32(math.Cos(2 * math.Pi * float64(i) / float64(len(t))))
	}
	return t
}()

// Filter multiplies the spectrum by a curve, without a change of phase.
func (m *Mixer) Filter(c Curve) {
	m.evaluate(c)
	for k, g := range m.gain {
		m.re[k] *= g
		m.im[k] *= g
	}
}

// End writes the sound to dst, as long as what Begin took, and forgets it.
func (m *Mixer) End(dst []float32) {
	m.fft.Inverse(m.x, m.re, m.im)
	copy(dst[:m.length], m.x)
}

// curveStep is how many bins apart a curve is evaluated; between them it is straight.
const curveStep = 8

func (m *Mixer) evaluate(c Curve) {
	binHz := float64(m.rate) / float64(m.fft.Len())
	at, last := 0, len(m.gain)-1
	before := float32(c.gain(0))
	for at < last {
		next := min(at+curveStep, last)
		g := float32(c.gain(float64(next) * binHz))
		for k := at; k < next; k++ {
			m.gain[k] = before + (g-before)*float32(k-at)/float32(next-at)
		}
		at, before = next, g
	}
	m.gain[last] = before
}

// Power is the mean square of the sound as it is now, over as many samples as Samples.
func (m *Mixer) Power() float64 {
	var sum float64
	for k, a := range m.re {
		b := m.im[k]
		sum += float64(a*a + b*b)
	}
	n := float64(m.fft.Len())
	return 2 * sum / (n * n)
}

// Scale multiplies the sound.
func (m *Mixer) Scale(gain float64) {
	g := float32(gain)
	for k := range m.re {
		m.re[k] *= g
		m.im[k] *= g
	}
}
