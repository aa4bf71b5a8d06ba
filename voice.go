package vc

import (
	"errors"
	"fmt"
	"math"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
)

// Voice is what speech is turned into: a style code, which tells the generator whose sound to make, the range of pitch that belongs to
// it, and by how much the formants are moved from where the style puts them. It is of use to the model alone that it was made with.
// Its slices must not be changed; those of a copy may.
type Voice struct {
	Style   []float32      // [styleDim]
	LogF0   features.Pitch // mean and standard deviation of ln F0, F0 in Hz
	Formant float64        // semitones, within MaxFormantSemitones
	Consent []Consent      // of those whose recordings it was made from, as far as it was said; no part of the sound
}

// Voice is one of the model's own voices by name. The error for an unknown one is a *gan.UnknownSpeakerError.
func (m *Model) Voice(name string) (Voice, error) {
	i, err := m.networks.Speaker(name)
	if err != nil {
		return Voice{}, err
	}
	return m.SpeakerVoice(i), nil
}

// SpeakerVoice is one of the model's own voices by its number in Voices. It panics if there is none.
func (m *Model) SpeakerVoice(speaker int) Voice {
	return Voice{Style: m.networks.Style(speaker), LogF0: m.networks.Speakers[speaker].LogF0()}
}

// Mix is the weighted mean of voices of one model, with the consents of all that have a part in it, each once. Weights need not sum to
// 1, but must not be negative, nor all 0.
func Mix(voices []Voice, weights []float64) (Voice, error) {
	if len(voices) == 0 || len(voices) != len(weights) {
		return Voice{}, fmt.Errorf("mix: %d voices with %d weights", len(voices), len(weights))
	}
	sum := 0.0
	for _, w := range weights {
		if !(w >= 0) || math.IsInf(w, 0) {
			return Voice{}, fmt.Errorf("mix: weight %g, want 0 or more", w)
		}
		sum += w
	}
	if sum == 0 {
		return Voice{}, errors.New("mix: all weights are 0")
	}
	v := Voice{Style: make([]float32, len(voices[0].Style))}
	for i, o := range voices {
		if len(o.Style) != len(v.Style) {
			return Voice{}, fmt.Errorf("mix: a style of %d numbers and one of %d: the voices are of different models", len(v.Style), len(o.Style))
		}
		if weights[i] > 0 {
			v.Consent = joinConsents(v.Consent, o.Consent)
		}
		w := weights[i] / sum
		for k, s := range o.Style {
			v.Style[k] += float32(w * float64(s))
		}
		v.LogF0.Mean += w * o.LogF0.Mean
		v.LogF0.Std += w * o.LogF0.Std
		v.Formant += w * o.Formant
	}
	return v, nil
}

// MinStrength and MaxStrength bound how strongly a voice may be put on.
const (
	MinStrength = 0.1
	MaxStrength = 2
)

func checkStrength(strength float64) error {
	if strength != 0 && !(strength >= MinStrength && strength <= MaxStrength) {
		return fmt.Errorf("strength is %g, want %g to %d, or 0 for the usual", strength, MinStrength, MaxStrength)
	}
	return nil
}

// Strengthen moves a voice's style away from the mean of the model's speakers: strength is how far from there it is to lie,
// in parts of how far it lies now. Above 1 what sets the voice apart is exaggerated, which makes up for a generator that
// does less than its style asks; 0 stands for 1, which changes nothing, as does a model of one speaker. v stays as it is.
func (m *Model) Strengthen(v Voice, strength float64) Voice {
	if strength == 0 || strength == 1 {
		return v
	}
	mean, style := m.meanStyle(), make([]float32, len(v.Style))
	for k, s := range v.Style {
		style[k] = float32(mean[k] + strength*(float64(s)-mean[k]))
	}
	v.Style = style
	return v
}

func (v Voice) check(m *gan.Model) error {
	if len(v.Style) != m.Config.StyleDim {
		return fmt.Errorf("style has %d numbers, the model wants %d", len(v.Style), m.Config.StyleDim)
	}
	if !allFinite(v.Style) || !(math.Abs(v.LogF0.Mean) < math.MaxFloat32) || !(v.LogF0.Std >= 0 && v.LogF0.Std < math.MaxFloat32) {
		return errors.New("the voice holds values that are not numbers")
	}
	return checkFormant(v.Formant)
}
