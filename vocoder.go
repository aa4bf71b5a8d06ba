package vc

import (
	"fmt"
	"slices"

	"github.com/starvc/vc/internal/synth"
)

// Vocoder names a way from log-mel frames to sound; see package vocoder.
type Vocoder string

const (
	Neural       Vocoder = "neural"        // driven by F0 and learnt from recordings, best; needs weights
	SourceFilter Vocoder = "source-filter" // driven by F0, best of those that need no weights
	GriffinLim   Vocoder = "griffin-lim"   // fast Griffin-Lim, whole recordings only; does not know the pitch
	RTISI        Vocoder = "rtisi"         // nor does this
)

// Vocoders are all that Convert can use.
func Vocoders() []Vocoder { return []Vocoder{Neural, SourceFilter, GriffinLim, RTISI} }

// LiveVocoders are those of them that a Stream can use.
func LiveVocoders() []Vocoder { return []Vocoder{Neural, SourceFilter, RTISI} }

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
