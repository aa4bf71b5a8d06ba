package phones

import (
	"bytes"
	"maps"
	"strings"
	"testing"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/bounded"
	"github.com/starvc/vc/internal/safetensors"
)

// FuzzRead changes the header of a sound file: an error or a network, never a panic, and no more memory than the file gives cause for.
func FuzzRead(f *testing.F) {
	c := gan.Tiny()
	c.Width, c.Hidden, c.EncoderBlocks, c.Bottleneck = 8, 8, 1, 2
	weights := map[string][]float32{}
	for _, p := range Params(c) {
		n := 1
		for _, d := range p.Shape {
			n *= d
		}
		weights[p.Name] = make([]float32, n)
	}
	var b bytes.Buffer
	if err := Write(&b, Header{Encoder: c, Features: features.DefaultConfig(), Names: Names()}, weights, false); err != nil {
		f.Fatal(err)
	}
	file, err := safetensors.Read(&b)
	if err != nil {
		f.Fatal(err)
	}
	meta := file.Metadata()
	if _, err := Of(file); err != nil {
		f.Fatal(err)
	}
	f.Add(meta[configKey], meta[featuresKey], meta[namesKey], meta[stepsKey])
	f.Add(`{"nMels":80,"width":1073741824,"encoderBlocks":1}`, `{}`, strings.Join(Names(), " "), "-1")
	f.Fuzz(func(t *testing.T, config, features, names, steps string) {
		meta := maps.Clone(meta)
		meta[configKey], meta[featuresKey], meta[namesKey], meta[stepsKey] = config, features, names, steps
		var b bytes.Buffer
		if err := safetensors.Write(&b, file.Tensors(), meta); err != nil {
			t.Skip(err)
		}
		bounded.Allocates(t, bounded.Beyond, func() {
			if n, err := Read(&b); err == nil && n == nil {
				t.Error("neither a network nor an error")
			}
		})
	})
}
