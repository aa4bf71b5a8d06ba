package gan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/starvc/vc/internal/atomicfile"
	"github.com/starvc/vc/internal/safetensors"
)

// A model is a safetensors file. All that is no weight stands as JSON in its metadata under these keys.
const (
	featuresKey = "features"
	configKey   = "gan"
	speakersKey = "speakers"
	trainedKey  = "trained"
	vocoderKey  = "vocoder" // only where there is one
)

var kind = safetensors.Kind{What: "voice model", Format: "starvc-model", Version: 1}

// Precision is how the weights are stored in a file.
type Precision string

// Full is exact. Half and Brain take half the room: Half for weights of moderate size, which trained ones are, Brain
// for any. Conversion computes with float32 in every case.
const (
	Full  = Precision(safetensors.F32)
	Half  = Precision(safetensors.F16)
	Brain = Precision(safetensors.BF16)
)

// Save writes the model to a file that Load reads, under a temporary name first: on any error what was at path before is still
// there.
func (m *Model) Save(path string, precision Precision) error {
	return atomicfile.Write(path, func(w io.Writer) error { return m.Write(w, precision) })
}

// Write encodes the model as Read reads it. Nothing about the bytes depends on when or where it is called.
func (m *Model) Write(w io.Writer, precision Precision) error {
	metadata := map[string]string{}
	kind.Mark(metadata)
	for key, value := range m.parts() {
		text, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("model: %s: %w", key, err)
		}
		metadata[key] = string(text)
	}
	tensors, err := safetensors.Table(m.Config.ModelParams(len(m.Speakers)), m.tensors, safetensors.DType(precision))
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	if m.vocoder != nil {
		metadata[vocoderKey] = m.vocoder.Config
		for _, v := range m.vocoder.Weights {
			tensors = append(tensors, safetensors.Tensor{
				Name: v.Name, Shape: v.Shape, DType: safetensors.DType(precision), Data: v.Data,
			})
		}
	}
	return safetensors.Write(w, tensors, metadata)
}

// parts are what the metadata holds.
func (m *Model) parts() map[string]any {
	return map[string]any{
		featuresKey: &m.Features, configKey: &m.Config, speakersKey: &m.Speakers, trainedKey: &m.Trained,
	}
}

// Load reads a file that Save wrote. A file that is cut short, damaged in any bit, of another kind, or that lacks a weight or
// has one of another shape, is refused with an error that begins with the path.
func Load(path string) (*Model, error) {
	f, err := safetensors.ReadFile(path)
	if err != nil {
		if os.IsNotExist(err) {
			return nil, fmt.Errorf("model: %w", err)
		}
		return nil, fmt.Errorf("model %w", err)
	}
	m, err := fromFile(f)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", path, err)
	}
	return m, nil
}

// Read decodes what Write wrote, as Load does for a file.
func Read(r io.Reader) (*Model, error) {
	f, err := safetensors.Read(r)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	return fromFile(f)
}

func fromFile(f *safetensors.File) (*Model, error) {
	metadata := f.Metadata()
	if err := kind.Check(metadata); err != nil {
		return nil, err
	}
	m := &Model{}
	for key, value := range m.parts() {
		d := json.NewDecoder(bytes.NewReader([]byte(metadata[key])))
		d.DisallowUnknownFields() // an unknown setting would change what the networks compute
		if err := d.Decode(value); err != nil {
			return nil, fmt.Errorf("metadata %q: %w", key, err)
		}
	}
	if err := m.checkTables(); err != nil {
		return nil, err // before a wild configuration is asked for its parameters
	}
	ofVocoder := func(name string) bool { return strings.HasPrefix(name, VocoderPrefix) }
	tensors, err := safetensors.Weights(f, m.Config.ModelParams(len(m.Speakers)), ofVocoder)
	if err != nil {
		return nil, err
	}
	vocoder, err := readVocoder(f)
	if err != nil {
		return nil, err
	}
	if m, err = NewModel(m.Features, m.Config, m.Speakers, m.Trained, tensors); err != nil {
		return nil, err
	}
	return m.WithVocoder(vocoder)
}
