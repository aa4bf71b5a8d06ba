package vc

import (
	"bytes"
	"context"
	"math"
	"strings"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/untrained"
)

func TestFixedSource(t *testing.T) {
	t.Parallel()
	s, err := FixedSource(180, 2.5)
	if err != nil || !s.Fixed || math.Abs(math.Exp(s.Pitch.Mean)-180) > 1e-9 || math.Abs(s.Pitch.Std-2.5*math.Ln2/12) > 1e-12 {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err = FixedSource(180, 0); err != nil || s.Pitch.Std != 0 {
		t.Errorf("no spread: %+v, %v", s, err)
	}
	for _, c := range [][2]float64{{5, 0}, {math.NaN(), 0}, {3000, 2}, {180, 99}, {180, -1}, {180, math.NaN()}} {
		if s, err := FixedSource(c[0], c[1]); err == nil {
			t.Errorf("%g: %+v", c, s)
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
	m := New(untrained.Echo(features.DefaultConfig()))
	in := audio.Clip{Samples: vowel(16000, 16000), Rate: 16000}
	v := m.SpeakerVoice(0)
	known := Source{Pitch: features.Pitch{Mean: math.Log(100), Std: v.LogF0.Std}, Fixed: true}
	r, err := m.Convert(context.Background(), in, v, Options{Source: known})
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
		r, err := m.Convert(context.Background(), in, wide, Options{Source: known, Melody: melody})
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

	o := m.StreamOptions(16000)
	o.Source = Source{Pitch: known.Pitch, Frames: 300}
	s, err := m.NewStream(v, o)
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
	if _, err := m.NewStream(v, StreamOptions{InputRate: 16000, OutputRate: 16000, Melody: "loud"}); err == nil {
		t.Error("a stream with an unknown melody is made")
	}
}
