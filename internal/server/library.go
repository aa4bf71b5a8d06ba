package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/internal/atomicfile"
)

// What a voice is.
const (
	kindModel   = "model"   // of the server's model
	kindSaved   = "saved"   // in a file
	kindTrained = "trained" // of a model that was trained here
	kindUnsaved = "unsaved" // gone when the server stops
)

// voice is one that can be converted to.
type voice struct {
	id, name, about, kind string
	pitchHz               float64
	created               time.Time
	model                 func() (*vc.Model, error)
	space                 string // style space of the model
	voice                 vc.Voice
	find                  func(m *vc.Model) (vc.Voice, error) // in place of voice, but for its consents, where the model is read when it is needed
}

// use is the voice with its model, which is read now if it was not yet.
func (v *voice) use() (*vc.Model, vc.Voice, error) {
	m, err := v.model()
	if err != nil {
		return nil, vc.Voice{}, err
	}
	if v.find != nil {
		found, err := v.find(m)
		return m, found, err
	}
	return m, v.voice, nil
}

// library holds all voices.
type library struct {
	s     *Server
	space string // of the server's model
	mu    sync.Mutex
	// In order: those of the model, then as they came.
	voices  []*voice
	samples sampling
}

const (
	voicesDir    = "voices"
	maxNameRunes = 60
	maxUnsaved   = 100
)

// about is what the data folder keeps of a saved voice beside its file.
type aboutVoice struct {
	Name    string    `json:"name"`
	About   string    `json:"about"`
	Created time.Time `json:"created"`
}

// openLibrary lists the voices of the model and those in the data folder.
func openLibrary(s *Server) (*library, error) {
	l := &library{s: s, samples: sampling{turn: make(chan struct{}, 1)}}
	l.samples.turn <- struct{}{}
	m := s.c.Model
	own := func() (*vc.Model, error) { return m, nil }
	l.space = m.StyleSpace()
	for i, info := range m.Voices() {
		v := m.SpeakerVoice(i)
		l.voices = append(l.voices, &voice{id: info.Name, name: info.Name, about: info.About, kind: kindModel,
			pitchHz: math.Exp(v.LogF0.Mean), model: own, space: l.space, voice: v})
	}
	if err := s.root.MkdirAll(voicesDir, 0o700); err != nil {
		return nil, fmt.Errorf("folder of voices: %w", err)
	}
	names, err := fs.Glob(s.root.FS(), voicesDir+"/*.voice")
	if err != nil {
		return nil, fmt.Errorf("folder of voices: %w", err)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := l.openSaved(strings.TrimSuffix(path.Base(name), ".voice")); err != nil {
			s.log.Warn("a saved voice is left out", "file", name, "why", err)
		}
	}
	slices.SortStableFunc(l.voices, func(a, b *voice) int { return a.created.Compare(b.created) }) // the model's have no time
	return l, nil
}

func (l *library) openSaved(id string) error {
	text, err := l.s.root.ReadFile(voicesDir + "/" + id + ".voice")
	if err != nil {
		return err
	}
	file, err := vc.ReadVoice(bytes.NewReader(text))
	if err != nil {
		return err
	}
	about := aboutVoice{Name: id, About: file.Origin}
	if text, err := l.s.root.ReadFile(voicesDir + "/" + id + ".json"); err == nil {
		if err := json.Unmarshal(text, &about); err != nil {
			return err
		}
	}
	v, err := l.fromFile(file)
	if err != nil {
		return err
	}
	v.id, v.kind, v.created = id, kindSaved, about.Created
	v.name, v.about = oneLine(about.Name, maxNameRunes), oneLine(about.About, 4*maxNameRunes)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.voices = append(l.voices, v)
	return nil
}

// fromFile is the voice of a file, with the model that it was made with.
func (l *library) fromFile(file vc.VoiceFile) (*voice, error) {
	if own, err := file.Voice(l.s.c.Model); err == nil {
		return &voice{pitchHz: math.Exp(own.LogF0.Mean), voice: own, space: file.Space, model: func() (*vc.Model, error) { return l.s.c.Model, nil }}, nil
	} else if !errors.Is(err, vc.ErrOtherModel) {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, v := range l.voices {
		if v.space == file.Space {
			return &voice{pitchHz: math.Exp(file.LogF0Mean), space: file.Space, model: v.model, find: file.Voice,
				voice: vc.Voice{Consent: file.Consent}}, nil
		}
	}
	return nil, vc.ErrOtherModel
}

// all lists the voices.
func (l *library) all() []*voice {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.voices)
}

// find is the voice of that id. Names will do where no id does: clients of other servers let people type them.
func (l *library) find(id string) (*voice, *problem) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, same := range []func(v *voice) bool{
		func(v *voice) bool { return v.id == id },
		func(v *voice) bool { return strings.EqualFold(v.name, id) },
	} {
		if i := slices.IndexFunc(l.voices, same); i >= 0 {
			return l.voices[i], nil
		}
	}
	return nil, fail(http.StatusNotFound, "voice_not_found", "there is no voice %q: GET /v1/voices lists them", oneLine(id, maxNameRunes))
}

// part is a voice with its share in a mixture.
type part struct {
	Voice  string  `json:"voice" doc:"Id of a voice"`
	Weight float64 `json:"weight" minimum:"0" maximum:"1000" doc:"Its share; shares need not sum to 1"`
}

const maxParts = 8

// mix is a voice between others, not kept.
func (l *library) mix(parts []part) (*voice, *problem) {
	if len(parts) == 0 || len(parts) > maxParts {
		return nil, invalid(fmt.Sprintf("%d voices, want 1 to %d", len(parts), maxParts), "body", "mix")
	}
	var voices []vc.Voice
	var weights []float64
	var words []string
	var of *voice
	for _, p := range parts {
		v, fault := l.find(p.Voice)
		if fault != nil {
			return nil, fault
		}
		if of != nil && of.space != v.space {
			return nil, fail(http.StatusBadRequest, "invalid_voice", "%s and %s are of different models, and only voices of one model can be mixed", of.name, v.name)
		}
		of = v
		_, found, err := v.use()
		if err != nil {
			return nil, asProblem(err)
		}
		voices, weights = append(voices, found), append(weights, p.Weight)
		words = append(words, fmt.Sprintf("%s %g", v.name, p.Weight))
	}
	mixed, err := vc.Mix(voices, weights)
	if err != nil {
		return nil, invalid(err.Error(), "body", "mix")
	}
	about := "mixed of " + strings.Join(words, ", ")
	return &voice{name: "mix", about: oneLine(about, 4*maxNameRunes), kind: kindUnsaved, pitchHz: math.Exp(mixed.LogF0.Mean), created: time.Now(),
		model: of.model, space: of.space, voice: mixed}, nil
}

// oneLine makes text of a client fit to be shown: one line, no more than so many characters.
func oneLine(text string, runes int) string {
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "?"), func(r rune) bool {
		return r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == ' ' || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
	}), " ")
	if r := []rune(text); len(r) > runes {
		text = strings.TrimSpace(string(r[:runes-1])) + "…"
	}
	return text
}

// newID makes one that nobody guesses, and that is fit for a file name and an address.
func newID(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= 24 {
			break
		}
	}
	id := strings.Trim(b.String(), "-")
	random := strings.ToLower(rand.Text()[:10])
	if id == "" {
		return random
	}
	return id + "-" + random
}

// add takes in a voice under a new id, for this session.
func (l *library) add(v *voice, name string) *voice {
	if name = oneLine(name, maxNameRunes); name != "" {
		v.name = name
	}
	v.id, v.kind, v.created = newID(v.name), kindUnsaved, time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	unsaved := 0
	for i := len(l.voices) - 1; i >= 0; i-- {
		if l.voices[i].kind != kindUnsaved {
			continue
		}
		if unsaved++; unsaved >= maxUnsaved {
			l.voices = slices.Delete(l.voices, i, i+1) // the oldest
		}
	}
	l.voices = append(l.voices, v)
	return v
}

// keep writes a voice of this session to the data folder.
func (l *library) keep(id, name string) (*voice, error) {
	v, p := l.find(id)
	if p != nil {
		return nil, p
	}
	if v.kind == kindSaved || v.kind == kindTrained {
		return nil, fail(http.StatusConflict, "wrong_state", "%s is kept already", v.name)
	}
	l.mu.Lock()
	kept := 0
	for _, o := range l.voices {
		if o.kind == kindSaved {
			kept++
		}
	}
	l.mu.Unlock()
	if kept >= l.s.c.Limits.Voices {
		return nil, fail(http.StatusConflict, "wrong_state", "%d voices are kept, which is the most: delete some", kept)
	}
	saved := *v
	if name = oneLine(name, maxNameRunes); name != "" {
		saved.name = name
	}
	saved.id, saved.kind, saved.created = newID(saved.name), kindSaved, time.Now().UTC().Truncate(time.Second)
	if err := l.write(&saved); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.voices, v); i >= 0 && v.kind == kindUnsaved {
		l.voices[i] = &saved
	} else {
		l.voices = append(l.voices, &saved)
	}
	return &saved, nil
}

func (l *library) write(v *voice) error {
	text, err := v.file()
	if err != nil {
		return err
	}
	if err := l.writeFile(v.id+".voice", text); err != nil {
		return err
	}
	return l.writeAbout(v)
}

func (l *library) writeAbout(v *voice) error {
	text, err := json.Marshal(aboutVoice{v.name, v.about, v.created})
	if err != nil {
		return err
	}
	return l.writeFile(v.id+".json", text)
}

// writeFile writes one of the folder of voices.
func (l *library) writeFile(name string, text []byte) error {
	if err := atomicfile.WriteIn(l.s.root, voicesDir+"/"+name, text, 0o600); err != nil {
		return fmt.Errorf("voice: %w", err)
	}
	return nil
}

// file is the voice as vc style writes it.
func (v *voice) file() ([]byte, error) {
	m, found, err := v.use()
	if err != nil {
		return nil, err
	}
	origin := v.name
	if v.about != "" {
		origin += ": " + v.about
	}
	file, err := m.VoiceFile(found, origin)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = file.Write(&b)
	return b.Bytes(), err
}

// rename changes what a voice is called. nil leaves something as it is.
func (l *library) rename(id string, name, about *string) (*voice, error) {
	v, p := l.find(id)
	if p != nil {
		return nil, p
	}
	if v.kind == kindModel {
		return nil, fail(http.StatusConflict, "wrong_state", "%s belongs to the model and keeps its name: keep a copy under another one", v.name)
	}
	changed := *v
	if name != nil {
		if changed.name = oneLine(*name, maxNameRunes); changed.name == "" {
			return nil, invalid("is empty", "body", "name")
		}
	}
	if about != nil {
		changed.about = oneLine(*about, 4*maxNameRunes)
	}
	switch v.kind {
	case kindSaved:
		if err := l.writeAbout(&changed); err != nil {
			return nil, err
		}
	case kindTrained:
		if err := l.s.trainings.renameVoice(v.id, changed.name, changed.about); err != nil {
			return nil, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.voices, v); i >= 0 {
		l.voices[i] = &changed
	}
	return &changed, nil
}

// remove takes out a voice, with its files.
func (l *library) remove(id string) error {
	v, p := l.find(id)
	if p != nil {
		return p
	}
	switch v.kind {
	case kindModel:
		return fail(http.StatusConflict, "wrong_state", "%s belongs to the model and cannot be deleted", v.name)
	case kindTrained:
		return l.s.trainings.remove(v.id)
	case kindSaved:
		for _, ending := range []string{".voice", ".json"} {
			if err := l.s.root.Remove(voicesDir + "/" + v.id + ending); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("voice: %w", err)
			}
		}
	}
	l.drop(v.id)
	return nil
}

// drop takes a voice off the list.
func (l *library) drop(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.voices = slices.DeleteFunc(l.voices, func(v *voice) bool { return v.id == id && v.kind != kindModel })
}

// addTrained takes in the voice that a training has made.
func (l *library) addTrained(v *voice) {
	l.drop(v.id)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.voices = append(l.voices, v)
}

// sampling makes samples of voices, one at a time, and keeps them.
type sampling struct {
	turn   chan struct{} // has one while nobody is at work
	clip   audio.Clip
	err    error
	loaded bool
	made   map[string][]byte
	order  []string
}

const maxSamples = 200 // of about 150 KB

// sample is a sentence in a voice, as WAV.
func (l *library) sample(ctx context.Context, v *voice) ([]byte, error) {
	m, found, err := v.use()
	if err != nil {
		return nil, err
	}
	s := &l.samples
	key := v.id + v.created.String()
	select {
	case <-s.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { s.turn <- struct{}{} }()
	if wav := s.made[key]; wav != nil {
		return wav, nil
	}
	if !s.loaded {
		s.loaded = true
		if l.s.c.SampleClip == nil {
			s.err = fail(http.StatusNotFound, "not_found", "this server has no sentence to say as a sample")
		} else {
			s.clip, s.err = l.s.c.SampleClip()
		}
	}
	if s.err != nil {
		return nil, s.err
	}
	end, err := l.s.capacity.startConversion(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	r, err := m.Convert(ctx, s.clip, found, vc.Options{Threads: 1})
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	sound := audio.Sound{Rate: r.Clip.Rate, Channels: 1, Frames: int64(len(r.Clip.Samples)), Tags: audio.Tags(nil).Marked(v.name, l.s.c.Version)}
	e, err := audio.NewWAVEncoder(&b, sound)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(e.Write(r.Clip.Samples), e.Close()); err != nil {
		return nil, err
	}
	if s.made == nil {
		s.made = map[string][]byte{}
	}
	if len(s.order) >= maxSamples {
		delete(s.made, s.order[0])
		s.order = s.order[1:]
	}
	s.made[key], s.order = b.Bytes(), append(s.order, key)
	return b.Bytes(), nil
}
