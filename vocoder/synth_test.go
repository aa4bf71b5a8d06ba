package vocoder

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/starvc/vc/features"
)

// vowels is a voice of that many samples made by formula: harmonics of a gliding F0 under three formants, with pauses
// and hisses between, at about -20 dBFS.
func vowels(rate, samples int) []float32 {
	random := rand.New(rand.NewPCG(1, 2))
	x := make([]float32, samples)
	var turn, hiss float64
	for i := range x {
		seconds := float64(i) / float64(rate)
		f0 := 140 + 50*math.Sin(2*math.Pi*0.7*seconds) + 10*math.Sin(2*math.Pi*3.1*seconds)
		turn += f0 / float64(rate)
		formants := [3]float64{500 + 200*math.Sin(2*math.Pi*1.3*seconds), 1500 + 500*math.Sin(2*math.Pi*0.9*seconds), 2700}
		loud := math.Max(0, math.Sin(2*math.Pi*1.9*seconds)) // pauses in between
		var v float64
		for h := 1; float64(h)*f0 < 0.45*float64(rate); h++ {
			hz := float64(h) * f0
			gain := 0.02 / float64(h)
			for j, f := range formants {
				d := (hz - f) / (60 + 40*float64(j))
				gain += 0.2 / float64(j+1) / (1 + d*d) / math.Sqrt(float64(h))
			}
			v += gain * math.Sin(2*math.Pi*float64(h)*turn)
		}
		noise := random.NormFloat64()
		shaped := noise - hiss
		hiss = noise
		x[i] = float32(0.3*loud*v + 0.01*math.Max(0, -math.Sin(2*math.Pi*1.9*seconds))*shaped)
	}
	return x
}

// logMels are the frames of x.
func logMels(tb testing.TB, cfg features.Config, x []float32) []float32 {
	tb.Helper()
	e, err := features.NewExtractor(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	f := features.Frames{NMels: cfg.NMels}
	e.Process(&f, x)
	e.Flush(&f)
	return f.LogMel
}

// convergence is the spectral convergence of y to x in dB: the energy of the difference of their magnitude
// spectrograms over the energy of x's. Lower is better.
func convergence(cfg features.Config, x, y []float32) float64 {
	stft := features.NewSTFT(cfg)
	a, b := stft.Analyze(x), stft.Analyze(y)
	var difference, energy float64
	for i := range a {
		ma, mb := magnitudeOf(a[i]), magnitudeOf(b[i])
		difference += (ma - mb) * (ma - mb)
		energy += ma * ma
	}
	return 10 * math.Log10(difference/energy)
}

func magnitudeOf(c complex128) float64 { return math.Hypot(real(c), imag(c)) }

// melDistance is the mean absolute difference of two log-mels in nepers, over the bands of a that lie at most 60 dB
// below its largest.
func melDistance(cfg features.Config, a, b []float32) float64 {
	top := float32(math.Inf(-1))
	for _, v := range a {
		top = max(top, v)
	}
	least := top - float32(math.Log(1000)/cfg.MelScale)
	var sum float64
	var n int
	for i, v := range a {
		if v >= least {
			sum += math.Abs(float64(v-b[i])) * cfg.MelScale
			n++
		}
	}
	return sum / float64(n)
}
