package vocoder_test

import (
	"fmt"
	"math"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/vocoder"
)

// A tone goes through its log-mel frames and back: the phase is another, the pitch and the length are not.
func Example() {
	cfg := features.DefaultConfig()
	x := make([]float32, 8000)
	for i := range x {
		x[i] = float32(0.5 * math.Sin(2*math.Pi*300*float64(i)/float64(cfg.SampleRate)))
	}
	frames, err := features.Extract(cfg, x)
	if err != nil {
		panic(err)
	}
	gl, err := vocoder.NewGriffinLim(cfg, 32)
	if err != nil {
		panic(err)
	}
	y := gl.Synthesize(frames.LogMel, len(x))

	crossings := 0
	for i := 1601; i < 6401; i++ {
		if (y[i-1] < 0) != (y[i] < 0) {
			crossings++
		}
	}
	hz := float64(crossings) / 2 / 0.3
	fmt.Printf("%d samples, about %.0f Hz\n", len(y), 10*math.Round(hz/10))
	// Output: 8000 samples, about 300 Hz
}
