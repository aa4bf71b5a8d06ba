package vocoder

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/starvc/vc/internal/safetensors"
)

// A network stands alone in a safetensors file: its weights by the names of NetConfig.Params, and all else as text in the
// metadata under these keys.
const (
	netConfigKey  = "vocoder"
	netTrainedKey = "trained"
)

var netKind = safetensors.Kind{What: "vocoder", Format: "starvc-vocoder", Version: 1}

// LoadNet reads the file of a network. One that is cut short, damaged in any bit, of another kind, or that lacks a weight
// or has one of another shape, is refused with an error that begins with the path.
func LoadNet(path string) (*Net, error) {
	f, err := readNetFile(path)
	if err != nil {
		return nil, err
	}
	n, err := netFromFile(f)
	if err != nil {
		return nil, fmt.Errorf("vocoder %s: %w", path, err)
	}
	return n, nil
}

func readNetFile(path string) (*safetensors.File, error) {
	f, err := safetensors.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, fmt.Errorf("vocoder: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("vocoder %w", err)
	}
	return f, nil
}

// ReadNet is LoadNet for any source of bytes.
func ReadNet(r io.Reader) (*Net, error) {
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

// LoadWeights reads the file of a network as LoadNet does, and gives its configuration and its weights as WriteNet takes
// them: to go on training, or to put them into another file.
func LoadWeights(path string) (NetConfig, map[string][]float32, error) {
	f, err := readNetFile(path)
	if err != nil {
		return NetConfig{}, nil, err
	}
	cfg, tensors, err := weightsOf(f)
	if err != nil {
		return NetConfig{}, nil, fmt.Errorf("vocoder %s: %w", path, err)
	}
	return cfg, tensors, nil
}

// ReadWeights is LoadWeights of what r holds.
func ReadWeights(r io.Reader) (NetConfig, map[string][]float32, error) {
	f, err := safetensors.Read(r)
	if err != nil {
		return NetConfig{}, nil, fmt.Errorf("vocoder: %w", err)
	}
	cfg, tensors, err := weightsOf(f)
	if err != nil {
		return NetConfig{}, nil, fmt.Errorf("vocoder: %w", err)
	}
	return cfg, tensors, nil
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
	n, err := NetOf(cfg, tensors)
	if err != nil {
		return nil, err
	}
	if text, ok := f.Metadata()[netTrainedKey]; ok {
		if err := json.Unmarshal([]byte(text), &n.trained); err != nil {
			return nil, fmt.Errorf("metadata %q: %w", netTrainedKey, err)
		}
	}
	return n, nil
}

// configOf finds out that it is the file of a network, and whose it is.
func configOf(f *safetensors.File) (NetConfig, error) {
	if err := netKind.Check(f.Metadata()); err != nil {
		return NetConfig{}, err
	}
	return ParseNetConfig(f.Metadata()[netConfigKey])
}

// WriteNet writes the file that LoadNet reads: the weights of cfg.Params by name, row-major, and whatever text trained
// holds about how they came about, which may be nil. With half the weights take half the room, as float16; conversion
// computes with float32 in either case. It is an error if a weight is missing, unknown, of the wrong length or not
// finite, before the first byte is written.
func WriteNet(w io.Writer, cfg NetConfig, tensors map[string][]float32, trained map[string]string, half bool) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	config, err := cfg.JSON()
	if err != nil {
		return err
	}
	metadata := map[string]string{netConfigKey: config}
	netKind.Mark(metadata)
	if len(trained) > 0 {
		text, err := json.Marshal(trained)
		if err != nil {
			return fmt.Errorf("vocoder: %w", err)
		}
		metadata[netTrainedKey] = string(text)
	}
	precision := safetensors.F32
	if half {
		precision = safetensors.F16
	}
	list, err := safetensors.Table(cfg.Params(), tensors, precision)
	if err != nil {
		return fmt.Errorf("vocoder: %w", err)
	}
	return safetensors.Write(w, list, metadata)
}
