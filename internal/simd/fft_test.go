package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"gonum.org/v1/gonum/dsp/fourier"
)

func TestFFT(t *testing.T) {
	withKernels(t, func(k kernel) {
		rng := rand.New(rand.NewPCG(17, 18))
		for _, n := range []int{8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096} {
			f := NewFFT(n)
			x := randoms(rng, n, 1)
			var power float64
			for _, v := range x {
				power += float64(v) * float64(v)
			}
			allowed := 1e-6 * math.Sqrt(power)
			before := clone(x)
			re, reAlive := guarded(make([]float32, f.Bins()), 3)
			im, imAlive := guarded(make([]float32, f.Bins()), 5)
			f.Forward(re, im, x)
			for bin := 0; bin < f.Bins(); bin += 1 + n/512 {
				var wr, wi float64
				for i, v := range x {
					sin, cos := math.Sincos(-2 * math.Pi * float64(bin*i%n) / float64(n))
					wr += float64(v) * cos
					wi += float64(v) * sin
				}
				if d := math.Hypot(float64(re[bin])-wr, float64(im[bin])-wi); !(d <= allowed) {
					t.Fatalf("%v: %d samples, bin %d: got %v%+vi, want %v%+vi", k, n, bin, re[bin], im[bin], wr, wi)
				}
			}
			im[0], im[n/2] = 7, 7 // must not matter
			back, backAlive := guarded(make([]float32, n), 7)
			f.Inverse(back, re, im)
			for i := range x {
				if x[i] != before[i] || !(math.Abs(float64(back[i]-x[i])) <= 3e-6) {
					t.Fatalf("%v: %d samples: sample %d comes back as %v, was %v", k, n, i, back[i], x[i])
				}
			}
			if !reAlive() || !imAlive() || !backAlive() {
				t.Fatalf("%v: %d samples: wrote outside", k, n)
			}
			if a := testing.AllocsPerRun(5, func() { f.Forward(re, im, x); f.Inverse(back, re, im) }); a != 0 {
				t.Fatalf("%v: %v allocations", k, a)
			}
		}
	})
}

// BenchmarkFFT gives the speed as a ratio to gonum's, the best of many runs of each in turn.
func BenchmarkFFT(b *testing.B) {
	for _, n := range []int{512, 768, 1024} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f, g := NewFFT(n), fourier.NewFFT(n)
			rng := rand.New(rand.NewPCG(1, 1))
			x, re, im := randoms(rng, n, 1), make([]float32, f.Bins()), make([]float32, f.Bins())
			wide, spectrum := make([]float64, n), make([]complex128, n/2+1)
			for i, v := range x {
				wide[i] = float64(v)
			}
			ours, theirs := time.Hour, time.Hour
			for b.Loop() {
				start := time.Now()
				for range 10 {
					f.Forward(re, im, x)
				}
				ours = min(ours, time.Since(start)/10)
				start = time.Now()
				for range 10 {
					g.Coefficients(spectrum, wide)
				}
				theirs = min(theirs, time.Since(start)/10)
			}
			b.ReportMetric(float64(ours.Nanoseconds()), "best-ns")
			b.ReportMetric(float64(theirs)/float64(ours), "x-gonum")
		})
	}
}
