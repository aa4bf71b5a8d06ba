package gan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/starvc/vc/internal/safetensors"
)

// VocoderPart is a neural vocoder that travels inside a model's file, for voices that sound better with one of their own.
// This package keeps it and knows nothing about it; package vocoder does.
type VocoderPart struct {
	Config  string   // JSON
	Weights []Weight // names begin with VocoderPrefix
}

// Weight is a tensor, row-major.
type Weight struct {
	Name  string
	Shape []int
	Data  []float32
}

// VocoderPrefix begins the names of a vocoder's weights, and of no others.
const VocoderPrefix = "voc."

// Tensor gives a weight by name. A missing name and another shape are errors. The slice must not be changed.
func (p *VocoderPart) Tensor(name string, shape ...int) ([]float32, error) {
	for _, w := range p.Weights {
		if w.Name != name {
			continue
		}
		if !slices.Equal(w.Shape, shape) {
			return nil, fmt.Errorf("tensor %q: shape %v, want %v", name, w.Shape, shape)
		}
		return w.Data, nil
	}
	return nil, fmt.Errorf("tensor %q: missing", name)
}

// check refuses what could not be read again.
func (p *VocoderPart) check() error {
	if !json.Valid([]byte(p.Config)) {
		return fmt.Errorf("metadata %q: not JSON", vocoderKey)
	}
	if len(p.Weights) == 0 {
		return fmt.Errorf("weights: the vocoder has none, there is only its metadata")
	}
	seen := map[string]bool{}
	for _, w := range p.Weights {
		if !strings.HasPrefix(w.Name, VocoderPrefix) || seen[w.Name] {
			return fmt.Errorf("weights: tensor %q: not a vocoder's, or twice", w.Name)
		}
		seen[w.Name] = true
		if n := (Param{w.Name, w.Shape}).numbers(); len(w.Data) != n {
			return fmt.Errorf("weights: tensor %q: %d numbers, want %d for shape %v", w.Name, len(w.Data), n, w.Shape)
		}
		if err := safetensors.CheckFinite(w.Name, w.Data); err != nil {
			return err
		}
	}
	return nil
}

// Vocoder is the model's own neural vocoder, nil if it has none. It must not be changed.
func (m *Model) Vocoder() *VocoderPart { return m.vocoder }

// WithVocoder is the model with that vocoder, or with none where p is nil. Model and result share their weights; p is kept
// and must not change. It is an error if p is not what a file can hold.
func (m *Model) WithVocoder(p *VocoderPart) (*Model, error) {
	if p != nil {
		if err := p.check(); err != nil {
			return nil, err
		}
	}
	with := *m
	with.vocoder = p
	return &with, nil
}

// readVocoder finds the vocoder in a file, nil if there is none.
func readVocoder(f *safetensors.File) (*VocoderPart, error) {
	config, ok := f.Metadata()[vocoderKey]
	p := &VocoderPart{Config: config}
	for _, t := range f.Tensors() {
		if !strings.HasPrefix(t.Name, VocoderPrefix) {
			continue
		}
		if !ok {
			return nil, fmt.Errorf("weights: tensor %q: a vocoder's, but the metadata %q is missing", t.Name, vocoderKey)
		}
		data, err := f.Tensor(t.Name, t.Shape...)
		if err != nil {
			return nil, fmt.Errorf("weights: %w", err)
		}
		p.Weights = append(p.Weights, Weight{t.Name, t.Shape, data})
	}
	if !ok {
		return nil, nil
	}
	return p, nil
}
