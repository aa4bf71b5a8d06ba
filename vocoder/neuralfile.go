package vocoder

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/starvc/vc/internal/safetensors"
)

// A network stands alone in a safetensors file: its weights by the names of NetConfig.Params, and all else as text in the
// metadata under these keys.
const (
	netFormatKey  = "format"
	netVersionKey = "formatVersion"
	netConfigKey  = "vocoder"
	netTrainedKey = "trained"

	netFormatName    = "starvc-vocoder"
	netFormatVersion = 1
)

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
	cfg, err := checkNetFile(f)
	if err != nil {
		return NetConfig{}, nil, err
	}
	tensors := make(map[string][]float32)
	for _, p := range cfg.Params() {
		if tensors[p.Name], err = f.Tensor(p.Name, p.Shape...); err != nil {
			return NetConfig{}, nil, fmt.Errorf("weights: %w", err)
		}
	}
	return cfg, tensors, nil
}

func netFromFile(f *safetensors.File) (*Net, error) {
	cfg, err := checkNetFile(f)
	if err != nil {
		return nil, err
	}
	n, err := NewNet(cfg, f.Tensor)
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

// checkNetFile finds out that it is the file of a network, whose it is, and that it holds no weights but its own.
func checkNetFile(f *safetensors.File) (NetConfig, error) {
	metadata := f.Metadata()
	if metadata[netFormatKey] != netFormatName {
		return NetConfig{}, fmt.Errorf("not a vocoder: a safetensors file of format %q, want %q as its training writes it",
			metadata[netFormatKey], netFormatName)
	}
	if v := metadata[netVersionKey]; v != strconv.Itoa(netFormatVersion) {
		return NetConfig{}, fmt.Errorf("format version %s, this program reads %d: update the program or train again", v, netFormatVersion)
	}
	cfg, err := ParseNetConfig(metadata[netConfigKey])
	if err != nil {
		return NetConfig{}, err
	}
	known := make(map[string]bool)
	for _, p := range cfg.Params() {
		known[p.Name] = true
	}
	for _, name := range f.Names() {
		if !known[name] {
			return NetConfig{}, fmt.Errorf("weights: tensor %q: unknown to this program", name)
		}
	}
	return cfg, nil
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
	metadata := map[string]string{
		netFormatKey: netFormatName, netVersionKey: strconv.Itoa(netFormatVersion), netConfigKey: config,
	}
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
	params := cfg.Params()
	list := make([]safetensors.Tensor, len(params))
	known := make(map[string]bool)
	for i, p := range params {
		data, ok := tensors[p.Name]
		if !ok {
			return fmt.Errorf("vocoder: weights: tensor %q: missing", p.Name)
		}
		if err := checkWeights(p.Name, data); err != nil {
			return fmt.Errorf("vocoder: %w", err)
		}
		known[p.Name] = true
		list[i] = safetensors.Tensor{Name: p.Name, Shape: p.Shape, DType: precision, Data: data}
	}
	for name := range tensors {
		if !known[name] {
			return fmt.Errorf("vocoder: weights: tensor %q: unknown to this configuration", name)
		}
	}
	return safetensors.Write(w, list, metadata)
}

// checkWeights refuses numbers that a training which diverged leaves behind.
func checkWeights(name string, data []float32) error {
	for i, v := range data {
		if v-v != 0 { // NaN or infinite
			return fmt.Errorf("weights: tensor %q: number %d is %g", name, i, v)
		}
	}
	return nil
}
