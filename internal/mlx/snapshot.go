package mlx

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/starvc/vc/internal/atomicfile"
	"github.com/starvc/vc/internal/safetensors"
)

// WriteSnapshot writes every variable to a file, with checksums. The file appears under its name only when it is whole on
// the disk, so that a run that is killed never leaves a broken one. meta goes into the file's header.
func (v *Vars) WriteSnapshot(path string, meta map[string]string) error {
	keys := slices.Sorted(maps.Keys(v.vars))
	list := make([]safetensors.Tensor, 0, len(keys))
	for _, k := range keys {
		group, name, _ := strings.Cut(k, "/")
		data, shape, err := v.Get(group, name)
		if err != nil {
			return fmt.Errorf("snapshot: %w", err)
		}
		list = append(list, safetensors.Tensor{Name: k, Shape: shape, Data: data})
	}
	err := atomicfile.Write(path, func(w io.Writer) error { return safetensors.Write(w, list, meta) })
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	return nil
}

// ReadSnapshot reads what WriteSnapshot wrote: the variables, and the header's meta.
func ReadSnapshot(path string) (*Vars, map[string]string, error) {
	f, err := safetensors.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("snapshot: %w", err)
	}
	v := NewVars()
	for _, t := range f.Tensors() {
		group, name, ok := strings.Cut(t.Name, "/")
		if !ok || t.Data == nil {
			return nil, nil, fmt.Errorf("snapshot %s: tensor %q does not belong in one", path, t.Name)
		}
		if err := v.Set(group, name, t.Shape, t.Data); err != nil {
			return nil, nil, fmt.Errorf("snapshot %s: %w", path, err)
		}
	}
	return v, f.Metadata(), nil
}
