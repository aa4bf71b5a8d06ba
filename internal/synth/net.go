package synth

import (
	"errors"
	"fmt"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/base"
	"github.com/starvc/vc/vocoder"
)

// NetError says that the neural vocoder cannot be used: there are no weights for it, or those in the model are of no use.
// The other vocoders need none.
type NetError struct{ Err error }

func (e *NetError) Error() string { return e.Err.Error() }
func (e *NetError) Unwrap() error { return e.Err }

// FindNet gives the neural vocoder for a model: its own, or that of the program if it understands the model's frames; nil
// if there is neither. It is an error if the model has one that cannot be used.
func FindNet(m *gan.Model) (*vocoder.Net, error) {
	if p := m.Vocoder(); p != nil {
		n, err := netOf(p, m.Features)
		if err != nil {
			return nil, &NetError{fmt.Errorf("the model's own vocoder: %w", err)}
		}
		return n, nil
	}
	return BaseNet(m.Features)
}

// BaseNet is the neural vocoder for frames of that configuration that comes with the program, nil if there is none.
func BaseNet(cfg features.Config) (*vocoder.Net, error) {
	name := base.VocoderAt(cfg.SampleRate)
	if !base.Has(name) {
		return nil, nil
	}
	r, err := base.Open(name)
	if err != nil {
		return nil, err
	}
	n, err := vocoder.Read(r)
	if err != nil || n.Features() != cfg {
		return nil, err
	}
	return n, nil
}

var errFeatures = errors.New("it was trained for other features than the model's: train it again for this model")

func netOf(p *gan.VocoderPart, f features.Config) (*vocoder.Net, error) {
	cfg, err := vocoder.ParseNetConfig(p.Config)
	if err != nil {
		return nil, err
	}
	if cfg.Features != f {
		return nil, errFeatures
	}
	tensors := make(map[string][]float32)
	for _, w := range cfg.Params() {
		if tensors[w.Name], err = p.Tensor(w.Name, w.Shape...); err != nil {
			return nil, fmt.Errorf("weights: %w", err)
		}
	}
	return vocoder.NewNet(cfg, nil, tensors)
}

// LoadNet reads the neural vocoder in a file: one that its training wrote, or a voice model that has its own.
func LoadNet(path string) (*vocoder.Net, error) {
	n, err := vocoder.Load(path)
	if err == nil {
		return n, nil
	}
	m, modelErr := gan.Load(path)
	if modelErr != nil {
		return nil, err
	}
	if m.Vocoder() == nil {
		return nil, fmt.Errorf("%s: this voice model has no vocoder of its own", path)
	}
	return FindNet(m)
}

// WithNet is the model with a neural vocoder of its own, that of the file net, as its training writes it.
func WithNet(m *gan.Model, net string) (*gan.Model, error) {
	n, err := vocoder.Load(net)
	if err != nil {
		return nil, err
	}
	cfg := n.Config()
	config, err := cfg.JSON()
	if err != nil {
		return nil, err
	}
	p := &gan.VocoderPart{Config: config}
	for _, w := range cfg.Params() {
		p.Weights = append(p.Weights, gan.Weight{Name: w.Name, Shape: w.Shape, Data: n.Tensor(w.Name)})
	}
	if cfg.Features != m.Features {
		return nil, fmt.Errorf("vocoder %s: %w", net, errFeatures)
	}
	return m.WithVocoder(p)
}
