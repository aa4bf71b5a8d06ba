package gan

import (
	"bytes"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/internal/safetensors"
)

func TestVocoderPart(t *testing.T) {
	m := random(odd(), 2, 40)
	part := &VocoderPart{
		Config: `{"width":2}`,
		Weights: []Weight{
			{"voc.a", []int{2, 3}, []float32{1, 2, 3, 4, 5, 6}},
			{"voc.b", []int{2}, []float32{0.5, -0.25}},
		},
	}
	with, err := m.WithVocoder(part)
	if err != nil {
		t.Fatal(err)
	}
	if m.Vocoder() != nil {
		t.Error("the model itself has changed")
	}
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := with.Save(path, Full); err != nil {
		t.Fatal(err)
	}
	read, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	got := read.Vocoder()
	if got == nil || got.Config != part.Config || len(got.Weights) != 2 {
		t.Fatalf("read %+v", got)
	}
	if a, err := got.Tensor("voc.a", 2, 3); err != nil || !slices.Equal(a, part.Weights[0].Data) {
		t.Errorf("voc.a is %v, %v", a, err)
	}
	if _, err := got.Tensor("voc.a", 3, 2); err == nil {
		t.Error("another shape is taken")
	}
	if _, err := got.Tensor("voc.c", 2); err == nil {
		t.Error("a missing tensor is given")
	}
	if !slices.Equal(read.Tensor("gen.out.b"), m.Tensor("gen.out.b")) {
		t.Error("the generator has changed")
	}
	var b bytes.Buffer
	if err := read.Write(&b, Half); err != nil {
		t.Fatal(err)
	}
	if read, err = Read(&b); err != nil || read.Vocoder() == nil {
		t.Errorf("as float16: %v", err)
	}
	if none, err := read.WithVocoder(nil); err != nil || none.Vocoder() != nil {
		t.Errorf("taken out: %v", err)
	}

	for name, bad := range map[string]*VocoderPart{
		"JSON":  {Config: "{", Weights: part.Weights},
		"none":  {Config: "{}"},
		"twice": {Config: "{}", Weights: []Weight{part.Weights[1], part.Weights[1]}},
		"gen.b": {Config: "{}", Weights: []Weight{{"gen.b", []int{1}, []float32{1}}}},
		"want":  {Config: "{}", Weights: []Weight{{"voc.b", []int{2}, []float32{1}}}},
		"NaN":   {Config: "{}", Weights: []Weight{{"voc.b", []int{1}, []float32{float32(math.NaN())}}}},
	} {
		if _, err := m.WithVocoder(bad); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}

	// Files that hold only one half of it.
	f, err := safetensors.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rewrite := func(metadata map[string]string, keep func(name string) bool) error {
		var tensors []safetensors.Tensor
		for _, t := range f.Tensors() {
			if keep(t.Name) {
				tensors = append(tensors, t)
			}
		}
		var b bytes.Buffer
		if err := safetensors.Write(&b, tensors, metadata); err != nil {
			t.Fatal(err)
		}
		_, err := Read(&b)
		return err
	}
	without := maps.Clone(f.Metadata())
	delete(without, "vocoder")
	if err := rewrite(without, func(string) bool { return true }); err == nil || !strings.Contains(err.Error(), "voc.a") {
		t.Errorf("weights without metadata: error %v", err)
	}
	if err := rewrite(f.Metadata(), func(name string) bool { return !strings.HasPrefix(name, "voc.") }); err == nil {
		t.Error("metadata without weights is taken")
	}
}
