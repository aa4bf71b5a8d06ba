package convert

import (
	"bytes"
	"context"
	"math"
	"strings"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
)

func TestParseSource(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text        string
		hz, std     float64
		errContains string
	}{
		{text: "180", hz: 180},
		{text: " 180 , 2.5", hz: 180, std: 2.5 * math.Ln2 / 12},
		{text: "", errContains: "want the mean pitch"},
		{text: "low", errContains: "want the mean pitch"},
		{text: "NaN", errContains: "want the mean pitch"},
		{text: "5", errContains: "20 to 2000"},
		{text: "180,", errContains: "spread"},
		{text: "180,99", errContains: "0.3 to 24 semitones"},
	} {
		s, err := ParseSource(c.text)
		if c.errContains != "" {
			if err == nil || !strings.Contains(err.Error(), c.errContains) {
				t.Errorf("%q: error %v, want %q in it", c.text, err, c.errContains)
			}
			continue
		}
		if err != nil || !s.Fixed || math.Abs(math.Exp(s.Pitch.Mean)-c.hz) > 1e-9 || math.Abs(s.Pitch.Std-c.std) > 1e-12 {
			t.Errorf("%q: %+v, %v", c.text, s, err)
		}
	}
}

func TestSourceProfile(t *testing.T) {
	t.Parallel()
	s := Source{Pitch: features.Pitch{Mean: math.Log(123.4), Std: 0.15}, Frames: 1234}
	var b bytes.Buffer
	if err := s.Write(&b); err != nil {
		t.Fatal(err)
	}
	got, err := ReadSource(&b)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(got.Pitch.Mean-s.Pitch.Mean) > 1e-4 || math.Abs(got.Pitch.Std-s.Pitch.Std) > 1e-4 || got.Frames != 1230 || got.Fixed {
		t.Errorf("%+v, want %+v", got, s)
	}
	if err := (Source{Frames: 20}).Write(&b); err == nil || !strings.Contains(err.Error(), "speak") {
		t.Errorf("too little voice: %v", err)
	}
	for name, text := range map[string]string{
		"nothing":      "",
		"other JSON":   `{"format":"starvc-voice","version":1}`,
		"new version":  `{"format":"starvc-source","version":2,"pitchHz":120,"spreadSemitones":3,"voicedSeconds":9}`,
		"no pitch":     `{"format":"starvc-source","version":1,"spreadSemitones":3,"voicedSeconds":9}`,
		"flat":         `{"format":"starvc-source","version":1,"pitchHz":120,"spreadSemitones":0,"voicedSeconds":9}`,
		"not heard":    `{"format":"starvc-source","version":1,"pitchHz":120,"spreadSemitones":3}`,
		"out of range": `{"format":"starvc-source","version":1,"pitchHz":1e9,"spreadSemitones":3,"voicedSeconds":9}`,
		"long":         strings.Repeat(" ", maxSourceFile+1) + "{}",
	} {
		if s, err := ReadSource(strings.NewReader(text)); err == nil {
			t.Errorf("%s: read as %+v", name, s)
		}
	}
}

func FuzzReadSource(f *testing.F) {
	f.Add([]byte(`{"format":"starvc-source","version":1,"pitchHz":120,"spreadSemitones":3,"voicedSeconds":9}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ReadSource(bytes.NewReader(text))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := s.Write(&b); err != nil {
			t.Fatal(err)
		}
		if again, err := ReadSource(&b); err != nil || math.Abs(again.Pitch.Mean-s.Pitch.Mean) > 1e-3 {
			t.Errorf("%+v, then %+v, %v", s, again, err)
		}
	})
}

// What is known of the source decides where a file and the first moment of a stream lie.
func TestKnownSource(t *testing.T) {
	t.Parallel()
	m := gan.Echo(features.DefaultConfig())
	in := audio.Clip{Samples: vowel(16000, 16000), Rate: 16000}
	v := SpeakerVoice(m, 0)
	known := Source{Pitch: features.Pitch{Mean: math.Log(100), Std: v.LogF0.Std}, Fixed: true}
	r, err := converter(t, m, Options{Source: known}).Convert(context.Background(), in, v, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, hz := range r.Source.F0 {
		if want := float64(hz) * math.Exp(v.LogF0.Mean) / 100; math.Abs(float64(r.Mapped[i])-want) > 1e-3*want {
			t.Fatalf("frame %d: %g Hz becomes %g, want %g", i, hz, r.Mapped[i], want)
		}
	}
	wide := Voice{Style: v.Style, LogF0: features.Pitch{Mean: v.LogF0.Mean, Std: 3 * v.LogF0.Std}}
	for melody, slope := range map[Melody]float64{Fit: 3, Keep: 1} {
		r, err := converter(t, m, Options{Source: known, Melody: melody}).Convert(context.Background(), in, wide, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, hz := range r.Source.F0 {
			if hz == 0 {
				continue
			}
			want := slope * (math.Log(float64(hz)) - known.Pitch.Mean)
			if got := math.Log(float64(r.Mapped[i])) - wide.LogF0.Mean; math.Abs(got-want) > 1e-3 {
				t.Fatalf("%s, frame %d: %g from the mean, want %g", melody, i, got, want)
			}
		}
	}

	o := DefaultStreamOptions(m, 16000)
	o.Source = Source{Pitch: known.Pitch, Frames: 300}
	s, err := NewStream(m, v, o)
	if err != nil {
		t.Fatal(err)
	}
	if heard := s.Heard(); math.Abs(heard.Pitch.Mean-math.Log(100)) > 1e-9 || heard.Frames != 0 {
		t.Errorf("before any sound: %+v", heard)
	}
	s.Process(nil, in.Samples)
	heard := s.Heard()
	own, _ := features.MeasurePitch(r.Source.F0)
	low, high := min(own.Mean, known.Pitch.Mean), max(own.Mean, known.Pitch.Mean)
	if heard.Frames < 50 || !(heard.Pitch.Mean > low && heard.Pitch.Mean < high) {
		t.Errorf("after a second: %+v, want between %g and %g", heard, low, high)
	}
	if err := s.SetMelody("loud"); err == nil {
		t.Error("an unknown melody is taken")
	}
	if _, err := NewStream(m, v, StreamOptions{InputRate: 16000, OutputRate: 16000, Melody: "loud"}); err == nil {
		t.Error("a stream with an unknown melody is made")
	}
}
