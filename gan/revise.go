package gan

import (
	"fmt"
	"maps"
	"slices"
)

const storedStyles = "speakers.style"

// WithStrength is the model with its stored styles moved to so many times their distance from the mean of all of them: above 1 the
// voices are further from each other, below it nearer, which is kinder to the words. strength is by the speaker's name; "" stands
// for all that are not named, which stay as they are without it. It is an error if a name is not among the speakers.
func (m *Model) WithStrength(strength map[string]float64) (*Model, error) {
	n := m.Config.StyleDim
	old := m.tensors[storedStyles]
	mean := make([]float64, n)
	for i, v := range old {
		mean[i%n] += float64(v) / float64(len(m.Speakers))
	}
	by := make([]float64, len(m.Speakers))
	for i := range by {
		by[i] = 1
		if all, ok := strength[""]; ok {
			by[i] = all
		}
	}
	for name, s := range strength {
		if name == "" {
			continue
		}
		i, err := m.Speaker(name)
		if err != nil {
			return nil, err
		}
		by[i] = s
	}
	styles := make([]float32, len(old))
	for i, v := range old {
		styles[i] = float32(mean[i%n] + by[i/n]*(float64(v)-mean[i%n]))
	}
	tensors := maps.Clone(m.tensors)
	tensors[storedStyles] = styles
	out, err := NewModel(m.Features, m.Config, m.Speakers, m.Trained, tensors)
	if err != nil {
		return nil, err
	}
	return out.WithVocoder(m.vocoder)
}

// Without is the model without these speakers: without their styles, and without their heads of F and E. It is an error if one is not
// among them, or none would be left.
func (m *Model) Without(names ...string) (*Model, error) {
	gone := make(map[int]bool)
	for _, name := range names {
		i, err := m.Speaker(name)
		if err != nil {
			return nil, err
		}
		gone[i] = true
	}
	if len(gone) == len(m.Speakers) {
		return nil, fmt.Errorf("no voice would be left")
	}
	tensors := maps.Clone(m.tensors)
	for _, p := range m.Config.ModelParams(len(m.Speakers)) {
		if !p.PerSpeaker() {
			continue
		}
		old := tensors[p.Name]
		row := len(old) / len(m.Speakers)
		kept := make([]float32, 0, len(old))
		for i := range m.Speakers {
			if !gone[i] {
				kept = append(kept, old[i*row:(i+1)*row]...)
			}
		}
		tensors[p.Name] = kept
	}
	var left []SpeakerInfo
	for i, s := range m.Speakers {
		if !gone[i] {
			left = append(left, s)
		}
	}
	out, err := NewModel(m.Features, m.Config, slices.Clip(left), m.Trained, tensors)
	if err != nil {
		return nil, err
	}
	return out.WithVocoder(m.vocoder)
}
