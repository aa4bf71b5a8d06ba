package vc

import (
	"cmp"
	"context"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/synth"
	"github.com/starvc/vc/internal/untrained"
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
	m := New(untrained.Echo(features.DefaultConfig()))
	in := audio.Clip{Samples: vowel(16000, 32000), Rate: 16000}
	voice := m.SpeakerVoice(0)
	const semitones = 7
	r, err := m.Convert(context.Background(), in, voice, Options{PitchSemitones: semitones})
	if err != nil {
		t.Fatal(err)
	}
	if off := centsOff(t, m.Features(), r.Clip.Samples, r.Mapped); off > 10 {
		t.Errorf("file: pitch off by %.1f cents", off)
	}

	o := m.StreamOptions(16000)
	o.PitchSemitones, o.VocoderPasses = semitones, 1
	s, err := m.NewStream(voice, o)
	if err != nil {
		t.Fatal(err)
	}
	y := s.Flush(s.Process(nil, in.Samples))
	// A stream learns the source's range on the way, and tracks without hindsight.
	causal, err := features.Extract(m.Features(), in.Samples)
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
	if off := centsOff(t, m.Features(), y, wanted); off > 10 {
		t.Errorf("stream: pitch off by %.1f cents", off)
	}
}

func TestStreamVocoders(t *testing.T) {
	m := withNet(t, model(t))
	x := vowel(16000, 8000)
	for _, v := range Vocoders() {
		o := m.StreamOptions(16000)
		o.Vocoder, o.VocoderPasses = v, 1
		s, err := m.NewStream(m.SpeakerVoice(1), o)
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
	path := filepath.Join(t.TempDir(), "net.safetensors")
	if err := untrained.Vocoder(c, 1).Save(path, vocoder.Full); err != nil {
		t.Fatal(err)
	}
	return path
}

// withNet is a model with a neural vocoder of its own.
func withNet(t testing.TB, m *Model) *Model {
	t.Helper()
	with, err := synth.WithNet(m.networks, netFile(t, m.Features()))
	if err != nil {
		t.Fatal(err)
	}
	return New(with)
}

func TestNeuralOfTheModel(t *testing.T) {
	m := withNet(t, model(t))
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := m.networks.Save(path, gan.Full); err != nil {
		t.Fatal(err)
	}
	m, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	in := audio.Clip{Samples: vowel(16000, 8000), Rate: 16000}
	made := map[Vocoder][]float32{}
	for _, v := range []Vocoder{"", Neural, SourceFilter} {
		if got, err := m.ChooseVocoder(v); got != cmp.Or(v, Neural) || err != nil {
			t.Errorf("%q means %s, want %s", v, got, cmp.Or(v, Neural))
		}
		r, err := m.Convert(context.Background(), in, m.SpeakerVoice(0), Options{Vocoder: v, Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		made[v] = r.Clip.Samples
	}
	if !slices.Equal(made[""], made[Neural]) || slices.Equal(made[Neural], made[SourceFilter]) {
		t.Error("the default is not the model's own vocoder")
	}

	s, err := m.NewStream(m.SpeakerVoice(0), m.StreamOptions(16000))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := s.vocoder.(*vocoder.Neural); !ok {
		t.Errorf("a stream uses %T", s.vocoder)
	}
	if got, want := s.vocoder.Latency(), m.Features().WinLength/2; got != want {
		t.Errorf("latency of %d samples, want %d", got, want)
	}
}

func TestNeuralIsRefusedWithoutWeights(t *testing.T) {
	// No program comes with a vocoder for as few bands as these.
	cfg := features.DefaultConfig()
	cfg.NMels = 17
	m := New(untrained.Echo(cfg))
	in := audio.Clip{Samples: vowel(16000, 1600), Rate: 16000}
	refused := func(m *Model, v Vocoder) error {
		_, err := m.Convert(context.Background(), in, m.SpeakerVoice(0), Options{Vocoder: v})
		return err
	}
	if err := refused(m, Neural); err == nil || !strings.Contains(err.Error(), "no weights") {
		t.Errorf("error %v", err)
	}
	if v, err := m.ChooseVocoder(""); v != SourceFilter || err != nil {
		t.Errorf("default is %s, %v", v, err)
	}
	o := m.StreamOptions(16000)
	o.Vocoder = Neural
	if _, err := m.NewStream(m.SpeakerVoice(0), o); err == nil {
		t.Error("a stream without weights")
	}
	if err := refused(m, "refined"); err == nil {
		t.Error("a vocoder that is not for conversions is taken")
	}
	broken, err := m.networks.WithVocoder(&gan.VocoderPart{Config: "{}", Weights: []gan.Weight{{Name: "voc.x", Shape: []int{1}, Data: []float32{1}}}})
	if err != nil {
		t.Fatal(err)
	}
	bad := New(broken)
	if refused(bad, "") == nil {
		t.Error("a broken vocoder is passed over")
	}
	if err := refused(bad, SourceFilter); err != nil {
		t.Errorf("a broken vocoder that is not asked for: %v", err)
	}
}
