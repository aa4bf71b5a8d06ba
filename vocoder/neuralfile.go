package vocoder

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/starvc/vc/audio"
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
	return audio.WriteAtomic(path, func(w io.Writer) error { return n.Write(w, precision) })
}

// Write encodes the network as Read reads it. Nothing about the bytes depends on when or where it is called.
func (n *Net) Write(w io.Writer, precision Precision) error {
	config, err := n.cfg.JSON()
	if err != nil {
		return err
	}
	metadata := map[string]string{
		netFormatKey: netFormatName, netVersionKey: strconv.Itoa(netFormatVersion), netConfigKey: config,
	}
	if len(n.trained) > 0 {
		text, err := json.Marshal(n.trained)
		if err != nil {
			return fmt.Errorf("vocoder: %w", err)
		}
		metadata[netTrainedKey] = string(text)
	}
	var list []safetensors.Tensor
	for _, p := range n.cfg.Params() {
		list = append(list, safetensors.Tensor{
			Name: p.Name, Shape: p.Shape, DType: safetensors.DType(precision), Data: n.tensors[p.Name],
		})
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

func netFromFile(f *safetensors.File) (*Net, error) {
	cfg, err := checkNetFile(f)
	if err != nil {
		return nil, err
	}
	tensors := make(map[string][]float32)
	for _, p := range cfg.Params() {
		if tensors[p.Name], err = f.Tensor(p.Name, p.Shape...); err != nil {
			return nil, fmt.Errorf("weights: %w", err)
		}
	}
	var trained map[string]string
	if text, ok := f.Metadata()[netTrainedKey]; ok {
		if err := json.Unmarshal([]byte(text), &trained); err != nil {
			return nil, fmt.Errorf("metadata %q: %w", netTrainedKey, err)
		}
	}
	return NewNet(cfg, trained, tensors)
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
