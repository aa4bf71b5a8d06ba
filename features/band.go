package features

import (
	"math"
	"slices"
)

// Where the frequencies above SpeechHz are looked for. Of 56 recordings of 14 voices, those that reach 11 kHz or more have -0.5 or
// more at the 97th percentile of the band about 10.4 kHz, those that end at 10 kHz -1.8 or less.
const (
	upperShare   = 0.7  // of the bands above SpeechHz lie below the one that is looked at
	upperPart    = 0.97 // of the frames are not louder: few sounds of speech have such frequencies
	upperPresent = -1.3 // normalised log-mel
)

// Narrow tells whether a recording, levelled as Level does it, ends too early on the frequency axis to tell anything of the bands
// above SpeechHz. Where c has no such bands, none is.
func (c Config) Narrow(f Frames) bool {
	if !c.HasUpper() || f.Len() == 0 {
		return false
	}
	low := c.SpeechMels()
	m := low + int(upperShare*float64(c.NMels-low))
	levels := make([]float32, f.Len())
	for t := range levels {
		levels[t] = f.Mel(t)[m]
	}
	slices.Sort(levels)
	return levels[int(upperPart*float64(len(levels)-1))] < upperPresent
}

// SilenceUpper sets the bands above SpeechHz of logMel, [frames*NMels], to the floor, as a recording has them that ends there.
func (c Config) SilenceUpper(logMel []float32) {
	low, floor := c.SpeechMels(), c.NormalizeMel(0)
	for t := 0; t < len(logMel); t += c.NMels {
		for m := low; m < c.NMels; m++ {
			logMel[t+m] = floor
		}
	}
}

// SameSpeech tells whether the bands up to SpeechHz of a and b are the same and hold the same numbers for the same sound, so that a
// network which hears those alone serves both.
func SameSpeech(a, b Config) bool {
	near := func(x, y float64) bool { return math.Abs(x-y) <= 1e-9*math.Max(math.Abs(x), 1) }
	perSecond := func(samples int, c Config) float64 { return float64(samples) / float64(c.SampleRate) }
	n := a.SpeechMels()
	if n != b.SpeechMels() {
		return false
	}
	for m := range n {
		if !near(a.BandHz(m), b.BandHz(m)) {
			return false
		}
	}
	return near(perSecond(a.Hop, a), perSecond(b.Hop, b)) && near(perSecond(a.WinLength, a), perSecond(b.WinLength, b)) &&
		near(perSecond(a.NFFT, a), perSecond(b.NFFT, b)) && near(a.MelScale, b.MelScale) &&
		near(a.MelMean-math.Log(float64(a.SampleRate)), b.MelMean-math.Log(float64(b.SampleRate))) &&
		near(math.Log(a.LogFloor/float64(a.SampleRate)), math.Log(b.LogFloor/float64(b.SampleRate)))
}

// InConfig is frames of from as to has them, where SameSpeech holds for the two: with the bands above SpeechHz at the floor, or without
// them. F0 and LogEnergy are shared with f.
func (f Frames) InConfig(from, to Config) Frames {
	if from == to {
		return f
	}
	out := f
	out.NMels, out.LogMel = to.NMels, make([]float32, f.Len()*to.NMels)
	low := from.SpeechMels()
	for t := range f.Len() {
		copy(out.Mel(t), f.Mel(t)[:low])
	}
	if to.HasUpper() {
		to.SilenceUpper(out.LogMel)
	}
	return out
}
