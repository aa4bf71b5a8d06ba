package synth

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/untrained"
	"github.com/starvc/vc/vocoder"
)

// vowel is a buzz of gliding pitch under a resonance, at 16 kHz.
func vowel(samples int) []float32 {
	x := make([]float32, samples)
	phase := 0.0
	for i := range x {
		phase += (120 + 30*math.Sin(float64(i)/8000)) / 16000
		for k := 1.0; k < 20; k++ {
			x[i] += float32(0.15 / (1 + math.Pow((120*k-700)/200, 2)) * math.Sin(2*math.Pi*k*phase))
		}
	}
	return x
}

// netFile writes a seeded random network for the model's frames and returns its path.
func netFile(t testing.TB, cfg features.Config) string {
	t.Helper()
	c, err := vocoder.NetPreset("tiny", cfg)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "net.safetensors")
	if err := untrained.Vocoder(c, 1).Save(path, vocoder.Full); err != nil {
		t.Fatal(err)
	}
	return path
}

// Without weights Neural and Refined are refused, and "" means a vocoder that needs none.
func TestNoWeights(t *testing.T) {
	cfg := features.DefaultConfig()
	cfg.NMels = 17 // no program comes with a vocoder for as few bands as these
	for _, v := range []Vocoder{Neural, Refined} {
		var net *NetError
		if _, err := New(cfg, Options{Vocoder: v}); !errors.As(err, &net) {
			t.Errorf("%s: error %v", v, err)
		}
	}
	if s, err := New(cfg, Options{}); err != nil || s.Vocoder() != SourceFilter {
		t.Errorf("default: %v", err)
	}
	if _, err := WithNet(untrained.Echo(cfg), netFile(t, features.DefaultConfig())); err == nil || !strings.Contains(err.Error(), "features") {
		t.Errorf("a network for other frames: error %v", err)
	}
}

func TestSynthesizer(t *testing.T) {
	cfg := features.DefaultConfig()
	x := vowel(8000)
	f, err := features.Extract(cfg, x)
	if err != nil {
		t.Fatal(err)
	}
	net, err := vocoder.Load(netFile(t, cfg))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range CopyVocoders() {
		var last []float32
		for _, o := range []Options{{Seed: 5}, {Seed: 5}, {Seed: 6, Iterations: 2}} {
			o.Vocoder, o.Net = v, net
			s, err := New(cfg, o)
			if err != nil {
				t.Fatal(err)
			}
			y, err := s.Synthesize(context.Background(), f.LogMel, f.F0, len(x), nil)
			if err != nil || len(y) != len(x) {
				t.Fatalf("%s: %d samples, %v", v, len(y), err)
			}
			if last != nil && slices.Equal(last, y) == (o.Seed == 6) {
				t.Errorf("%s: %+v: the same as before: %t", v, o, o.Seed == 6)
			}
			last = y
		}
	}
	for name, o := range map[string]Options{
		"tape": {Vocoder: "tape"}, "iterations": {Iterations: -1},
		"passes":     {Vocoder: SourceFilter, Iterations: 1000},
		"own frames": {Vocoder: Refined, Made: true},
	} {
		if _, err := New(cfg, o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// A recording of several pieces is refined as if it were one: nothing is heard at the seams, and more threads change nothing.
func TestRefinedInPieces(t *testing.T) {
	cfg := features.DefaultConfig()
	x := vowel((pieceFrames + searchFrames + 100) * cfg.Hop)
	f, err := features.Extract(cfg, x)
	if err != nil {
		t.Fatal(err)
	}
	net, err := vocoder.Load(netFile(t, cfg))
	if err != nil {
		t.Fatal(err)
	}
	var made [][]float32
	for _, threads := range []int{1, 3} {
		s, err := New(cfg, Options{Vocoder: Refined, Net: net, Iterations: 1, Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		last := -1.0
		y, err := s.Synthesize(context.Background(), f.LogMel, f.F0, len(x), func(part float64) {
			if part < last || part > 1 {
				t.Errorf("progress %g after %g", part, last)
			}
			last = part
		})
		if err != nil || len(y) != len(x) || last != 1 {
			t.Fatalf("%d samples, done to %g, %v", len(y), last, err)
		}
		made = append(made, y)
	}
	if !slices.Equal(made[0], made[1]) {
		t.Error("the number of threads changes the sound")
	}
}

// Cutting a long recording into pieces must not be heard: no jump at a cut is larger than those elsewhere, and the
// level stays.
func TestPiecesJoin(t *testing.T) {
	cuts := []int{0, 40, 100}
	hop, samples := 10, 995
	var pieces [][]float32
	for i := range len(cuts) - 1 {
		start, end := max(0, (cuts[i]-1)*hop), min(samples, (cuts[i+1]+1)*hop)
		x := make([]float32, end-start)
		for k := range x {
			x[k] = 1
		}
		pieces = append(pieces, x)
	}
	for i, v := range join(pieces, cuts, hop, samples) {
		if math.Abs(float64(v)-1) > 1e-6 {
			t.Fatalf("sample %d is %g, want 1", i, v)
		}
	}
}

func TestQuietCuts(t *testing.T) {
	const nMels = 2
	logMel := make([]float32, 5000*nMels)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range logMel {
		logMel[i] = r.Float32()
	}
	for _, quiet := range []int{800, 1777} {
		logMel[quiet*nMels], logMel[quiet*nMels+1] = -9, -9
	}
	cuts := quietCuts(logMel, nMels)
	if cuts[0] != 0 || cuts[len(cuts)-1] != 5000 || cuts[1] != 800 || cuts[2] != 1777 {
		t.Errorf("cuts at %d", cuts)
	}
	for i := 1; i < len(cuts); i++ {
		if n := cuts[i] - cuts[i-1]; n < 1 || n > pieceFrames+searchFrames {
			t.Errorf("piece of %d frames", n)
		}
	}
	if got := quietCuts(logMel[:nMels], nMels); !slices.Equal(got, []int{0, 1}) {
		t.Errorf("one frame: cuts at %d", got)
	}
}
