package vc

import (
	"math"
	"slices"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/mark"
)

// frameShaper does to the generator's frames what is done before they become sound: silence stays silence, formants are moved,
// and the frames are sharpened.
type frameShaper struct {
	quiet float32
	warp  *formantWarp
	sharp *sharpener
	mark  *mark.Writer
}

func newFrameShaper(cfg features.Config, formantSemitones float64) frameShaper {
	return frameShaper{silentMel(cfg), newFormantWarp(cfg, formantSemitones), newSharpener(cfg), nil}
}

// frame changes one frame, [nMels], in place. f0 is in Hz, as it was asked for, and logEnergy is the source's.
func (s *frameShaper) frame(logMel []float32, f0, logEnergy float32) {
	if logEnergy < silenceLogEnergy {
		fill(logMel, s.quiet)
		s.mark.Skip()
		return
	}
	s.warp.frame(logMel, f0)
	s.sharp.frame(logMel)
	s.mark.Frame(logMel)
}

// newMark writes what voice is put on, nil if nothing is to be written.
func (m *Model) newMark(v Voice) *mark.Writer {
	if m.unmarked {
		return nil
	}
	return mark.NewWriter(m.networks.Features, m.markOf(v))
}

// sameVoice is the cosine, of what sets two voices apart from the mean of all, from which on one is the other, put on more or less.
const sameVoice = 0.9999

// markOf is what the mark says of a voice. One that is not the model's own, at any strength, has no number. It does not allocate.
func (m *Model) markOf(v Voice) mark.Info {
	mean := m.meanStyle()
	for i, s := range m.networks.Speakers {
		style := m.networks.Style(i)
		var both, own, other float64
		for k, c := range mean {
			a, b := float64(style[k])-c, float64(v.Style[k])-c
			both, own, other = both+a*b, own+a*a, other+b*b
		}
		if slices.Equal(style, v.Style) || both > sameVoice*math.Sqrt(own*other) {
			return mark.Of(s.Name)
		}
	}
	return mark.Of("")
}
