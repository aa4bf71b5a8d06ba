package train

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/starvc/vc"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/base"
	"github.com/starvc/vc/internal/run"
)

// phoneVoicesName is a copy, in the run folder, of the model that says the recordings in other voices: going on needs the very
// same frames.
const phoneVoicesName = "voices.safetensors"

// openVoices reads the model that says the recordings in other voices, nil without one.
func (p *pupil) openVoices() (*gan.Model, error) {
	path := p.req.Voices
	if path == "" {
		return nil, nil
	}
	if p.r.Resume {
		path = p.r.Path(phoneVoicesName)
	}
	m, err := base.OpenVoices(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.r.Names.Of("voices"), err)
	}
	if own := p.req.Config.Features; !features.SameSpeech(m.Features, own) {
		return nil, fmt.Errorf("%s: the model was trained on features %+v, this run has %+v: name a model with the run's, such as base, or leave %[1]s out",
			p.r.Names.Of("voices"), m.Features, own)
	}
	return m, nil
}

// otherVoice is an utterance to be said by a voice of the model.
type otherVoice struct {
	utterance int // index into phoneSpeech.train
	speaker   int // of the model
	strength  float64
}

// drawVoices draws VoicesPer voices for every utterance to train on: all different, none its own speaker's, and none of a
// speaker who is held out, for the score would flatter a network that has heard an imitation of him. What is drawn depends on
// the seed and the utterances alone.
func drawVoices(c Config, s *phoneSpeech, m *gan.Model, names run.Names) ([]otherVoice, error) {
	held := map[string]bool{}
	for _, p := range s.speakers {
		held[p.Name] = p.HeldOut
	}
	r := rand.New(rand.NewPCG(c.Seed, 0x766f69636573))
	var all []otherVoice
	for i, u := range s.train {
		own := s.speakers[u.speaker].Name
		var free []int
		for k, v := range m.Speakers {
			if v.Name != own && !held[v.Name] {
				free = append(free, k)
			}
		}
		if len(free) < c.VoicesPer {
			return nil, fmt.Errorf("the model has %d voices for the recordings of %s, without %s itself and those held out, but voicesPer is %d: lower it (%s) or name a model of more voices",
				len(free), own, own, c.VoicesPer, names.Setting("voicesPer", 1))
		}
		r.Shuffle(len(free), func(a, b int) { free[a], free[b] = free[b], free[a] })
		for _, k := range free[:c.VoicesPer] {
			all = append(all, otherVoice{i, k, c.MinStrength + r.Float64()*(c.MaxStrength-c.MinStrength)})
		}
	}
	return all, nil
}

// convertSpeech adds what the other voices make of the utterances to train on, on all cores. A conversion keeps the frames,
// so the labels stay.
func (p *pupil) convertSpeech(ctx context.Context) error {
	c, s, m := p.req.Config, p.speech, p.voices
	if m == nil {
		return nil
	}
	draws, err := drawVoices(c, s, m, p.r.Names)
	if err != nil {
		return fmt.Errorf("%s: %w", p.r.Names.Of("voices"), err)
	}
	model := vc.New(m)
	s.converted = make([]labelled, len(draws))
	err = run.OnAllCoresTold(ctx, len(draws), "converting", p.r.Say, func(ctx context.Context, i int) error {
		d, u := draws[i], s.train[draws[i].utterance]
		voice := model.Strengthen(model.SpeakerVoice(d.speaker), d.strength)
		made, err := model.ConvertFrames(ctx, u.frames.InConfig(c.Features, m.Features), voice, vc.Options{})
		if err != nil {
			return fmt.Errorf("%s as %s: %w", u.path, m.Speakers[d.speaker].Name, err)
		}
		u.frames = made.InConfig(m.Features, c.Features)
		u.sound = nil // it is the clean voice's
		s.converted[i] = u
		return nil
	})
	if err != nil {
		return fmt.Errorf("converting the recordings: %w", err)
	}
	p.r.Say.Linef("and on %.1f minutes that are the same recordings in other voices, %d each, of %d voices", p.minutes(s.converted), c.VoicesPer, drawn(draws))
	return nil
}

// drawn counts the different voices.
func drawn(draws []otherVoice) int {
	var speakers []int
	for _, d := range draws {
		speakers = append(speakers, d.speaker)
	}
	slices.Sort(speakers)
	return len(slices.Compact(speakers))
}
