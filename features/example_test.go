package features_test

import (
	"fmt"
	"math"

	"github.com/starvc/vc/features"
)

// A stream arrives in pieces of any length; the frames come out as soon as they are known.
func Example() {
	cfg := features.DefaultConfig()
	extractor, err := features.NewExtractor(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}

	tone := make([]float32, cfg.SampleRate/2) // half a second of 1000 Hz
	for i := range tone {
		tone[i] = float32(0.5 * math.Sin(2*math.Pi*1000*float64(i)/float64(cfg.SampleRate)))
	}

	var frames features.Frames
	extractor.Process(&frames, tone[:3000])
	fmt.Println("after 3000 samples:", frames.Len(), "frames")
	extractor.Process(&frames, tone[3000:])
	extractor.Flush(&frames)
	fmt.Println("in all:", frames.Len(), "frames of", frames.NMels, "mel bands")

	loudest := 0
	for m, v := range frames.Mel(25) {
		if v > frames.Mel(25)[loudest] {
			loudest = m
		}
	}
	fmt.Println("loudest band:", loudest)
	fmt.Printf("level: %.1f dB\n", frames.LogEnergy[25]*20/math.Ln10)
	// Output:
	// after 3000 samples: 18 frames
	// in all: 51 frames of 80 mel bands
	// loudest band: 26
	// level: -9.0 dB
}
