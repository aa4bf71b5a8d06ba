// Package safetensors reads and writes the safetensors format: eight bytes of header length, a JSON header that
// gives every tensor's type, shape and place, and the raw little-endian data. Model files and training snapshots
// both use it, so it is stricter than the format asks: every file carries two SHA-256 sums in its metadata, one of
// the data and one of the header itself, and a file that is cut short or has one bit flipped anywhere is refused
// with a sentence that says what to do. Any safetensors reader can open what this package writes.
package safetensors

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// DType is the type of a tensor's numbers on disk.
type DType string

// The types that a file may hold. Floating-point tensors are float32 in memory, integer tensors int64.
const (
	F32  DType = "F32"
	F16  DType = "F16"
	BF16 DType = "BF16"
	I64  DType = "I64"
	U64  DType = "U64"
)

// bytes is the width of one number on disk, 0 for a type that this package does not know.
func (t DType) bytes() int {
	switch t {
	case F16, BF16:
		return 2
	case F32:
		return 4
	case I64, U64:
		return 8
	}
	return 0
}

// isInt tells the types that live in Tensor.Ints.
func (t DType) isInt() bool { return t == I64 || t == U64 }

// Tensor is one named array, row-major. Exactly one of Data and Ints is used.
type Tensor struct {
	Name  string
	Shape []int // no entries: one number
	DType DType // on disk; empty means F32 for Data and I64 for Ints

	Data []float32 // F32, F16, BF16
	Ints []int64   // I64, and U64 with the bits of the unsigned number
}

// Limits of what Read accepts. They are far above any model of ours and keep a lying header from costing memory.
const (
	maxHeaderBytes = 32 << 20
	maxDataBytes   = 64 << 30
	maxTensors     = 1 << 20
	maxRank        = 16
)

// Keys of __metadata__ that this package owns.
const (
	dataSumKey   = "sha256"        // of the data section
	headerSumKey = "sha256.header" // of the header's bytes, the sum's own digits taken as zeros
)

// zeroSum stands for the header's own sum while that sum is computed.
var zeroSum = strings.Repeat("0", 64)

// elements multiplies a shape out, or reports that it is negative or absurd.
func elements(shape []int) (int, error) {
	if len(shape) > maxRank {
		return 0, fmt.Errorf("shape %v: more than %d axes", shape, maxRank)
	}
	n := 1
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %v: negative length", shape)
		}
		if d > 0 && n > math.MaxInt32/d {
			return 0, fmt.Errorf("shape %v: too many numbers", shape)
		}
		n *= d
	}
	return n, nil
}

// File is the content of one safetensors file, checked.
type File struct {
	tensors  []Tensor
	index    map[string]int
	metadata map[string]string
}

// Names lists the tensors in the order of their data.
func (f *File) Names() []string {
	names := make([]string, len(f.tensors))
	for i, t := range f.tensors {
		names[i] = t.Name
	}
	return names
}

// Tensors gives all tensors in the order of their data. They belong to the file and are not to be changed.
func (f *File) Tensors() []Tensor { return f.tensors }

// Metadata is what the writer put into __metadata__, without this package's checksums.
func (f *File) Metadata() map[string]string { return f.metadata }

// Has reports whether a tensor of that name is there.
func (f *File) Has(name string) bool {
	_, ok := f.index[name]
	return ok
}

// Tensor gives a floating-point tensor's numbers, row-major. A missing name, another shape and an integer type are
// errors. The slice belongs to the file.
func (f *File) Tensor(name string, shape ...int) ([]float32, error) {
	t, err := f.find(name, shape)
	if err != nil {
		return nil, err
	}
	if t.DType.isInt() {
		return nil, fmt.Errorf("tensor %q: type %s, want floating point", name, t.DType)
	}
	return t.Data, nil
}

// Ints gives an integer tensor's numbers, row-major, with the errors of Tensor.
func (f *File) Ints(name string, shape ...int) ([]int64, error) {
	t, err := f.find(name, shape)
	if err != nil {
		return nil, err
	}
	if !t.DType.isInt() {
		return nil, fmt.Errorf("tensor %q: type %s, want I64 or U64", name, t.DType)
	}
	return t.Ints, nil
}

func (f *File) find(name string, shape []int) (*Tensor, error) {
	i, ok := f.index[name]
	if !ok {
		return nil, fmt.Errorf("tensor %q: missing", name)
	}
	t := &f.tensors[i]
	if !slices.Equal(t.Shape, shape) {
		return nil, fmt.Errorf("tensor %q: shape %v, want %v", name, t.Shape, shape)
	}
	return t, nil
}
