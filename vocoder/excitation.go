package vocoder

import (
	"math"

	"github.com/starvc/vc/features"
)

// excitation makes the spectra of what drives a voice, a frame at a time: pulses at F0 with noise between them, or noise
// alone. Both have the same flat density of power.
type excitation struct {
	cfg  features.Config
	stft *features.STFT
	seed uint64

	drawn uint64    // noise samples drawn
	noise []float64 // [WinLength] under the next frame's window
	turn  float64   // phase of the fundamental at the last frame's centre, in turns
	f0    float64   // last one that was voiced, Hz, 0 at first
	since int       // frames since then

	buzz, hiss []float64 // [Bins] amplitudes of pulses and noise in voiced frames
	frame      []float64 // [WinLength] scratch
	tonal      []complex128
	spec       []complex128
}

func newExcitation(cfg features.Config, stft *features.STFT, seed uint64) *excitation {
	e := &excitation{
		cfg: cfg, stft: stft, seed: seed,
		noise: make([]float64, cfg.WinLength), frame: make([]float64, cfg.WinLength),
		buzz: make([]float64, cfg.Bins()), hiss: make([]float64, cfg.Bins()),
		tonal: make([]complex128, cfg.Bins()), spec: make([]complex128, cfg.Bins()),
	}
	for k := range e.hiss {
		share := noiseShare(float64(k) * float64(cfg.SampleRate) / float64(cfg.NFFT))
		e.buzz[k], e.hiss[k] = math.Sqrt(1-share), math.Sqrt(share)
	}
	return e
}

// noiseShare is the part of the power of voiced speech at a frequency that is noise. Measured over 17 people in six
// languages, by the correlation of bands of 1 kHz with themselves one period later, beside that of pulses with known
// amounts of noise: 2 % below 1 kHz, 16 % from there to 2 kHz, 22, 23, 30 and 40 % in the next, 50 % up to 8 kHz. A part of
// the noise near 1 kHz is jitter of the pitch, which F0 brings along. What the log-mel of a frame looks like says little
// about it (it explains 5 to 25 % of the variance), so it is not asked.
func noiseShare(hz float64) float64 {
	const fullHz, kneeHz = 14000, 1500
	return min(hz/fullHz*hz/(hz+kneeHz), 1)
}

// reset goes back to the first frame.
func (e *excitation) reset() {
	e.drawn, e.turn, e.f0, e.since = 0, 0, 0, 0
	for i := range e.noise {
		e.noise[i] = e.draw()
	}
}

// draw is the next sample of white noise, uniform, of unit variance (splitmix64: Steele, Lea and Flood, "Fast splittable
// pseudorandom number generators", 2014).
func (e *excitation) draw() float64 {
	e.drawn++
	z := e.seed + e.drawn*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	return float64(int64(z)>>11) / (1 << 52) * math.Sqrt(3)
}

// next is the spectrum, [Bins], of the next frame, of the given F0 or, where that is 0, of noise. It belongs to e and
// stays until the next call, for which the caller may change it.
func (e *excitation) next(f0 float64) []complex128 {
	pulses, noise := e.parts(f0, nil)
	if pulses == nil {
		return noise
	}
	for k, c := range pulses {
		noise[k] = complex(e.buzz[k], 0)*c + complex(e.hiss[k], 0)*noise[k]
	}
	return noise
}

// parts are the spectra, [Bins], of the next frame's pulses, nil where f0 is 0, and of its noise, each as loud as the whole
// of next. They belong to e and stay until the next call. If steer is not nil it is given the phase of the fundamental at a
// voiced frame's centre, in turns, and returns the one to have.
func (e *excitation) parts(f0 float64, steer func(turn float64) float64) (pulses, noise []complex128) {
	hop := e.cfg.Hop
	e.stft.Forward(e.spec, e.noise)
	copy(e.noise, e.noise[hop:])
	for i := len(e.noise) - hop; i < len(e.noise); i++ {
		e.noise[i] = e.draw()
	}
	slope := e.turnTo(f0)
	if f0 == 0 {
		return nil, e.spec
	}
	if steer != nil {
		e.turn = steer(e.turn)
		e.turn -= math.Floor(e.turn)
	}
	e.pulses(f0, slope)
	e.stft.Forward(e.tonal, e.frame)
	return e.tonal, e.spec
}

// f0GlideMax is the largest step of F0 from frame to frame, as a ratio, that is a glide and not a slip of the tracker.
const f0GlideMax = 1.25

// turnTo turns the phase on by a hop to a frame of that F0, and returns by how much F0 rises per sample. Through pauses
// it turns as before them: most are a frame or two that the tracker has missed.
func (e *excitation) turnTo(f0 float64) (slope float64) {
	hop, last := float64(e.cfg.Hop), e.f0
	mean := last
	if f0 > 0 && last > 0 {
		mean = (last + f0) / 2
		if ratio := f0 / last; e.since == 0 && ratio < f0GlideMax && ratio > 1/f0GlideMax {
			slope = (f0 - last) / hop
		}
	}
	e.turn += mean * hop / float64(e.cfg.SampleRate)
	e.turn -= math.Floor(e.turn)
	if f0 > 0 {
		e.f0, e.since = f0, 0
	} else {
		e.since++
	}
	return slope
}

// pulses writes all harmonics below half the sample rate to the frame, in cosine phase:
//
//	sum over h = 1...n of cos 2 pi h u = (sin (2n+1) pi u / sin pi u - 1) / 2
//
// with u the fundamental's phase in turns at each sample. F0 goes straight from the last frame's through this one's;
// behind this one it is held back half way between going on and staying, since the next is not known, and the window
// is falling there.
func (e *excitation) pulses(f0, slope float64) {
	rate := float64(e.cfg.SampleRate)
	half := len(e.frame) / 2
	n := math.Floor(0.5 * rate / (f0 + math.Abs(slope)*float64(half)))
	scale := 2 * math.Sqrt(f0/rate) // the power of noise of unit variance
	for i := range e.frame {
		at := float64(i - half)
		bend := slope / 2
		if at > 0 {
			bend /= 2
		}
		u := e.turn + (f0+bend*at)*at/rate
		u -= math.Floor(u + 0.5)
		v := n
		if s := math.Sin(math.Pi * u); math.Abs(s) > 1e-6 {
			v = (math.Sin((2*n+1)*math.Pi*u)/s - 1) / 2
		}
		e.frame[i] = scale * v
	}
}
