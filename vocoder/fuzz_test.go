package vocoder

import (
	"bytes"
	"maps"
	"testing"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/bounded"
	"github.com/starvc/vc/internal/safetensors"
)

// FuzzReadNet changes the header of a sound file: an error or a network that can be written and read, never a panic, and no more memory
// than the file gives cause for.
func FuzzReadNet(f *testing.F) {
	cfg, err := NetPreset("tiny", features.DefaultConfig())
	if err != nil {
		f.Fatal(err)
	}
	cfg.Width, cfg.Hidden, cfg.Blocks = 8, 8, 1
	net := randomNet(cfg, 1)
	var b bytes.Buffer
	if err := net.Write(&b, Full); err != nil {
		f.Fatal(err)
	}
	file, err := safetensors.Read(&b)
	if err != nil {
		f.Fatal(err)
	}
	meta := file.Metadata()
	f.Add(meta[netConfigKey], meta[netTrainedKey])
	f.Add(`{"width":1073741824,"hidden":1073741824,"blocks":1}`, `null`)
	f.Fuzz(func(t *testing.T, config, trained string) {
		meta := maps.Clone(meta)
		meta[netConfigKey], meta[netTrainedKey] = config, trained
		var b bytes.Buffer
		if err := safetensors.Write(&b, file.Tensors(), meta); err != nil {
			t.Skip(err)
		}
		bounded.Allocates(t, bounded.Beyond, func() {
			got, err := Read(&b)
			if err != nil {
				return
			}
			var again bytes.Buffer
			if err := got.Write(&again, Full); err != nil {
				t.Fatal(err)
			}
			if _, err := Read(&again); err != nil {
				t.Fatal(err)
			}
		})
	})
}
