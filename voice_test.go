package vc

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/untrained"
)

func TestLikeVoice(t *testing.T) {
	m := model(t)
	clip := audio.Clip{Samples: vowel(44100, 2*44100), Rate: 44100}
	common, speech, err := m.LikeVoice(clip, "")
	if err != nil {
		t.Fatal(err)
	}
	// The vowel glides between 90 and 150 Hz.
	if hz := math.Exp(common.LogF0.Mean); hz < 100 || hz > 145 || common.LogF0.Std < 0.02 || common.LogF0.Std > 0.3 {
		t.Errorf("pitch %g Hz +- %g", hz, common.LogF0.Std)
	}
	if math.Abs(speech.Seconds()-2) > 0.05 {
		t.Errorf("%v of speech, want 2 s", speech)
	}
	own, _, err := m.LikeVoice(clip, "spk1")
	if err != nil {
		t.Fatal(err)
	}
	if slices.Equal(own.Style, common.Style) || own.check(m.networks) != nil {
		t.Error("the heads hear the same style, or none")
	}
	// Silence around the speech changes nothing worth mentioning.
	silence := make([]float32, 44100)
	padded, speech, err := m.LikeVoice(audio.Clip{Samples: slices.Concat(silence, clip.Samples, silence), Rate: 44100}, "")
	if err != nil || math.Abs(speech.Seconds()-2.1) > 0.05 {
		t.Errorf("with silence around: %v, %v", speech, err)
	}
	if d := math.Abs(padded.LogF0.Mean - common.LogF0.Mean); d > 0.01 {
		t.Errorf("with silence around the pitch is off by %g", d)
	}
	for name, x := range map[string][]float32{"empty": nil, "silence": silence, "click": append(make([]float32, 999), 0.5)} {
		if _, _, err := m.LikeVoice(audio.Clip{Samples: x, Rate: 44100}, ""); err == nil || !strings.Contains(err.Error(), "speech") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestRandomVoice(t *testing.T) {
	m := model(t)
	a, again, b, other := randomVoice(m.networks, 1, 7), randomVoice(m.networks, 1, 7), randomVoice(m.networks, 1, 8), randomVoice(m.networks, 2, 7)
	if !slices.Equal(a.Style, again.Style) {
		t.Error("the same seed gives two voices")
	}
	if slices.Equal(a.Style, b.Style) || slices.Equal(a.Style, other.Style) {
		t.Error("seed or speaker do not count")
	}
	if a.LogF0 != m.networks.Speakers[1].LogF0() || a.check(m.networks) != nil {
		t.Errorf("pitch %+v", a.LogF0)
	}
	// Draws are apart by a good part of what lies between speakers, and around the stored style.
	mean := make([]float32, m.networks.Config.StyleDim)
	away := 0.0
	const draws = 100
	for seed := range uint64(draws) {
		style := randomVoice(m.networks, 1, seed).Style
		away += styleDistance(style, m.networks.Style(1)) / draws
		for k, v := range style {
			mean[k] += v / draws
		}
	}
	if d := speakerDistance(m.networks); away < 0.2*d || away > 2*d {
		t.Errorf("draws lie %g from the stored style, speakers %g from each other", away, d)
	}
	if off := styleDistance(mean, m.networks.Style(1)); off > 0.4*away {
		t.Errorf("the mean of the draws lies %g from the stored style, each %g", off, away)
	}
	drawn := map[string]int{}
	for seed := range uint64(300) {
		_, name, err := m.RandomVoice("", seed)
		if err != nil {
			t.Fatal(err)
		}
		drawn[name]++
	}
	for i := range m.networks.Speakers {
		if name := m.networks.Speakers[i].Name; drawn[name] < 60 {
			t.Errorf("speaker %s drawn %d times of 300", name, drawn[name])
		}
	}
}

func TestVoiceFile(t *testing.T) {
	m := model(t)
	v := randomVoice(m.networks, 1, 7)
	v.Formant = -1.5
	f, err := m.VoiceFile(v, " random 7\nof \x00spk1 ")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	got, err := ReadVoice(&b)
	if err != nil {
		t.Fatal(err)
	}
	if got.Origin != "random 7 of spk1" {
		t.Errorf("origin %q", got.Origin)
	}
	back, err := got.Voice(m)
	if err != nil || !slices.Equal(back.Style, v.Style) || back.LogF0 != v.LogF0 || back.Formant != v.Formant {
		t.Errorf("%+v became %+v, %v", v, back, err)
	}
	if _, err := got.Voice(New(untrained.Model(gan.Tiny(), 3, 2))); !errors.Is(err, ErrOtherModel) {
		t.Errorf("another model: %v", err)
	}
	// The model stored with half precision is the same to a voice.
	b.Reset()
	if err := m.networks.Write(&b, gan.Half); err != nil {
		t.Fatal(err)
	}
	half, err := Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := got.Voice(half); err != nil {
		t.Errorf("stored with half precision: %v", err)
	}
	for name, c := range map[string]struct{ old, new, want string }{
		"another format":  {voiceFormat, "starvc-noise", "not a saved voice"},
		"a later version": {`"version": 1`, `"version": 2`, "update the program"},
		"unknown field":   {`"origin"`, `"colour": 1, "origin"`, "colour"},
		"no style":        {`"style"`, `"style": [], "style": [],"x`, ""},
		"far":             {`"logF0Mean": `, `"logF0Mean": 9`, ""},
		"formant":         {`"formant": -1.5`, `"formant": 99`, "formant is 99"},
		"space":           {`"space": "`, `"space": "ab`, "style space"},
		"cut short":       {text[len(text)/2:], "", "not a saved voice"},
	} {
		if _, err := ReadVoice(strings.NewReader(strings.Replace(text, c.old, c.new, 1))); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := m.VoiceFile(Voice{Style: v.Style, LogF0: features.Pitch{Mean: math.NaN()}}, ""); err == nil {
		t.Error("not a number: no error")
	}
}

func FuzzVoiceFile(f *testing.F) {
	m := New(untrained.Model(gan.Tiny(), 2, 1))
	file, err := m.VoiceFile(m.SpeakerVoice(0), "speaker spk0")
	if err != nil {
		f.Fatal(err)
	}
	var b bytes.Buffer
	if err := file.Write(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(`{"format":"starvc-voice","version":1}`))
	file.Consent = []Consent{{"Ada Example", "2026-11-30", "CC BY 4.0"}, {"Example, Bob", "2026", "for me, and nobody else"}}
	b.Reset()
	if err := file.Write(&b); err != nil {
		f.Fatal(err)
	}
	with := b.String()
	f.Add([]byte(with))
	for _, c := range []struct{ old, new string }{
		{`"2026"`, `"some day"`}, {`"who"`, `"whom"`}, {"Ada", `Ada\u001b[2J`}, {"Ada", strings.Repeat("Ada ", 60)}, {"CC BY 4.0", ", 2025, "},
	} {
		f.Add([]byte(strings.Replace(with, c.old, c.new, 1)))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		file, err := ReadVoice(bytes.NewReader(raw))
		if err != nil {
			return
		}
		var first, second bytes.Buffer
		if err := file.Write(&first); err != nil {
			t.Fatal(err)
		}
		again, err := ReadVoice(bytes.NewReader(first.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Write(&second); err != nil || first.String() != second.String() {
			t.Errorf("%q became %q, %v", first.String(), second.String(), err)
		}
		for _, c := range file.Consent {
			if same, err := ParseConsent(c.String()); err != nil || same != c {
				t.Errorf("consent %+v is read back as %+v, %v", c, same, err)
			}
		}
		if v, err := file.Voice(m); err == nil && v.check(m.networks) != nil {
			t.Error("a voice that fits does not")
		}
	})
}

func TestStrengthen(t *testing.T) {
	m := model(t)
	v := m.SpeakerVoice(1)
	before := slices.Clone(v.Style)
	for _, same := range []float64{0, 1} {
		if got := m.Strengthen(v, same); !slices.Equal(got.Style, v.Style) {
			t.Errorf("strength %g changes the style", same)
		}
	}
	mean := func(strength float64) []float32 {
		sum := make([]float32, len(v.Style))
		for i := range m.networks.Speakers {
			for k, s := range m.Strengthen(m.SpeakerVoice(i), strength).Style {
				sum[k] += s / float32(len(m.networks.Speakers))
			}
		}
		return sum
	}
	centre, strong := mean(1), m.Strengthen(v, 1.5)
	if d := styleDistance(centre, mean(1.5)); d > 1e-4 {
		t.Errorf("the mean of all voices moved by %g", d)
	}
	if ratio := styleDistance(strong.Style, centre) / styleDistance(v.Style, centre); math.Abs(ratio-1.5) > 1e-4 {
		t.Errorf("the style lies %g times as far from the mean, want 1.5", ratio)
	}
	if strong.LogF0 != v.LogF0 || !slices.Equal(v.Style, before) {
		t.Error("the pitch or the voice that was given has changed")
	}
	for _, wrong := range []float64{-1, 2.1, math.NaN()} {
		if err := (Options{Strength: wrong}).Validate(); err == nil || !strings.Contains(err.Error(), "strength") {
			t.Errorf("strength %g: error %v", wrong, err)
		}
	}
}
