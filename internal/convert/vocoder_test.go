package convert

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
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
	// A stream learns the source's range on the way.
	var source gan.RunningLogF0
	pitch := gan.PitchMap{Target: voice.LogF0, Semitones: semitones}
	var wanted []float32
	for _, hz := range r.Source.F0 {
		source.Add(hz)
		pitch.Source = source.Stats()
		wanted = append(wanted, pitch.Hz(hz))
	}
	if off := centsOff(t, m.Features, y, wanted); off > 10 {
		t.Errorf("stream: pitch off by %.1f cents", off)
	}
}

func TestStreamVocoders(t *testing.T) {
	m := model(t)
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
