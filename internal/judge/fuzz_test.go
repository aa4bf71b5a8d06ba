package judge

import (
	"bytes"
	"maps"
	"testing"

	"github.com/starvc/vc/internal/bounded"
	"github.com/starvc/vc/internal/safetensors"
)

// FuzzRead changes the header of a sound file: an error or a judge, never a panic, and no more memory than the file gives cause for.
func FuzzRead(f *testing.F) {
	c, tensors, _ := tiny(f)
	var b bytes.Buffer
	if err := Write(&b, c, Trained{}, tensors); err != nil {
		f.Fatal(err)
	}
	file, err := safetensors.Read(&b)
	if err != nil {
		f.Fatal(err)
	}
	meta := file.Metadata()
	f.Add(meta[configKey], meta[trainedKey])
	f.Add(`{"width":1073741824,"hidden":1073741824,"blocks":1}`, `null`)
	f.Fuzz(func(t *testing.T, config, trained string) {
		meta := maps.Clone(meta)
		meta[configKey], meta[trainedKey] = config, trained
		var b bytes.Buffer
		if err := safetensors.Write(&b, file.Tensors(), meta); err != nil {
			t.Skip(err)
		}
		bounded.Allocates(t, bounded.Beyond, func() {
			if j, err := Read(&b); err == nil && j == nil {
				t.Error("neither a judge nor an error")
			}
		})
	})
}
