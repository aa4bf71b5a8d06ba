package convert

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/vocoder"
)

// centsOff is the median distance of the pitch of x from that asked of it, in cents.
func centsOff(t *testing.T, cfg features.Config, x, wanted []float32) float64 {
	t.Helper()
	heard, err := features.Extract(cfg, x)
	if err != nil {
		t.Fatal(err)
	}
	var cents []float64
	for i, hz := range wanted {
		if hz > 0 && heard.F0[i] > 0 {
			cents = append(cents, math.Abs(1200*math.Log2(float64(heard.F0[i]/hz))))
		}
	}
	if len(cents) < len(wanted)/3 {
		t.Fatalf("%d of %d frames have a pitch", len(cents), len(wanted))
	}
	slices.Sort(cents)
	return cents[len(cents)/2]
}

// The pitch of a conversion is the one it was mapped to, though the frames, here those of the input itself, show another.
func TestConversionHasTheMappedPitch(t *testing.T) {
	m := gan.Echo(features.DefaultConfig())
	in := audio.Clip{Samples: vowel(16000, 32000), Rate: 16000}
	voice := SpeakerVoice(m, 0)
	const semitones = 7
	r, err := converter(t, m, Options{PitchSemitones: semitones}).Convert(context.Background(), in, voice, nil)
	if err != nil {
		t.Fatal(err)
	}
	if off := centsOff(t, m.Features, r.Clip.Samples, r.Mapped); off > 10 {
		t.Errorf("file: pitch off by %.1f cents", off)
	}

	o := DefaultStreamOptions(m, 16000)
	o.PitchSemitones, o.VocoderPasses = semitones, 1
	s, err := NewStream(m, voice, o)
	if err != nil {
		t.Fatal(err)
	}
	y := s.Flush(s.Process(nil, in.Samples))
	// A stream learns the source's range on the way, and tracks without hindsight.
	causal, err := features.Extract(m.Features, in.Samples)
	if err != nil {
		t.Fatal(err)
	}
	var source features.RunningPitch
	source.Expect(voice.LogF0.Std)
	pitch := gan.PitchMap{Target: voice.LogF0, Semitones: semitones}
	var wanted []float32
	for _, hz := range causal.F0 {
		source.Add(hz)
		pitch.Source = source.Pitch()
		wanted = append(wanted, pitch.Hz(hz))
	}
	if off := centsOff(t, m.Features, y, wanted); off > 10 {
		t.Errorf("stream: pitch off by %.1f cents", off)
	}
}

func TestStreamVocoders(t *testing.T) {
	m := withNet(t, model(t))
	x := vowel(16000, 8000)
	for _, v := range Vocoders() {
		o := DefaultStreamOptions(m, 16000)
		o.Vocoder, o.VocoderLookAhead, o.VocoderIterations, o.VocoderPasses = v, 1, 2, 1
		s, err := NewStream(m, SpeakerVoice(m, 1), o)
		if live := slices.Contains(LiveVocoders(), v); live != (err == nil) {
			t.Errorf("%s: error %v, live %t", v, err, live)
		}
		if err != nil {
			continue
		}
		want := pieces(s, x, len(x))
		if len(want) != len(x) {
			t.Errorf("%s: %d samples, want %d", v, len(want), len(x))
		}
		if got := pieces(s, x, 161); !slices.Equal(got, want) {
			t.Errorf("%s: the output depends on how the input is cut", v)
		}
	}
}

// netFile writes a seeded random network for the model's frames and returns its path.
func netFile(t testing.TB, cfg features.Config) string {
	t.Helper()
	c, err := vocoder.NetPreset("tiny", cfg)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := vocoder.WriteNet(&b, c, vocoder.RandomWeights(c, 1), nil, false); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "net.safetensors")
	if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// withNet is a model with a neural vocoder of its own.
func withNet(t testing.TB, m *gan.Model) *gan.Model {
	t.Helper()
	with, err := WithNet(m, netFile(t, m.Features))
	if err != nil {
		t.Fatal(err)
	}
	return with
}

func TestNeuralOfTheModel(t *testing.T) {
	m := withNet(t, model(t))
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	m, err := gan.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	in := audio.Clip{Samples: vowel(16000, 8000), Rate: 16000}
	made := map[Vocoder][]float32{}
	for _, v := range []Vocoder{"", Neural, SourceFilter} {
		c := converter(t, m, Options{Vocoder: v, Threads: 1})
		if want := cmp.Or(v, Neural); c.Vocoder() != want {
			t.Errorf("%q means %s, want %s", v, c.Vocoder(), want)
		}
		r, err := c.Convert(context.Background(), in, SpeakerVoice(m, 0), nil)
		if err != nil {
			t.Fatal(err)
		}
		made[v] = r.Clip.Samples
	}
	if !slices.Equal(made[""], made[Neural]) || slices.Equal(made[Neural], made[SourceFilter]) {
		t.Error("the default is not the model's own vocoder")
	}

	s, err := NewStream(m, SpeakerVoice(m, 0), DefaultStreamOptions(m, 16000))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := s.vocoder.(*vocoder.Neural); !ok {
		t.Errorf("a stream uses %T", s.vocoder)
	}
	if got, want := s.vocoder.Latency(), m.Features.WinLength/2; got != want {
		t.Errorf("latency of %d samples, want %d", got, want)
	}
}

func TestNeuralIsRefusedWithoutWeights(t *testing.T) {
	// No program comes with a vocoder for as few bands as these.
	cfg := features.DefaultConfig()
	cfg.NMels = 17
	m := gan.Echo(cfg)
	_, err := New(m, Options{Vocoder: Neural})
	if err == nil || !strings.Contains(err.Error(), "--vocoder source-filter") {
		t.Errorf("error %v", err)
	}
	if c := converter(t, m, Options{}); c.Vocoder() != SourceFilter {
		t.Errorf("default is %s", c.Vocoder())
	}
	o := DefaultStreamOptions(m, 16000)
	o.Vocoder = Neural
	if _, err := NewStream(m, SpeakerVoice(m, 0), o); err == nil {
		t.Error("a stream without weights")
	}
	if _, err := NewSynthesizer(cfg, SynthesisOptions{Vocoder: Neural}); err == nil {
		t.Error("a synthesizer without weights")
	}
	if _, err := NewSynthesizer(cfg, SynthesisOptions{Vocoder: Refined}); err == nil || !strings.Contains(err.Error(), `"refined"`) {
		t.Errorf("refined without weights: error %v", err)
	}
	if _, err := New(m, Options{Vocoder: Refined}); err == nil || !strings.Contains(err.Error(), "own frames") {
		t.Errorf("refined for conversions: error %v", err)
	}
	if _, err := WithNet(m, netFile(t, features.DefaultConfig())); err == nil || !strings.Contains(err.Error(), "features") {
		t.Errorf("a network for other frames: error %v", err)
	}
	bad, err := m.WithVocoder(&gan.VocoderPart{Config: "{}", Weights: []gan.Weight{{Name: "voc.x", Shape: []int{1}, Data: []float32{1}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(bad, Options{}); err == nil {
		t.Error("a broken vocoder is passed over")
	}
	if _, err := New(bad, Options{Vocoder: SourceFilter}); err != nil {
		t.Errorf("a broken vocoder that is not asked for: %v", err)
	}
}

func TestSynthesizer(t *testing.T) {
	cfg := features.DefaultConfig()
	x := vowel(16000, 8000)
	f, err := features.Extract(cfg, x)
	if err != nil {
		t.Fatal(err)
	}
	net, err := vocoder.LoadNet(netFile(t, cfg))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range CopyVocoders() {
		var last []float32
		for _, o := range []SynthesisOptions{{Seed: 5}, {Seed: 5}, {Seed: 6, Iterations: 2}} {
			o.Vocoder, o.Net = v, net
			s, err := NewSynthesizer(cfg, o)
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
	for name, o := range map[string]SynthesisOptions{
		"tape": {Vocoder: "tape"}, "iterations": {Iterations: -1},
		"passes":     {Vocoder: SourceFilter, Iterations: 1000},
		"own frames": {Vocoder: Refined, Made: true},
	} {
		if _, err := NewSynthesizer(cfg, o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// A recording of several pieces is refined as if it were one: nothing is heard at the seams, and more threads change nothing.
func TestRefinedInPieces(t *testing.T) {
	cfg := features.DefaultConfig()
	x := vowel(16000, (pieceFrames+searchFrames+100)*cfg.Hop)
	f, err := features.Extract(cfg, x)
	if err != nil {
		t.Fatal(err)
	}
	net, err := vocoder.LoadNet(netFile(t, cfg))
	if err != nil {
		t.Fatal(err)
	}
	var made [][]float32
	for _, threads := range []int{1, 3} {
		s, err := NewSynthesizer(cfg, SynthesisOptions{Vocoder: Refined, Net: net, Iterations: 1, Threads: threads})
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
