package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
)

// card is a voice as the studio shows it.
type card struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	About     string    `json:"about"`
	Consent   []string  `json:"consent" doc:"Of those whose recordings it was made from, as far as it was said: who, when, licence"`
	Kind      string    `json:"kind" enum:"model,saved,trained,unsaved"`
	PitchHz   float64   `json:"pitch_hz"`
	Model     string    `json:"model"`
	SampleURL string    `json:"sample_url"`
	FileURL   string    `json:"file_url"`
	Created   time.Time `json:"created"`
}

func (s *Server) card(v *voice) card {
	at := "/studio/api/voices/" + escape(v.id)
	model := s.c.ModelName
	if v.space != s.voices.space {
		model = "trained here"
	}
	consent := []string{}
	for _, c := range v.voice.Consent {
		consent = append(consent, c.String())
	}
	return card{ID: v.id, Name: v.name, About: v.about, Consent: consent, Kind: v.kind, PitchHz: math.Round(10*v.pitchHz) / 10, Model: model,
		SampleURL: at + "/sample", FileURL: at + "/file", Created: v.created}
}

type cardList struct {
	Voices []card `json:"voices"`
}

// NewVoice is what is asked of every voice that is made.
type NewVoice struct {
	Name string `json:"name,omitempty" doc:"What it is to be called; made up where it is empty"`
	Keep bool   `json:"keep,omitempty" doc:"Write it to the data folder; else it is gone when the server stops"`
}

type heardVoice struct {
	Voice   card     `json:"voice"`
	Seconds float64  `json:"speech_seconds"`
	Remarks []string `json:"remarks"`
}

type likeForm struct {
	File huma.FormFile `form:"file" contentType:"audio/*,video/*" required:"true" doc:"A recording of somebody"`
	Name string        `form:"name"`
	Keep string        `form:"keep" enum:"true,false"`
	As   string        `form:"as" doc:"Id of one of the model's voices, as a nuance of which the recording is heard"`

	Consent string `form:"consent" doc:"Of the person: who, when, licence, such as Ada Example, 2026-11-30, CC BY 4.0. It is kept with the voice"`
}

type voiceForm struct {
	File huma.FormFile `form:"file" required:"true" doc:"A .voice file"`
	Name string        `form:"name"`
}

// IDInput is what a route of one voice, job or training takes.
type IDInput struct {
	Raw
	ID string `path:"id"`
}

type random struct {
	NewVoice
	Of   string  `json:"of,omitempty" doc:"Id of one of the model's voices; drawn too where it is empty"`
	Seed *uint64 `json:"seed,omitempty" doc:"The same seed gives the same voice; made up where it is missing" maximum:"9007199254740991"`
}

func (s *Server) operation(method, path, id, summary string) huma.Operation {
	op := huma.Operation{OperationID: id, Method: method, Path: "/studio/api" + path, Summary: summary, Tags: []string{"studio"}}
	if method == "POST" || method == "PATCH" {
		op.BodyReadTimeout = s.c.Limits.SlowBody
	}
	return op
}

func status(op huma.Operation, code int) huma.Operation {
	op.DefaultStatus = code
	return op
}

// voiceRoutes are those of the studio's cards.
func (s *Server) voiceRoutes() {
	huma.Register(s.api, s.operation("GET", "/voices", "list-cards", "List voices"), func(context.Context, *struct{}) (*body[cardList], error) {
		list := cardList{Voices: []card{}}
		for _, v := range s.voices.all() {
			list.Voices = append(list.Voices, s.card(v))
		}
		return &body[cardList]{list}, nil
	})
	huma.Register(s.api, s.operation("GET", "/voices/{id}", "get-card", "Describe a voice"), func(_ context.Context, in *IDInput) (*body[card], error) {
		v, p := s.voices.find(in.ID)
		if p != nil {
			return nil, p
		}
		return &body[card]{s.card(v)}, nil
	})
	huma.Register(s.api, sounds(s.operation("GET", "/voices/{id}/sample", "sample-card", "A sentence in a voice"), "audio/wav"),
		func(ctx context.Context, in *IDInput) (*huma.StreamResponse, error) {
			return s.serveSample(ctx, &VoiceInput{Raw: in.Raw, VoiceID: in.ID})
		})
	huma.Register(s.api, sounds(s.operation("GET", "/voices/{id}/file", "download-voice", "Download a voice"), "application/octet-stream"), s.sendVoice)
	huma.Register(s.api, status(s.operation("POST", "/voices/mix", "mix-voices", "Make a voice between others"), http.StatusCreated),
		func(_ context.Context, in *struct {
			Body struct {
				NewVoice
				Parts []part `json:"parts" minItems:"1" maxItems:"8"`
			}
		}) (*body[card], error) {
			v, p := s.voices.mix(in.Body.Parts)
			if p != nil {
				return nil, p
			}
			return s.newCard(v, in.Body.NewVoice)
		})
	huma.Register(s.api, status(s.operation("POST", "/voices/random", "draw-voice", "Draw a voice"), http.StatusCreated),
		func(_ context.Context, in *struct{ Body random }) (*body[card], error) {
			v, err := s.draw(in.Body)
			if err != nil {
				return nil, s.told(err)
			}
			return s.newCard(v, in.Body.NewVoice)
		})
	huma.Register(s.api, status(s.operation("POST", "/voices/adjusted", "adjust-voice", "Take settings into a voice"), http.StatusCreated),
		func(_ context.Context, in *struct {
			Body struct {
				NewVoice
				Voice    string `json:"voice"`
				Settings Change `json:"settings"`
			}
		}) (*body[card], error) {
			v, err := s.adjust(in.Body.Voice, in.Body.Settings)
			if err != nil {
				return nil, s.told(err)
			}
			return s.newCard(v, in.Body.NewVoice)
		})
	registerForm(s.api, status(s.operation("POST", "/voices/like", "voice-like", "Make a voice like that of a recording"), http.StatusCreated), likeForm{},
		s.like)
	registerForm(s.api, status(s.operation("POST", "/voices/upload", "upload-voice", "Take in a .voice file"), http.StatusCreated), voiceForm{},
		s.uploadVoice)
	huma.Register(s.api, s.operation("POST", "/voices/{id}/keep", "keep-voice", "Keep a voice"), func(_ context.Context, in *struct {
		IDInput
		Body *struct { // may be left out
			Name string `json:"name,omitempty"`
		}
	}) (*body[card], error) {
		name := ""
		if in.Body != nil {
			name = in.Body.Name
		}
		v, err := s.voices.keep(in.ID, name)
		if err != nil {
			return nil, s.told(err)
		}
		return &body[card]{s.card(v)}, nil
	})
	huma.Register(s.api, s.operation("PATCH", "/voices/{id}", "rename-voice", "Rename a voice"), func(_ context.Context, in *struct {
		IDInput
		Body renaming
	}) (*body[card], error) {
		v, err := s.voices.rename(in.ID, in.Body.Name, in.Body.About)
		if err != nil {
			return nil, s.told(err)
		}
		return &body[card]{s.card(v)}, nil
	})
	huma.Register(s.api, status(s.operation("DELETE", "/voices/{id}", "delete-voice", "Delete a voice"), http.StatusNoContent),
		func(_ context.Context, in *IDInput) (*struct{}, error) {
			if err := s.voices.remove(in.ID); err != nil {
				return nil, s.told(err)
			}
			return nil, nil
		})
}

type renaming struct {
	Name  *string `json:"name,omitempty"`
	About *string `json:"about,omitempty"`
}

// newCard takes in a voice that was made.
func (s *Server) newCard(v *voice, n NewVoice) (*body[card], error) {
	v = s.voices.add(v, n.Name)
	if n.Keep {
		kept, err := s.voices.keep(v.id, "")
		if err != nil {
			return nil, s.told(err)
		}
		v = kept
	}
	return &body[card]{s.card(v)}, nil
}

// draw makes a random voice, of one of the models' own voices.
func (s *Server) draw(r random) (*voice, error) {
	m, space, name := s.c.Model, s.voices.space, ""
	model := func() (*vc.Model, error) { return s.c.Model, nil }
	if r.Of != "" {
		of, p := s.voices.find(r.Of)
		if p != nil {
			return nil, p
		}
		var err error
		if m, _, err = of.use(); err != nil {
			return nil, err
		}
		if _, err := m.Voice(of.name); err != nil || of.kind != kindModel && of.kind != kindTrained {
			return nil, invalid(fmt.Sprintf("%q is not one of the model's own voices, and only those have others like them to draw from", of.name), "body", "of")
		}
		space, name, model = of.space, of.name, of.model
	}
	seed := rand.Uint64N(1 << 32)
	set(&seed, r.Seed)
	drawn, of, err := m.RandomVoice(name, seed)
	if err != nil {
		return nil, err
	}
	return &voice{name: fmt.Sprintf("%s %d", of, seed), about: fmt.Sprintf("drawn at random around %s, seed %d", of, seed),
		pitchHz: math.Exp(drawn.LogF0.Mean), model: model, space: space, voice: drawn}, nil
}

// adjust takes pitch, formants and strength into a voice.
func (s *Server) adjust(id string, c Change) (*voice, error) {
	v, p := s.voices.find(id)
	if p != nil {
		return nil, p
	}
	set, p := usualSettings().with(c, "body", "settings")
	if p != nil {
		return nil, p
	}
	m, found, err := v.use()
	if err != nil {
		return nil, err
	}
	found.LogF0.Mean += set.Pitch * math.Ln2 / 12
	found.Formant += set.Formant
	found = m.Strengthen(found, set.Strength)
	if _, err := m.VoiceFile(found, ""); err != nil {
		return nil, invalid(err.Error(), "body", "settings")
	}
	return &voice{name: v.name + " adjusted", about: fmt.Sprintf("%s with pitch %+g, formants %+g, strength %g", v.name, set.Pitch, set.Formant, set.Strength),
		pitchHz: math.Exp(found.LogF0.Mean), model: v.model, space: v.space, voice: found}, nil
}

// longestReference is all that is listened to of a recording that a voice is to be like.
const (
	longestReference = 2 * time.Minute
	goodReference    = 5 * time.Second
)

func (s *Server) like(ctx context.Context, in *struct{ Raw }) (*body[heardVoice], error) {
	f, err := s.readForm(in.r, "file")
	if err != nil {
		return nil, s.told(err)
	}
	defer f.close()
	out, err := s.hear(ctx, f)
	if err != nil {
		return nil, s.told(err)
	}
	return out, nil
}

func (s *Server) hear(ctx context.Context, f *form) (*body[heardVoice], error) {
	u, err := f.file("file")
	if err != nil {
		return nil, err
	}
	m, space, as := s.c.Model, s.voices.space, ""
	model := func() (*vc.Model, error) { return s.c.Model, nil }
	if id := f.values["as"]; id != "" {
		of, p := s.voices.find(id)
		if p != nil {
			return nil, p
		}
		if m, _, err = of.use(); err != nil {
			return nil, err
		}
		space, as, model = of.space, of.name, of.model
		if _, err := m.Voice(as); err != nil {
			return nil, invalid(fmt.Sprintf("%q is not one of the model's own voices", as), "body", "as")
		}
	}
	keep := false
	if text := f.values["keep"]; text != "" {
		if keep, err = strconv.ParseBool(text); err != nil {
			return nil, invalid("want true or false", "body", "keep")
		}
	}
	var consents []vc.Consent
	if line := strings.TrimSpace(f.values["consent"]); line != "" {
		c, err := vc.ParseConsent(line)
		if err != nil {
			return nil, invalid(err.Error(), "body", "consent")
		}
		consents = []vc.Consent{c}
	}
	end, err := s.capacity.startConversion(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	in, err := readSound(ctx, u, m.Features().SampleRate, longestReference)
	if err != nil {
		return nil, err
	}
	found, speech, err := m.LikeVoice(audio.Clip{Samples: in.samples, Rate: in.rate}, as)
	if err != nil {
		return nil, fail(http.StatusBadRequest, "too_little_speech", "%v", err)
	}
	found.Consent = consents
	remarks := append([]string{}, in.warnings...)
	if speech < goodReference {
		remarks = append(remarks, fmt.Sprintf("there are %.1f s of speech in it: 5 to 10 s make it more like the person", speech.Seconds()))
	}
	name := strings.TrimSuffix(u.name, extension(u.name))
	if name == "" {
		name = "recording"
	}
	v := &voice{name: "like " + name, about: "like the recording " + u.name, pitchHz: math.Exp(found.LogF0.Mean), model: model, space: space, voice: found}
	made, err := s.newCard(v, NewVoice{f.values["name"], keep})
	if err != nil {
		return nil, err
	}
	return &body[heardVoice]{heardVoice{Voice: made.Body, Seconds: math.Round(10*speech.Seconds()) / 10, Remarks: remarks}}, nil
}

// extension is that of a name, with its dot.
func extension(name string) string {
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		return name[i:]
	}
	return ""
}

func (s *Server) uploadVoice(_ context.Context, in *struct{ Raw }) (*body[card], error) {
	f, err := s.readForm(in.r, "file")
	if err != nil {
		return nil, s.told(err)
	}
	defer f.close()
	u, err := f.file("file")
	if err != nil {
		return nil, err
	}
	opened, err := os.Open(u.path)
	if err != nil {
		return nil, s.told(err)
	}
	defer opened.Close()
	file, err := vc.ReadVoice(opened)
	if err != nil {
		return nil, fail(http.StatusBadRequest, "invalid_voice", "%s: %v", u.name, err)
	}
	v, err := s.voices.fromFile(file)
	switch {
	case errors.Is(err, vc.ErrOtherModel):
		return nil, fail(http.StatusBadRequest, "invalid_voice", "%s was saved with another model, and its numbers mean nothing to this one", u.name)
	case err != nil:
		return nil, fail(http.StatusBadRequest, "invalid_voice", "%s: %v", u.name, err)
	}
	v.name, v.about = strings.TrimSuffix(u.name, ".voice"), oneLine(file.Origin, 4*maxNameRunes)
	if v.name == "" {
		v.name = "uploaded"
	}
	return s.newCard(v, NewVoice{f.values["name"], true})
}

// sendVoice sends a .voice file, or the model of a trained voice.
func (s *Server) sendVoice(_ context.Context, in *struct {
	IDInput
	Model bool `query:"model" doc:"Of a trained voice: the model in place of the voice"`
}) (*huma.StreamResponse, error) {
	v, p := s.voices.find(in.ID)
	if p != nil {
		return nil, p
	}
	if in.Model {
		if v.kind != kindTrained {
			return nil, wrongState("%s is of the model that everybody has", v.name)
		}
		file, err := s.trainings.openModel(v.id)
		if err != nil {
			return nil, s.told(err)
		}
		return &huma.StreamResponse{Body: func(huma.Context) {
			defer file.Close()
			attach(in.w, v.name+".safetensors", "application/octet-stream")
			http.ServeContent(in.w, in.r, "", time.Time{}, file)
		}}, nil
	}
	text, err := v.file()
	if err != nil {
		return nil, s.told(err)
	}
	return &huma.StreamResponse{Body: func(huma.Context) {
		attach(in.w, v.name+".voice", "application/octet-stream")
		http.ServeContent(in.w, in.r, "", time.Time{}, bytes.NewReader(text))
	}}, nil
}

// attach makes an answer a download under a name.
func attach(w http.ResponseWriter, name, kind string) {
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) || r < ' ' {
			return '-'
		}
		return r
	}, name)
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
}
