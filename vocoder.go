package vc

import (
	"fmt"
	"slices"

	"github.com/starvc/vc/internal/synth"
)

// Vocoder names a way from log-mel frames to sound; see package vocoder.
type Vocoder string

// The vocoders, best first.
const (
	Neural       = Vocoder(synth.Neural)       // a network driven by the pitch; needs weights, which models and the package have
	SourceFilter = Vocoder(synth.SourceFilter) // driven by the pitch, without weights
	GriffinLim   = Vocoder(synth.GriffinLim)   // phases guessed from the spectrum alone (fast Griffin-Lim); whole recordings only
	RTISI        = Vocoder(synth.RTISI)        // phases guessed frame by frame, for streams too
)

// Vocoders are all that Convert can use.
func Vocoders() []Vocoder { return named(synth.Vocoders()) }

// LiveVocoders are those of them that a Stream can use.
func LiveVocoders() []Vocoder { return named(synth.LiveVocoders()) }

func named(list []synth.Vocoder) []Vocoder {
	names := make([]Vocoder, len(list))
	for i, v := range list {
		names[i] = Vocoder(v)
	}
	return names
}

func (v Vocoder) check(known []Vocoder) error {
	if v != "" && !slices.Contains(known, v) {
		return fmt.Errorf("vocoder %q is not known, known are %q", v, known)
	}
	return nil
}

// ChooseVocoder is the vocoder that a name means for this model: itself, or for "" Neural where the model or the package has weights
// of one, else SourceFilter. It is an error if weights are missing or broken.
func (m *Model) ChooseVocoder(name Vocoder) (Vocoder, error) {
	chosen, _, err := synth.Choose(synth.Vocoder(name), m.networks.Features, m.net)
	return Vocoder(chosen), err
}
