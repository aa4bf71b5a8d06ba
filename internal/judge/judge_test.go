package judge

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
)

// tiny is a judge of random weights.
func tiny(t testing.TB) (Config, map[string][]float32, *Judge) {
	t.Helper()
	c := DefaultConfig()
	c.Width, c.Hidden, c.Kernel, c.Blocks, c.Embedding = 16, 24, 3, 2, 8
	r := rand.New(rand.NewPCG(1, 1))
	tensors := map[string][]float32{}
	for _, p := range c.Params() {
		n := 1
		for _, d := range p.Shape {
			n *= d
		}
		data := make([]float32, n)
		for i := range data {
			data[i] = float32(0.2 * r.NormFloat64())
		}
		tensors[p.Name] = data
	}
	j, err := New(c, Trained{}, tensors)
	if err != nil {
		t.Fatal(err)
	}
	return c, tensors, j
}

// hum is a tone with overtones that comes and goes, seconds long at 16000 Hz.
func hum(seconds, f0 float64) audio.Clip {
	x := make([]float32, int(seconds*16000))
	for i := range x {
		at := float64(i) / 16000
		var v float64
		for h := 1.0; h < 12; h++ {
			v += math.Sin(2*math.Pi*h*f0*at) / h
		}
		x[i] = float32(0.1 * v * (1 + math.Sin(2*math.Pi*3*at)) / 2)
	}
	return audio.Clip{Samples: x, Rate: 16000}
}

func TestEmbed(t *testing.T) {
	_, _, j := tiny(t)
	embed := func(c audio.Clip) []float32 {
		t.Helper()
		e, err := j.EmbedClip(c)
		if err != nil {
			t.Fatal(err)
		}
		if n := Similarity(e, e); math.Abs(n-1) > 1e-6 || len(e) != 8 {
			t.Errorf("%d numbers, similarity to itself %g", len(e), n)
		}
		return e
	}
	clip := hum(2, 120)
	e := embed(clip)
	quiet := audio.Clip{Rate: clip.Rate, Samples: slices.Clone(clip.Samples)}
	for i := range quiet.Samples {
		quiet.Samples[i] *= 0.25
	}
	if s := Similarity(e, embed(quiet)); s < 0.999 {
		t.Errorf("12 dB quieter: similarity %g", s)
	}
	padded := audio.Clip{Rate: clip.Rate, Samples: slices.Concat(make([]float32, 16000), clip.Samples, make([]float32, 8000))}
	if s := Similarity(e, embed(padded)); s < 0.99 {
		t.Errorf("with silence around it: similarity %g", s)
	}
	if s := Similarity(e, embed(hum(2, 240))); s > 0.999 {
		t.Errorf("another voice: similarity %g", s)
	}
	if _, err := j.EmbedClip(hum(0.2, 120)); err == nil || !strings.Contains(err.Error(), "half a second") {
		t.Errorf("a fifth of a second: %v", err)
	}
}

// TestForwardIsOne: the chunks in which the network runs do not show.
func TestForwardIsOne(t *testing.T) {
	_, _, j := tiny(t)
	f, err := features.Extract(j.Config().Features, hum(4, 150).Samples)
	if err != nil {
		t.Fatal(err)
	}
	x := Hear(j.Config(), f)
	long := j.Forward(x)
	// Causal: a recording with its beginning twice has the beginning's steps twice, nearly.
	twice := j.Forward(slices.Concat(x, x))
	if s := Similarity(long, twice); s < 0.999 {
		t.Errorf("said twice: similarity %g", s)
	}
}

func TestFile(t *testing.T) {
	c, tensors, j := tiny(t)
	trained := Trained{Steps: 3, Speakers: []string{"a", "b"}, HeldOut: []string{"c"}, Part: "2/2", PairEER: 0.1, EnrolledEER: 0.05, Threshold: 0.7}
	var b bytes.Buffer
	if err := Write(&b, c, trained, tensors); err != nil {
		t.Fatal(err)
	}
	data := b.Bytes()
	got, err := Read(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if got.Config() != c || got.Trained().Threshold != 0.7 || got.Trained().HeldOut[0] != "c" {
		t.Errorf("%+v, %+v", got.Config(), got.Trained())
	}
	clip := hum(1, 100)
	x, _ := j.EmbedClip(clip)
	y, err := got.EmbedClip(clip)
	if err != nil || Similarity(x, y) < 0.9999 { // half precision
		t.Errorf("similarity %g of what was written and read, %v", Similarity(x, y), err)
	}
	for at := 0; at < len(data); at += 97 {
		broken := slices.Clone(data)
		broken[at] ^= 4
		if _, err := Read(bytes.NewReader(broken)); err == nil {
			t.Fatalf("bit of byte %d changed: read without error", at)
		}
	}
	tensors["jud.embed.b"] = tensors["jud.embed.b"][1:]
	if _, err := New(c, trained, tensors); err == nil || !strings.Contains(err.Error(), "jud.embed.b") {
		t.Errorf("a weight too short: %v", err)
	}
}

func TestEqualErrorRate(t *testing.T) {
	for _, c := range []struct {
		name            string
		same, different []float64
		want            float64
	}{
		{"apart", []float64{0.8, 0.9, 0.7}, []float64{0.1, 0.2}, 0},
		{"swapped", []float64{0.1, 0.2}, []float64{0.8, 0.9}, 1},
		{"one of four", []float64{0.9, 0.8, 0.7, 0.2}, []float64{0.1, 0.1, 0.1, 0.75}, 0.25},
	} {
		rate, threshold := EqualErrorRate(c.same, c.different)
		if math.Abs(rate-c.want) > 1e-9 {
			t.Errorf("%s: %g at %g, want %g", c.name, rate, threshold, c.want)
		}
	}
	if rate, _ := EqualErrorRate(nil, []float64{1}); !math.IsNaN(rate) {
		t.Errorf("nothing: %g", rate)
	}
}

func TestVerify(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	speakers := make([][][]float32, 4)
	for i := range speakers {
		for range 5 {
			e := make([]float32, 8)
			for k := range e {
				e[k] = float32(0.1 * r.NormFloat64())
			}
			e[i]++
			speakers[i] = append(speakers[i], e)
		}
	}
	v := Verify(speakers)
	if v.Pairs != 190 || v.Same != 40 || v.PairEER != 0 || v.EnrolledEER != 0 || v.Identified != 1 || v.Threshold < 0.3 {
		t.Errorf("%+v", v)
	}
}
