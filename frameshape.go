package vc

import "github.com/starvc/vc/features"

// frameShaper does to the generator's frames what is done before they become sound: silence stays silence, formants are moved,
// and the frames are sharpened.
type frameShaper struct {
	quiet float32
	warp  *formantWarp
	sharp *sharpener
}

func newFrameShaper(cfg features.Config, formantSemitones float64) frameShaper {
	return frameShaper{silentMel(cfg), newFormantWarp(cfg, formantSemitones), newSharpener(cfg)}
}

// frame changes one frame, [nMels], in place. f0 is in Hz, as it was asked for, and logEnergy is the source's.
func (s *frameShaper) frame(logMel []float32, f0, logEnergy float32) {
	if logEnergy < silenceLogEnergy {
		fill(logMel, s.quiet)
		return
	}
	s.warp.frame(logMel, f0)
	s.sharp.frame(logMel)
}
