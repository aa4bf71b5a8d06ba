package audio_test

import (
	"bytes"
	"fmt"
	"math"

	"github.com/starvc/vc/audio"
)

// A tone goes out as WAV, comes in again and changes its rate.
func Example() {
	tone := make([]float32, 48000)
	for i := range tone {
		tone[i] = 0.5 * float32(math.Sin(2*math.Pi*440*float64(i)/48000))
	}
	var file bytes.Buffer
	if err := audio.EncodeWAV(&file, audio.Clip{Samples: tone, Rate: 48000}); err != nil {
		fmt.Println(err)
		return
	}
	file.Truncate(file.Len() * 3 / 4) // the copy was interrupted

	clip, err := audio.Decode(&file)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(clip.Warnings)
	speech := audio.Resample(clip.Samples, clip.Rate, 16000)
	rms, peak := audio.Level(speech)
	fmt.Printf("%v at 16 kHz: %d samples, %.1f dB RMS, %.1f dB peak\n", clip.Duration().Round(1e6), len(speech), rms, peak)
	// Output:
	// [cut short: 0.25 s of 1.00 s are missing (25.0 %); the rest is used]
	// 750ms at 16 kHz: 11998 samples, -9.0 dB RMS, -6.0 dB peak
}
