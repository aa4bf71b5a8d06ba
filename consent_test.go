package vc

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestParseConsent(t *testing.T) {
	for line, want := range map[string]Consent{
		"Ada Example, 2026-11-30, CC BY 4.0":                      {"Ada Example", "2026-11-30", "CC BY 4.0"},
		"Ada Example,2026-11,CC0":                                 {"Ada Example", "2026-11", "CC0"},
		"  Zoë 李 , 2026 ,  only for the audio book, until 2030  ": {"Zoë 李", "2026", "only for the audio book, until 2030"},
		"Example, Ada, 2026-11-30, for me, 2027, and nobody else": {"Example, Ada", "2026-11-30", "for me, 2027, and nobody else"},
	} {
		got, err := ParseConsent(line)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v, want %+v", line, got, err, want)
			continue
		}
		if again, err := ParseConsent(got.String()); err != nil || again != got {
			t.Errorf("%q: written as %q and read back as %+v, %v", line, got, again, err)
		}
	}
	for line, want := range map[string]string{
		"":                                       "want who speaks",
		"yes":                                    `consent "yes": want who speaks, the date`,
		"Ada Example, CC BY 4.0":                 "want who speaks",
		"Ada Example, 30.11.2026, CC BY 4.0":     "the date (2026-11-30",
		"Ada Example, 2026-13-30, CC BY 4.0":     "the date (2026-11-30",
		"Ada Example, 2026-11-30":                "want who speaks",
		"Ada Example, 2026-11-30, ":              "want who speaks",
		", 2026-11-30, CC BY 4.0":                "want who speaks",
		"Ada\tExample, 2026, CC0":                "without control characters",
		"Ada\x1b[2J, 2026, CC0":                  "without control characters",
		"Ada \u202e, 2026, CC0":                  "without control characters",
		"Ada \xff, 2026, CC0":                    "UTF-8",
		"Ada, 2026, " + strings.Repeat("é", 190): "has 201 characters, at most 200",
	} {
		if c, err := ParseConsent(line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v, want an error with %q", line, c, err, want)
		}
	}
	if _, err := ParseConsent("Ada, 2026, " + strings.Repeat("é", 189)); err != nil {
		t.Errorf("200 characters: %v", err)
	}
}

// A saved voice keeps the consents, in what is made of it too, and files without them are read as before.
func TestConsentIsKept(t *testing.T) {
	m := model(t)
	ada, bob := Consent{"Ada Example", "2026-11-30", "CC BY 4.0"}, Consent{"Bob Example", "2026", "my own voice"}
	reread := func(v Voice) Voice {
		t.Helper()
		f, err := m.VoiceFile(v, "test")
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := f.Write(&b); err != nil {
			t.Fatal(err)
		}
		if (len(v.Consent) > 0) != strings.Contains(b.String(), "consent") {
			t.Errorf("with the consents %v the file is %s", v.Consent, b.String())
		}
		read, err := ReadVoice(&b)
		if err != nil {
			t.Fatal(err)
		}
		back, err := read.Voice(m)
		if err != nil {
			t.Fatal(err)
		}
		return back
	}
	own, a, both := m.SpeakerVoice(0), m.SpeakerVoice(0), m.SpeakerVoice(1)
	a.AddConsent(ada)
	both.Consent = a.Consent
	both.AddConsent(bob)
	both.AddConsent(ada)
	for _, v := range []Voice{own, a, both} {
		if back := reread(v); !reflect.DeepEqual(back, v) {
			t.Errorf("%v became %v", v, back)
		}
	}
	if v := m.Strengthen(a, 1.5); !slices.Equal(v.Consent, a.Consent) {
		t.Errorf("put on more strongly it has %v", v.Consent)
	}
	for _, c := range []struct {
		name    string
		voices  []Voice
		weights []float64
		want    []Consent
	}{
		{"none", []Voice{own, own}, []float64{1, 1}, nil},
		{"one of two", []Voice{own, a}, []float64{1, 1}, []Consent{ada}},
		{"one twice", []Voice{a, both}, []float64{1, 1}, []Consent{ada, bob}},
		{"no share", []Voice{a, both}, []float64{1, 0}, []Consent{ada}},
	} {
		mixed, err := Mix(c.voices, c.weights)
		if err != nil || !slices.Equal(mixed.Consent, c.want) {
			t.Errorf("mix, %s: %v, %v, want %v", c.name, mixed.Consent, err, c.want)
		}
		if back := reread(mixed); !slices.Equal(back.Consent, c.want) {
			t.Errorf("mix, %s: %v in the file", c.name, back.Consent)
		}
	}
	if !slices.Equal(a.Consent, []Consent{ada}) || !slices.Equal(both.Consent, []Consent{ada, bob}) {
		t.Errorf("%v and %v", a.Consent, both.Consent)
	}

	many := own
	for i := range maxConsents + 1 {
		many.Consent = append(many.Consent, Consent{fmt.Sprint("voice ", i), "2026", "CC0"})
	}
	if _, err := m.VoiceFile(many, ""); err == nil || !strings.Contains(err.Error(), "65 lines about consent, at most 64") {
		t.Errorf("too many: %v", err)
	}
	f, err := m.VoiceFile(a, "test")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, new, want string }{
		"a field more":    {`"who"`, `"sex": "f", "who"`, `unknown field "sex"`},
		"a field less":    {`"who": "Ada Example",`, "", "want who speaks"},
		"control":         {"Ada", `Ada\u001b[2J`, "without control characters"},
		"two lines":       {"Ada", `Ada\n`, "without control characters"},
		"long":            {"Ada", strings.Repeat("Ada", 80), "at most 200"},
		"no date":         {"2026-11-30", "soon", "want who speaks"},
		"a date in who":   {"Ada Example", "Ada, 2025, Example", `want who speaks in "who"`},
		"space around":    {"CC BY 4.0", " CC BY 4.0", `want who speaks in "who"`},
		"another type":    {`"2026-11-30"`, "20261130", "cannot unmarshal"},
		"a line for list": {b.String()[strings.Index(b.String(), "[\n") : strings.Index(b.String(), "],")+1], `"Ada, 2026, CC0"`, "cannot unmarshal"},
	} {
		text := strings.Replace(b.String(), c.old, c.new, 1)
		if text == b.String() {
			t.Fatalf("%s: nothing to replace in %s", name, text)
		}
		if _, err := ReadVoice(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
}
