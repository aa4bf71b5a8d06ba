package features

import (
	"fmt"
	"math"
)

// Config describes the features completely: two parts of the program whose configurations differ cannot work
// together. It is a plain value, comparable with ==, and is stored as JSON inside every model file.
type Config struct {
	SampleRate int `json:"sampleRate"` // samples per second
	NFFT       int `json:"nFFT"`       // points of the Fourier transform, even, at least WinLength
	WinLength  int `json:"winLength"`  // samples under the periodic Hann window, even; the window is centred in NFFT
	Hop        int `json:"hop"`        // samples from one frame to the next, at most WinLength/2
	NMels      int `json:"nMels"`      // mel bands per frame

	FMinHz float64 `json:"fMinHz"` // lower edge of the first mel band
	FMaxHz float64 `json:"fMaxHz"` // upper edge of the last mel band, at most SampleRate/2

	LogFloor float64 `json:"logFloor"` // mel magnitudes below it count as this, before the natural logarithm
	MelMean  float64 `json:"melMean"`  // subtracted from ln(mel)
	MelScale float64 `json:"melScale"` // what remains is divided by it

	F0MinHz float64 `json:"f0MinHz"` // lowest F0 that counts as a voice
	F0MaxHz float64 `json:"f0MaxHz"` // highest F0 that counts as a voice
}

// DefaultConfig is the configuration at 16000 samples per second.
func DefaultConfig() Config {
	return Config{
		SampleRate: 16000, NFFT: 512, WinLength: 400, Hop: 160, NMels: 80,
		FMinHz: 0, FMaxHz: 8000,
		LogFloor: 1e-5, MelMean: defaultMelMean, MelScale: defaultMelScale,
		F0MinHz: 50, F0MaxHz: 1000,
	}
}

// One affine map takes ln(mel) of speech to about zero mean and unit variance. Measured over 200 recordings
// (18.6 minutes, 17 people, six languages, levelled to -23 dBFS of speech), all mel bands of the 96442 frames within
// 35 dB of the file's 95th percentile of power, at 16000 Hz: mean -6.05, standard deviation 1.94.
// Rounded, so that speech comes out at mean -0.03, deviation 0.97, and the floor at -2.76.
const (
	defaultMelMean  = -6.0
	defaultMelScale = 2.0
)

// SpeechHz is the upper edge of what the encoder and the phone network hear, at any sample rate: most free speech was recorded
// at 16000 Hz.
const SpeechHz = 8000

// upperBands is how many mel bands the configuration at 24000 Hz has above SpeechHz.
const upperBands = 10

// ConfigForRate is the configuration at a sample rate of 16000 or 24000 Hz, both with 100 frames per second. The lower SpeechMels
// bands at 24000 Hz are those at 16000 Hz: the same triangles over the same frequencies, 31.25 Hz apart, and the same numbers
// for the same sound, since the map makes up for the window's having more samples. The bands above go on with the same spacing on
// the mel scale, to 11746 Hz.
func ConfigForRate(rate int) (Config, error) {
	c := DefaultConfig()
	switch rate {
	case 16000:
	case 24000:
		const ratio = 24000. / 16000
		c.FMaxHz = melToHz(hzToMel(SpeechHz) * float64(c.NMels+1+upperBands) / float64(c.NMels+1))
		c.NMels += upperBands
		c.SampleRate, c.NFFT, c.WinLength, c.Hop = 24000, 768, 600, 240
		c.LogFloor *= ratio
		c.MelMean += math.Log(ratio)
	default:
		return Config{}, fmt.Errorf("features: sample rate %d, want 16000 or 24000", rate)
	}
	return c, nil
}

// SpeechMels is how many of the mel bands, counted from the lowest, end at or below SpeechHz.
func (c Config) SpeechMels() int {
	low, high := hzToMel(c.FMinHz), hzToMel(c.FMaxHz)
	n := 0
	for n < c.NMels && melToHz(low+(high-low)*float64(n+2)/float64(c.NMels+1)) <= SpeechHz+1e-6 {
		n++
	}
	return n
}

// HasUpper tells whether there are mel bands above SpeechHz, which some recordings lack.
func (c Config) HasUpper() bool { return c.SpeechMels() < c.NMels }

// The largest settings that Validate lets pass, so that a damaged model file cannot ask for absurd amounts of memory.
const (
	maxSampleRate = 384000
	maxNFFT       = 1 << 16
	maxNMels      = 1024
)

// Validate names the first field that makes no sense.
func (c Config) Validate() error {
	finite := func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
	switch {
	case c.SampleRate < 1000 || c.SampleRate > maxSampleRate:
		return fmt.Errorf("features: sampleRate %d, want 1000 to %d", c.SampleRate, maxSampleRate)
	case c.WinLength < 4 || c.WinLength%2 != 0:
		return fmt.Errorf("features: winLength %d, want an even number, at least 4", c.WinLength)
	case c.NFFT < c.WinLength || c.NFFT%2 != 0 || c.NFFT > maxNFFT:
		return fmt.Errorf("features: nFFT %d, want an even number, at least winLength (%d) and at most %d", c.NFFT, c.WinLength, maxNFFT)
	case c.Hop < 1 || c.Hop > c.WinLength/2:
		return fmt.Errorf("features: hop %d, want 1 to half of winLength (%d)", c.Hop, c.WinLength/2)
	case c.NMels < 1 || c.NMels > maxNMels:
		return fmt.Errorf("features: nMels %d, want 1 to %d", c.NMels, maxNMels)
	case !(c.FMinHz >= 0 && c.FMinHz < c.FMaxHz):
		return fmt.Errorf("features: fMinHz %g, want 0 up to fMaxHz (%g)", c.FMinHz, c.FMaxHz)
	case !(c.FMaxHz <= float64(c.SampleRate)/2):
		return fmt.Errorf("features: fMaxHz %g, want at most half of sampleRate (%g)", c.FMaxHz, float64(c.SampleRate)/2)
	case !(c.LogFloor > 0 && c.LogFloor < 1):
		return fmt.Errorf("features: logFloor %g, want more than 0 and less than 1", c.LogFloor)
	case !finite(c.MelMean):
		return fmt.Errorf("features: melMean %g, want a finite number", c.MelMean)
	case !(c.MelScale > 0 && finite(c.MelScale)):
		return fmt.Errorf("features: melScale %g, want a finite number above 0", c.MelScale)
	case !(c.F0MinHz > 0 && c.F0MinHz < c.F0MaxHz):
		return fmt.Errorf("features: f0MinHz %g, want more than 0 and less than f0MaxHz (%g)", c.F0MinHz, c.F0MaxHz)
	case !(c.F0MaxHz <= float64(c.SampleRate)/2):
		return fmt.Errorf("features: f0MaxHz %g, want at most half of sampleRate (%g)", c.F0MaxHz, float64(c.SampleRate)/2)
	}
	return nil
}

// NumFrames is the number of frames of a signal of that many samples: 1 + samples/Hop, so one even for none.
func (c Config) NumFrames(samples int) int { return 1 + samples/c.Hop }

// Bins is the number of frequencies of a spectrum: NFFT/2 + 1.
func (c Config) Bins() int { return c.NFFT/2 + 1 }
