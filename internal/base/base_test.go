package base_test

import (
	"testing"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/base"
	"github.com/starvc/vc/internal/safetensors"
	"github.com/starvc/vc/vocoder"
)

// Whatever weights are there can be read, fit each other, and are small enough to carry.
func TestWeights(t *testing.T) {
	total := int64(0)
	for _, name := range []string{base.Voices, base.Vocoder, base.Vocoder16, base.Phones, base.Judge} {
		if !base.Has(name) {
			t.Logf("built without %s", name)
			continue
		}
		r, err := base.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := safetensors.Read(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, w := range f.Tensors() {
			total += 2 * int64(len(w.Data))
		}
	}
	if total > 32<<20 {
		t.Errorf("the weights take %d bytes, 32 MiB are enough", total)
	}
	if !base.Has(base.Voices) || !base.Has(base.Vocoder) {
		return
	}
	r, err := base.Open(base.Voices)
	if err != nil {
		t.Fatal(err)
	}
	m, err := gan.Read(r)
	if err != nil {
		t.Fatal(err)
	}
	if r, err = base.Open(base.Vocoder); err != nil {
		t.Fatal(err)
	}
	n, err := vocoder.Read(r)
	if err != nil {
		t.Fatal(err)
	}
	if n.Features() != m.Features {
		t.Error("voices and vocoder have different features")
	}
	for _, s := range m.Speakers {
		if s.About == "" {
			t.Errorf("voice %s: no line about it", s.Name)
		}
	}
	if _, err := base.Open("none.safetensors"); err == nil || base.Has("none.safetensors") {
		t.Error("weights that are not there were found")
	}
}
