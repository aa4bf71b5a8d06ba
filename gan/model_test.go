package gan

import (
	"bytes"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/safetensors"
)

func encode(t testing.TB, m *Model, p Precision) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := m.Write(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestModelRoundTrip(t *testing.T) {
	c := odd()
	m := random(c, 3, 31)
	m.Trained = Trained{Steps: 12, Preset: "odd", Program: "v0.1.0"}
	m.Speakers[1].About = "woman, US English"
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := m.Save(path, Full); err != nil {
		t.Fatal(err)
	}
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.Features != m.Features || got.Trained != m.Trained || !slices.Equal(got.Speakers, m.Speakers) {
		t.Errorf("configuration changes on the way: %+v", got)
	}
	if !bytes.Equal(encode(t, got, Full), encode(t, m, Full)) {
		t.Error("weights or networks change on the way")
	}
	if len(got.Style(2)) != c.StyleDim || got.Style(2)[1] != m.Tensor("speakers.style")[2*c.StyleDim+1] {
		t.Error("a speaker has another's style")
	}
	logMel, controls := input(c, 1, 20)
	if !slices.Equal(convert(generator(t, got, 2), logMel, controls, 20), convert(generator(t, m, 2), logMel, controls, 20)) {
		t.Error("the loaded model converts otherwise")
	}
	for _, p := range []Precision{Half, Brain} {
		raw := encode(t, m, p)
		if len(raw) > len(encode(t, m, Full))*3/4 {
			t.Errorf("%s: %d bytes", p, len(raw))
		}
		small, err := Read(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		want := direct{m}.generator(logMel, controls, m.Style(0), 2)
		near(t, string(p), convert(generator(t, small, 2), logMel, controls, 20), want, 0.1)
	}
}

func TestDamagedModel(t *testing.T) {
	m := random(odd(), 2, 32)
	raw := encode(t, m, Full)
	path := filepath.Join(t.TempDir(), "m.safetensors")
	for _, c := range []struct {
		name string
		raw  []byte
		want string
	}{
		{"empty", nil, "cut short"},
		{"cut short", raw[:len(raw)/2], "cut short"},
		{"last byte missing", raw[:len(raw)-1], "cut short"},
		{"flipped in the data", flip(raw, len(raw)-100), "damaged"},
		{"flipped in the header", flip(raw, 200), "damaged"},
		{"flipped in the length", flip(raw, 1), ""},
		{"a WAV file", []byte("RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00"), "not a safetensors file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(path, c.raw, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Load(path)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "model "+path) ||
				!strings.Contains(err.Error(), "download it again") {
				t.Errorf("error %v, want one with %q, the path and a remedy", err, c.want)
			}
		})
	}
	if _, err := Load(path + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
}

func flip(raw []byte, at int) []byte {
	bad := slices.Clone(raw)
	bad[at] ^= 4
	return bad
}

// TestForeignFiles are sound safetensors files that are no model of this program.
func TestForeignFiles(t *testing.T) {
	m := random(odd(), 2, 33)
	f, err := safetensors.Read(bytes.NewReader(encode(t, m, Full)))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(tensors []safetensors.Tensor, meta map[string]string) []safetensors.Tensor
		want   string
	}{
		{"another format", func(ts []safetensors.Tensor, meta map[string]string) []safetensors.Tensor {
			meta["format"] = "pt"
			return ts
		}, `not a voice model: a safetensors file of format "pt"`},
		{"a later version", func(ts []safetensors.Tensor, meta map[string]string) []safetensors.Tensor {
			meta["formatVersion"] = "2"
			return ts
		}, "update the program"},
		{"a missing tensor", func(ts []safetensors.Tensor, _ map[string]string) []safetensors.Tensor {
			return slices.DeleteFunc(ts, func(t safetensors.Tensor) bool { return t.Name == "gen.enc.1.up.b" })
		}, `weights: tensor "gen.enc.1.up.b": missing`},
		{"a tensor too many", func(ts []safetensors.Tensor, _ map[string]string) []safetensors.Tensor {
			return append(ts, safetensors.Tensor{Name: "disc.stem.b", Shape: []int{1}, Data: []float32{1}})
		}, `weights: tensor "disc.stem.b": unknown`},
		{"another shape", func(ts []safetensors.Tensor, _ map[string]string) []safetensors.Tensor {
			for i := range ts {
				if ts[i].Name == "gen.neck.up.w" {
					ts[i].Shape = []int{23, 12}
				}
			}
			return ts
		}, `weights: tensor "gen.neck.up.w": shape [23 12], want [12 23]`},
		{"NaN in the weights", func(ts []safetensors.Tensor, _ map[string]string) []safetensors.Tensor {
			ts[3].Data[2] = float32(math.NaN())
			return ts
		}, "number 2 is NaN"},
		{"other features", func(ts []safetensors.Tensor, meta map[string]string) []safetensors.Tensor {
			meta["features"] = strings.Replace(meta["features"], `"nMels":20`, `"nMels":80`, 1)
			return ts
		}, "features have 80 mel bands, the networks 20"},
		{"an unknown setting", func(ts []safetensors.Tensor, meta map[string]string) []safetensors.Tensor {
			meta["gan"] = `{"dilation":2,` + meta["gan"][1:]
			return ts
		}, `unknown field "dilation"`},
		{"an absurd width", func(ts []safetensors.Tensor, meta map[string]string) []safetensors.Tensor {
			meta["gan"] = strings.Replace(meta["gan"], `"width":23`, `"width":2300000`, 1)
			return ts
		}, "width is 2300000"},
		{"no speakers", func(ts []safetensors.Tensor, meta map[string]string) []safetensors.Tensor {
			meta["speakers"] = "[]"
			return ts
		}, "no speakers"},
		{"no table", func(ts []safetensors.Tensor, meta map[string]string) []safetensors.Tensor {
			delete(meta, "speakers")
			return ts
		}, `metadata "speakers"`},
		{"a name twice", func(ts []safetensors.Tensor, meta map[string]string) []safetensors.Tensor {
			meta["speakers"] = strings.Replace(meta["speakers"], "spk1", "spk0", 1)
			return ts
		}, "twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var tensors []safetensors.Tensor
			for _, tensor := range f.Tensors() {
				tensor.Data, tensor.Shape = slices.Clone(tensor.Data), slices.Clone(tensor.Shape)
				tensors = append(tensors, tensor)
			}
			meta := maps.Clone(f.Metadata())
			var b bytes.Buffer
			if err := safetensors.Write(&b, c.change(tensors, meta), meta); err != nil {
				t.Fatal(err)
			}
			if _, err := Read(&b); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestSaveKeepsWhatWasThere(t *testing.T) {
	m := random(odd(), 1, 34)
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := os.WriteFile(path, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.Speakers[0].Seconds = math.NaN() // no JSON
	if err := m.Save(path, Full); err == nil {
		t.Fatal("a table with NaN is saved")
	}
	if raw, err := os.ReadFile(path); err != nil || string(raw) != "before" {
		t.Errorf("%q, %v: the file of before is gone", raw, err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("%d files are left behind", len(entries)-1)
	}
}

func TestNewModelRefuses(t *testing.T) {
	c := odd()
	good := random(c, 2, 35)
	for name, change := range map[string]func(m *Model){
		"numbers": func(m *Model) { m.tensors["gen.out.b"] = m.tensors["gen.out.b"][1:] },
		"missing": func(m *Model) { delete(m.tensors, "gen.out.b") },
		"unknown": func(m *Model) { m.tensors["x"] = nil },
		"is +Inf": func(m *Model) { m.tensors["gen.out.b"] = slices.Repeat([]float32{float32(math.Inf(1))}, c.NMels) },
		"name":    func(m *Model) { m.Speakers[0].Name = "" },
		"log-F0":  func(m *Model) { m.Speakers[0].LogF0Std = -1 },
		"hop":     func(m *Model) { m.Features = features.Config{} },
		"kernel":  func(m *Model) { m.Config.Kernel = 4 },

		"encoderMels":               func(m *Model) { m.Config.EncoderMels = m.Config.NMels + 1 },
		"encoderDilations has 1":    func(m *Model) { m.Config.EncoderDilations = []int{1} },
		"encoderDilations[1] is 0":  func(m *Model) { m.Config.EncoderDilations = []int{1, 0} },
		"encoderDilations[0] is 65": func(m *Model) { m.Config.EncoderDilations = []int{65, 1} },
	} {
		m := &Model{good.Features, c, slices.Clone(good.Speakers), Trained{}, maps.Clone(good.tensors), nil}
		change(m)
		_, err := NewModel(m.Features, m.Config, m.Speakers, m.Trained, m.tensors)
		if err == nil || name != "hop" && !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestSpeaker(t *testing.T) {
	m := random(odd(), 3, 36)
	m.Speakers[0].Name, m.Speakers[1].Name, m.Speakers[2].Name = "bdl", "slt", "Kathleen"
	if y, err := m.Speaker("slt"); y != 1 || err != nil {
		t.Errorf("slt is %d, %v", y, err)
	}
	for _, name := range []string{"sls", "BDL", ""} {
		_, err := m.Speaker(name)
		var unknown *UnknownSpeakerError
		if !errors.As(err, &unknown) || unknown.Name != name || !slices.Equal(unknown.Known, []string{"bdl", "slt", "Kathleen"}) {
			t.Fatalf("%q: error %v", name, err)
		}
		if want := `speaker "` + name + `": unknown; known are bdl, slt, Kathleen`; err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	many := random(odd(), listedNames+5, 37)
	if _, err := many.Speaker("spk"); !strings.HasSuffix(err.Error(), "spk23 and 5 more") {
		t.Errorf("a long list ends with %v", err)
	}
}

// FuzzRead changes the metadata of a sound file: an error or a model that can be written and read, never a panic.
func FuzzRead(f *testing.F) {
	m := random(Config{
		NMels: 16, Width: 8, Hidden: 8, Kernel: 1, EncoderBlocks: 1, DecoderBlocks: 1, Bottleneck: 1,
		StyleDim: 1, LatentDim: 1, MapWidth: 1, MapLayers: 1, BodyWidths: []int{1, 1},
	}, 2, 38)
	file, err := safetensors.Read(bytes.NewReader(encode(f, m, Full)))
	if err != nil {
		f.Fatal(err)
	}
	meta := file.Metadata()
	f.Add(meta[featuresKey], meta[configKey], meta[speakersKey], meta[trainedKey])
	f.Add(meta[featuresKey], `{"nMels":16,"bodyWidths":[1,1,1,1,1,1,1]}`, `[{"name":"a"}]`, `null`)
	f.Fuzz(func(t *testing.T, features, config, speakers, trained string) {
		meta := maps.Clone(meta)
		meta[featuresKey], meta[configKey], meta[speakersKey], meta[trainedKey] = features, config, speakers, trained
		var b bytes.Buffer
		if err := safetensors.Write(&b, file.Tensors(), meta); err != nil {
			t.Skip(err)
		}
		got, err := Read(&b)
		if err != nil {
			return
		}
		first := encode(t, got, Full)
		again, err := Read(bytes.NewReader(first))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(encode(t, again, Full), first) {
			t.Error("a model changes on the way through a file")
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	path := filepath.Join(b.TempDir(), "m.safetensors")
	raw := encode(b, random(Live(), 4, 1), Full)
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		m, err := Load(path)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := NewGenerator(m, 2); err != nil {
			b.Fatal(err)
		}
	}
}
