package gan

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/safetensors"
)

// SpeakerInfo is one row of a model's speaker table.
type SpeakerInfo struct {
	Name      string  `json:"name"`
	LogF0Mean float64 `json:"logF0Mean"` // of ln F0 over the voiced frames of the training speech
	LogF0Std  float64 `json:"logF0Std"`
	Seconds   float64 `json:"seconds"`         // of training speech
	About     string  `json:"about,omitempty"` // a line for people, may be empty
}

// maxAboutBytes bounds a description.
const maxAboutBytes = 400

// LogF0 is the speaker's pitch.
func (s SpeakerInfo) LogF0() features.Pitch {
	return features.Pitch{Mean: s.LogF0Mean, Std: s.LogF0Std}
}

// Trained says how a model came about.
type Trained struct {
	Steps   int    `json:"steps"`   // of the optimizer
	Preset  string `json:"preset"`  // the preset that the configuration started from
	Program string `json:"program"` // version of the program that trained it
}

// Model is everything that conversion needs: the weights of G, F and E, the speakers with their styles, and all
// configuration. It is immutable once made and may be shared.
type Model struct {
	Features features.Config
	Config   Config
	Speakers []SpeakerInfo
	Trained  Trained

	tensors map[string][]float32
	vocoder *VocoderPart // nil for none
}

// NewModel puts a model together and checks it: every weight of Config.ModelParams must be there with as many
// numbers as its shape holds, no other, all finite. The slices are kept and must not change.
func NewModel(f features.Config, c Config, speakers []SpeakerInfo, trained Trained, tensors map[string][]float32) (*Model, error) {
	m := &Model{Features: f, Config: c, Speakers: slices.Clone(speakers), Trained: trained, tensors: tensors}
	if err := m.checkTables(); err != nil {
		return nil, err
	}
	if err := safetensors.CheckWeights(c.ModelParams(len(speakers)), tensors); err != nil {
		return nil, err
	}
	return m, nil
}

// checkTables checks all but the weights.
func (m *Model) checkTables() error {
	if err := m.Features.Validate(); err != nil {
		return err
	}
	if err := m.Config.Validate(); err != nil {
		return err
	}
	if m.Features.NMels != m.Config.NMels {
		return fmt.Errorf("model: features have %d mel bands, the networks %d", m.Features.NMels, m.Config.NMels)
	}
	if len(m.Speakers) == 0 {
		return fmt.Errorf("model: no speakers")
	}
	seen := map[string]bool{}
	for i, s := range m.Speakers {
		switch {
		case s.Name == "" || strings.ContainsAny(s.Name, "\r\n\t"):
			return fmt.Errorf("model: speaker %d: name %q, want a line of text", i, s.Name)
		case seen[s.Name]:
			return fmt.Errorf("model: speaker %q: twice in the table", s.Name)
		case !finite(s.LogF0Mean) || !finite(s.LogF0Std) || s.LogF0Std < 0 || !finite(s.Seconds) || s.Seconds < 0:
			return fmt.Errorf("model: speaker %q: log-F0 %g +- %g, %g seconds", s.Name, s.LogF0Mean, s.LogF0Std, s.Seconds)
		case len(s.About) > maxAboutBytes || !utf8.ValidString(s.About) || strings.ContainsFunc(s.About, unicode.IsControl):
			return fmt.Errorf("model: speaker %q: description %.40q, want a line of text of at most %d bytes", s.Name, s.About, maxAboutBytes)
		}
		seen[s.Name] = true
	}
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// numbers is the product of the shape.
func (p Param) numbers() int {
	n := 1
	for _, d := range p.Shape {
		n *= d
	}
	return n
}

// Tensor gives a weight by its name in Config.ModelParams, row-major, not to be changed; nil if there is none.
func (m *Model) Tensor(name string) []float32 { return m.tensors[name] }

// Style is the stored style of a speaker, [styleDim], not to be changed.
func (m *Model) Style(speaker int) []float32 {
	n := m.Config.StyleDim
	return m.tensors["speakers.style"][speaker*n : (speaker+1)*n : (speaker+1)*n]
}

// Speaker finds a speaker by name. The error for an unknown one is an *UnknownSpeakerError.
func (m *Model) Speaker(name string) (int, error) {
	known := make([]string, len(m.Speakers))
	for i, s := range m.Speakers {
		if s.Name == name {
			return i, nil
		}
		known[i] = s.Name
	}
	return 0, &UnknownSpeakerError{name, known}
}

// UnknownSpeakerError says that a model has no speaker of that name.
type UnknownSpeakerError struct {
	Name  string
	Known []string // names of the speakers that there are
}

// listedNames is how many speakers an error lists.
const listedNames = 24

func (e *UnknownSpeakerError) Error() string {
	more := ""
	if n := len(e.Known) - listedNames; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("speaker %q: unknown; known are %s%s", e.Name, strings.Join(e.Known[:min(len(e.Known), listedNames)], ", "), more)
}
