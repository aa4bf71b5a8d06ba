package judge

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/starvc/vc/internal/safetensors"
)

// Trained says how a judge came about and how well it tells speakers apart.
type Trained struct {
	Steps    int      `json:"steps"`
	Speakers []string `json:"speakers"`       // that it was trained on
	Part     string   `json:"part,omitempty"` // of their recordings that were used, such as 2/2; "" for all
	HeldOut  []string `json:"heldOut"`        // that it never heard, and was scored on
	Program  string   `json:"program"`
	// PairEER is the equal error rate on the speakers held out, 0 to 1: two recordings are the same voice or not.
	PairEER float64 `json:"pairEER"`
	// EnrolledEER is the same for a recording against the mean embedding of other recordings, as eval uses it.
	EnrolledEER float64 `json:"enrolledEER"`
	// Threshold is the similarity at which EnrolledEER is had: above it a listener would more often say the same voice.
	Threshold float64 `json:"threshold"`
}

const (
	configKey  = "vc.judge"
	trainedKey = "vc.trained"
)

var kind = safetensors.Kind{What: "judge", Format: "starvc-judge", Version: 1, Old: configKey}

// Write encodes weights by name, in half precision.
func Write(w io.Writer, c Config, t Trained, tensors map[string][]float32) error {
	list, err := safetensors.Table(c.Params(), tensors, safetensors.F16)
	if err != nil {
		return fmt.Errorf("judge: %w", err)
	}
	config, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("judge: %w", err)
	}
	trained, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("judge: %w", err)
	}
	meta := map[string]string{configKey: string(config), trainedKey: string(trained)}
	kind.Mark(meta)
	return safetensors.Write(w, list, meta)
}

// Load reads a file that Write made.
func Load(path string) (*Judge, error) {
	f, err := safetensors.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("judge: %w", err)
	}
	j, err := decode(f)
	if err != nil {
		return nil, fmt.Errorf("judge %s: %w", path, err)
	}
	return j, nil
}

// Read is Load for any source of bytes.
func Read(r io.Reader) (*Judge, error) {
	f, err := safetensors.Read(r)
	if err != nil {
		return nil, fmt.Errorf("judge: %w", err)
	}
	return decode(f)
}

func decode(f *safetensors.File) (*Judge, error) {
	meta := f.Metadata()
	if err := kind.Check(meta); err != nil {
		return nil, fmt.Errorf("%w: make one with `vc train judge`", err)
	}
	var c Config
	if err := json.Unmarshal([]byte(meta[configKey]), &c); err != nil {
		return nil, fmt.Errorf("the header's %s: %w", configKey, err)
	}
	var t Trained
	if err := json.Unmarshal([]byte(meta[trainedKey]), &t); err != nil {
		return nil, fmt.Errorf("the header's %s: %w", trainedKey, err)
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	tensors, err := safetensors.Weights(f, c.Params(), nil)
	if err != nil {
		return nil, err
	}
	return New(c, t, tensors)
}
