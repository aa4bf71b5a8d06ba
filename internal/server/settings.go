package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/starvc/vc"
	"github.com/starvc/vc/internal/livesound"
)

// settings are how a voice is put on.
type settings struct {
	Pitch    float64 `json:"pitch" doc:"Semitones, -36 to 36"`
	Formant  float64 `json:"formant" doc:"Semitones, -12 to 12"`
	Strength float64 `json:"strength" doc:"How strongly the voice is put on, 0.1 to 2"`
	Melody   string  `json:"melody" doc:"fit, or keep for singing"`
}

func usualSettings() settings { return settings{Strength: 1, Melody: string(vc.Fit)} }

// streamOptions are those of a stream with sound at one rate in and out, in Hz.
func (s settings) streamOptions(m *vc.Model, l livesound.Latency, rate int) vc.StreamOptions {
	o := l.Options(m, rate)
	o.PitchSemitones, o.FormantSemitones, o.Strength, o.Melody = s.Pitch, s.Formant, s.Strength, vc.Melody(s.Melody)
	return o
}

func (s settings) options() vc.Options {
	return vc.Options{Threads: 1, PitchSemitones: s.Pitch, FormantSemitones: s.Formant, Strength: s.Strength, Melody: vc.Melody(s.Melody)}
}

// Change are settings of which some are named. The others stay.
type Change struct {
	Pitch    *float64 `json:"pitch,omitempty" doc:"Semitones, -36 to 36"`
	Formant  *float64 `json:"formant,omitempty" doc:"Semitones, -12 to 12"`
	Strength *float64 `json:"strength,omitempty" doc:"How strongly the voice is put on, 0.1 to 2"`
	Melody   *string  `json:"melody,omitempty" doc:"fit, or keep for singing"`
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// with are the settings as c changes them.
func (s settings) with(c Change, loc ...string) (settings, *problem) {
	set(&s.Pitch, c.Pitch)
	set(&s.Formant, c.Formant)
	set(&s.Strength, c.Strength)
	set(&s.Melody, c.Melody)
	if s.Strength == 0 {
		s.Strength = 1
	}
	if s.Melody == "" {
		s.Melody = string(vc.Fit)
	}
	if err := s.options().Validate(); err != nil {
		return s, invalid(err.Error(), loc...)
	}
	return s, nil
}

// wish is a voice with settings, as a client asks for it: by its id, or as a mixture.
type wish struct {
	Voice string `json:"voice,omitempty" doc:"Id of a voice"`
	Mix   []part `json:"mix,omitempty" doc:"Voices to be mixed, in place of voice"`
	Change
}

// wished is the voice that is asked for, with its settings.
func (l *library) wished(w wish) (*voice, settings, *problem) {
	set, p := usualSettings().with(w.Change, "body", "settings")
	if p != nil {
		return nil, set, p
	}
	v, p := l.choose(w.Voice, w.Mix)
	return v, set, p
}

func (l *library) choose(id string, mix []part) (*voice, *problem) {
	switch {
	case id != "" && len(mix) > 0:
		return nil, invalid("voice and mix exclude each other", "body", "voice")
	case len(mix) > 0:
		return l.mix(mix)
	case id == "":
		return nil, invalid("is missing: the id of a voice, or a mix", "body", "voice")
	}
	return l.find(id)
}

// decodeStrictly reads JSON that came inside of something else.
func decodeStrictly(text string, into any, where string) *problem {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return invalid(fmt.Sprintf("is not the JSON that is wanted: %s", strings.TrimPrefix(err.Error(), "json: ")), "body", where)
	}
	if d.More() {
		return invalid("holds more than one JSON value", "body", where)
	}
	return nil
}

// elevenSettings are voice_settings of ElevenLabs, and ours beside them. What is not known is passed over, as there.
type elevenSettings struct {
	Change
	Style *float64 `json:"style"`
}

func readElevenSettings(text string) (settings, *problem) {
	if strings.TrimSpace(text) == "" {
		return usualSettings(), nil
	}
	var e elevenSettings
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		return settings{}, invalid("is not the JSON that is wanted: "+strings.TrimPrefix(err.Error(), "json: "), "body", "voice_settings")
	}
	if e.Style != nil && e.Strength == nil {
		if !(*e.Style >= 0 && *e.Style <= 1) {
			return settings{}, invalid(fmt.Sprintf("style is %g, want 0 to 1", *e.Style), "body", "voice_settings")
		}
		strength := 1 + *e.Style
		e.Strength = &strength
	}
	return usualSettings().with(e.Change, "body", "voice_settings")
}

// wrongState is the answer where something cannot be had or done as it stands.
func wrongState(format string, a ...any) *problem {
	return fail(http.StatusConflict, "wrong_state", format, a...)
}
