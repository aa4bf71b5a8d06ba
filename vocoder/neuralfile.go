package vocoder

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/starvc/vc/internal/atomicfile"
	"github.com/starvc/vc/internal/safetensors"
)

// A network stands alone in a safetensors file: its weights by the names of NetConfig.Params, and all else as text in the
// metadata under these keys.
const (
	netConfigKey  = "vocoder"
	netTrainedKey = "trained"
)

var netKind = safetensors.Kind{What: "vocoder", Format: "starvc-vocoder", Version: 1}

// Precision is how the weights are stored in a file.
type Precision string

// Full is exact. Half and Brain take half the room: Half for weights of moderate size, which trained ones are, Brain
// for any. Conversion computes with float32 in every case.
const (
	Full  = Precision(safetensors.F32)
	Half  = Precision(safetensors.F16)
	Brain = Precision(safetensors.BF16)
)

// Save writes the network to a file that Load reads, under a temporary name first: on any error what was at path before is still
// there.
func (n *Net) Save(path string, precision Precision) error {
	return atomicfile.Write(path, func(w io.Writer) error { return n.Write(w, precision) })
}

// Write encodes the network as Read reads it. Nothing about the bytes depends on when or where it is called.
func (n *Net) Write(w io.Writer, precision Precision) error {
	config, err := n.cfg.JSON()
	if err != nil {
		return err
	}
	metadata := map[string]string{netConfigKey: config}
	netKind.Mark(metadata)
	if len(n.trained) > 0 {
		text, err := json.Marshal(n.trained)
		if err != nil {
			return fmt.Errorf("vocoder: %w", err)
		}
		metadata[netTrainedKey] = string(text)
	}
	list, err := safetensors.Table(n.cfg.Params(), n.tensors, safetensors.DType(precision))
	if err != nil {
		return fmt.Errorf("vocoder: %w", err)
	}
	return safetensors.Write(w, list, metadata)
}

// Load reads a file that Save wrote. A file that is cut short, damaged in any bit, of another kind, or that lacks a weight or
// has one of another shape, is refused with an error that begins with the path.
func Load(path string) (*Net, error) {
	f, err := safetensors.ReadFile(path)
	if err != nil {
		if os.IsNotExist(err) {
			return nil, fmt.Errorf("vocoder: %w", err)
		}
		return nil, fmt.Errorf("vocoder %w", err)
	}
	n, err := netFromFile(f)
	if err != nil {
		return nil, fmt.Errorf("vocoder %s: %w", path, err)
	}
	return n, nil
}

// Read decodes what Write wrote, as Load does for a file.
func Read(r io.Reader) (*Net, error) {
	f, err := safetensors.Read(r)
	if err != nil {
		return nil, fmt.Errorf("vocoder: %w", err)
	}
	return netFromFile(f)
}

// ParseNetConfig reads a configuration from its JSON, as model files hold it, and checks it.
func ParseNetConfig(text string) (NetConfig, error) {
	var cfg NetConfig
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields() // an unknown setting would change what the network computes
	if err := d.Decode(&cfg); err != nil {
		return NetConfig{}, fmt.Errorf("metadata %q: %w", netConfigKey, err)
	}
	return cfg, cfg.Validate()
}

// JSON is the configuration as ParseNetConfig reads it.
func (c NetConfig) JSON() (string, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("vocoder config: %w", err)
	}
	return string(text), nil
}

func weightsOf(f *safetensors.File) (NetConfig, map[string][]float32, error) {
	cfg, err := configOf(f)
	if err != nil {
		return NetConfig{}, nil, err
	}
	tensors, err := safetensors.Weights(f, cfg.Params(), nil)
	return cfg, tensors, err
}

func netFromFile(f *safetensors.File) (*Net, error) {
	cfg, tensors, err := weightsOf(f)
	if err != nil {
		return nil, err
	}
	var trained map[string]string
	if text, ok := f.Metadata()[netTrainedKey]; ok {
		if err := json.Unmarshal([]byte(text), &trained); err != nil {
			return nil, fmt.Errorf("metadata %q: %w", netTrainedKey, err)
		}
	}
	return NewNet(cfg, trained, tensors)
}

// configOf finds out that it is the file of a network, and whose it is.
func configOf(f *safetensors.File) (NetConfig, error) {
	if err := netKind.Check(f.Metadata()); err != nil {
		return NetConfig{}, err
	}
	return ParseNetConfig(f.Metadata()[netConfigKey])
}
