package safetensors

import (
	"fmt"
	"strconv"
)

// Where a file says of which kind it is.
const (
	formatKey  = "format"
	versionKey = "formatVersion"
)

// Kind is a kind of file that holds the weights of a network: a voice model, a vocoder, a phone network, a judge.
type Kind struct {
	What    string // for people: "vocoder"
	Format  string // as the header says it: "starvc-vocoder"
	Version int
	Old     string // a key of the header by which files of earlier programs are known, which had no format; empty for none
}

// Mark has a header say that the file is of the kind.
func (k Kind) Mark(metadata map[string]string) {
	metadata[formatKey], metadata[versionKey] = k.Format, strconv.Itoa(k.Version)
}

// Check refuses the header of a file of another kind or version.
func (k Kind) Check(metadata map[string]string) error {
	format, marked := metadata[formatKey]
	if !marked && k.Old != "" && metadata[k.Old] != "" {
		return nil
	}
	if format != k.Format {
		return fmt.Errorf("not a %s: a safetensors file of format %q, want %q as its training writes it", k.What, format, k.Format)
	}
	if v := metadata[versionKey]; v != strconv.Itoa(k.Version) {
		return fmt.Errorf("format version %s, this program reads %d: update the program or train again", v, k.Version)
	}
	return nil
}

// param is a weight's name and shape, as every kind of network lists its own.
type param struct {
	Name  string
	Shape []int
}

// Weights gives the weights that params list. It is an error if one is missing, has another shape or a number that is not finite, or
// if the file has a tensor besides for which others, which may be nil, is not true. The slices belong to the file.
func Weights[P ~struct {
	Name  string
	Shape []int
}](f *File, params []P, others func(name string) bool) (map[string][]float32, error) {
	weights := make(map[string][]float32, len(params))
	for _, p := range params {
		p := param(p)
		data, err := f.Tensor(p.Name, p.Shape...)
		if err != nil {
			return nil, fmt.Errorf("weights: %w", err)
		}
		weights[p.Name] = data
	}
	for _, name := range f.Names() {
		if _, ok := weights[name]; !ok && (others == nil || !others(name)) {
			return nil, fmt.Errorf("weights: tensor %q: unknown to this program", name)
		}
	}
	return weights, CheckWeights(params, weights)
}

// CheckWeights refuses weights that are not those that params list: one that is missing, is of another length, or is unknown, and
// numbers that are not finite, which a training that diverged leaves behind.
func CheckWeights[P ~struct {
	Name  string
	Shape []int
}](params []P, weights map[string][]float32) error {
	known := make(map[string]bool, len(params))
	for _, p := range params {
		p := param(p)
		known[p.Name] = true
		data, ok := weights[p.Name]
		if !ok {
			return fmt.Errorf("weights: tensor %q: missing", p.Name)
		}
		n, err := elements(p.Shape)
		if err != nil {
			return fmt.Errorf("weights: tensor %q: %w", p.Name, err)
		}
		if len(data) != n {
			return fmt.Errorf("weights: tensor %q: %d numbers, want %d for shape %v", p.Name, len(data), n, p.Shape)
		}
		if err := CheckFinite(p.Name, data); err != nil {
			return err
		}
	}
	strange := ""
	for name := range weights {
		if !known[name] && (strange == "" || name < strange) {
			strange = name
		}
	}
	if strange != "" {
		return fmt.Errorf("weights: tensor %q: unknown to this configuration", strange)
	}
	return nil
}

// CheckFinite refuses numbers that are not finite.
func CheckFinite(name string, data []float32) error {
	for i, v := range data {
		if v-v != 0 { // NaN or infinite
			return fmt.Errorf("weights: tensor %q: number %d is %g", name, i, v)
		}
	}
	return nil
}

// Table makes of checked weights what Write takes, in the order of params.
func Table[P ~struct {
	Name  string
	Shape []int
}](params []P, weights map[string][]float32, kind DType) ([]Tensor, error) {
	if err := CheckWeights(params, weights); err != nil {
		return nil, err
	}
	list := make([]Tensor, len(params))
	for i, p := range params {
		p := param(p)
		list[i] = Tensor{Name: p.Name, Shape: p.Shape, DType: kind, Data: weights[p.Name]}
	}
	return list, nil
}
