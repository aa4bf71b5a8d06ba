package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/base"
	"github.com/starvc/vc/internal/run"
	"github.com/starvc/vc/internal/run/runtest"
	"github.com/starvc/vc/internal/untrained"
)

// renamed is a random model of voices with these names.
func renamed(t *testing.T, g gan.Config, names ...string) *gan.Model {
	t.Helper()
	m := untrained.Model(g, len(names), 3)
	for i, name := range names {
		m.Speakers[i].Name = name
	}
	return m
}

// convertedCharts is speech of ann, bob and eve, who is held out, as the voices of m say it.
func convertedCharts(t *testing.T, c Config, m *gan.Model) *phoneSpeech {
	t.Helper()
	s := &phoneSpeech{speakers: []phoneSpeaker{{Name: "ann"}, {Name: "bob"}, {Name: "eve", HeldOut: true}}}
	for i := range 4 {
		u := chart(c, 40+i, 5, uint64(i))
		u.path, u.speaker = fmt.Sprintf("u%d.wav", i), i/2
		s.train = append(s.train, u)
	}
	s.score = []labelled{chart(c, 50, 5, 9)}
	p := &pupil{req: request{Config: c}, r: &run.Run{Say: run.NewReporter(nil, false)}, voices: m, speech: s}
	if err := p.convertSpeech(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConvertSpeech(t *testing.T) {
	t.Parallel()
	c := smallPhones(t)
	c.VoicesPer = 2
	m := renamed(t, c.GAN, "bob", "eve", "kim", "lee", "ann")
	s := convertedCharts(t, c, m)
	if len(s.train) != 4 || len(s.score) != 1 || len(s.converted) != 4*2 || len(s.learnt()) != 4*3 {
		t.Fatalf("%d utterances, %d scored, %d converted, %d learnt", len(s.train), len(s.score), len(s.converted), len(s.learnt()))
	}
	for i, u := range s.converted {
		from := s.train[i/2]
		if u.frames.Len() != from.frames.Len() || u.path != from.path || u.speaker != from.speaker || !slices.Equal(u.phones, from.phones) || !slices.Equal(u.spoken, from.spoken) {
			t.Errorf("conversion %d: %d frames of %s, not the labels of %s", i, u.frames.Len(), u.path, from.path)
		}
		if slices.Equal(u.frames.LogMel, from.frames.LogMel) || slices.Equal(u.frames.LogMel, s.converted[i^1].frames.LogMel) {
			t.Errorf("conversion %d is like the recording or the other conversion", i)
		}
	}
	if again := convertedCharts(t, c, m); !reflect.DeepEqual(again.converted, s.converted) {
		t.Error("the same seed gives other conversions")
	}
	c.Seed++
	if other := convertedCharts(t, c, m); reflect.DeepEqual(other.converted, s.converted) {
		t.Error("another seed gives the same conversions")
	}
}

func TestDrawVoices(t *testing.T) {
	t.Parallel()
	c := smallPhones(t)
	c.VoicesPer = 3
	m := renamed(t, c.GAN, "bob", "eve", "kim", "lee", "ann", "may")
	s := &phoneSpeech{speakers: []phoneSpeaker{{Name: "ann"}, {Name: "eve", HeldOut: true}, {Name: "zoe"}}}
	for i := range 100 {
		s.train = append(s.train, labelled{speaker: i % 2 * 2})
	}
	draws, err := drawVoices(c, s, m, nil)
	if err != nil || len(draws) != 300 {
		t.Fatalf("%d draws, %v", len(draws), err)
	}
	times := map[string]int{}
	for i, d := range draws {
		to := m.Speakers[d.speaker].Name
		own := s.speakers[s.train[d.utterance].speaker].Name
		if d.utterance != i/3 || to == "eve" || to == own || d.strength < c.MinStrength || d.strength > c.MaxStrength {
			t.Errorf("draw %d: %s as %s, strength %g", d.utterance, own, to, d.strength)
		}
		for _, o := range draws[i/3*3 : i] {
			if o.speaker == d.speaker {
				t.Errorf("utterance %d as %s twice", d.utterance, to)
			}
		}
		times[to]++
	}
	if len(times) != 5 || times["kim"] < 40 {
		t.Errorf("voices drawn: %v", times)
	}
	c.VoicesPer = 5
	if _, err := drawVoices(c, s, m, runtest.Dashed); err == nil || !strings.Contains(err.Error(), "4 voices for the recordings of ann") || !strings.Contains(err.Error(), "--set voicesPer=1") {
		t.Errorf("too few voices: error %v", err)
	}
}

// A conversion by the voices in the program stands on the frames of its labels: its level rises and falls with theirs, and
// with no shift of them better.
func TestConvertedFramesStay(t *testing.T) {
	if !base.Has(base.Voices) {
		t.Skip("built without voices")
	}
	recordings, labels := hiddenSpeech(t)
	c, err := DefaultConfig("tiny")
	if err != nil {
		t.Fatal(err)
	}
	c.VoicesPer = 1
	p := &pupil{req: request{Common: run.Common{Speakers: recordings}, Config: c, Labels: labels, HoldOut: []string{"eve"}, Voices: base.Name}, r: &run.Run{Say: run.NewReporter(nil, true)}}
	if p.voices, err = p.openVoices(); err != nil {
		t.Fatal(err)
	}
	if p.speech, err = readPhoneSpeech(context.Background(), p.req, nil, nil, p.r.Say); err != nil {
		t.Fatal(err)
	}
	if err := p.convertSpeech(context.Background()); err != nil {
		t.Fatal(err)
	}
	best, least := 0, math.Inf(1)
	for shift := -4; shift <= 4; shift++ {
		sum := 0.0
		for i, u := range p.speech.converted {
			from := p.speech.train[i].frames
			for f := 4; f < from.Len()-4; f++ {
				for k, v := range u.frames.Mel(f + shift) {
					sum += math.Abs(float64(v - from.Mel(f)[k]))
				}
			}
		}
		if sum < least {
			best, least = shift, sum
		}
	}
	if best != 0 {
		t.Errorf("conversions lie %d frames off", best)
	}
}

// A run with --voices that was stopped and resumed is the run that was not, though the model is gone.
func TestPhonesOfVoicesResume(t *testing.T) {
	recordings, labels := hiddenSpeech(t)
	whole, part := phoneRun(t, recordings, labels), phoneRun(t, recordings, labels)
	without := phoneRun(t, recordings, labels)
	model := filepath.Join(t.TempDir(), "voices.safetensors")
	if err := renamed(t, gan.Tiny(), "eve", "kim", "lee").Save(model, gan.Full); err != nil {
		t.Fatal(err)
	}
	for _, o := range []*Options{&whole, &part} {
		o.Voices, o.Set = model, append(o.Set, "voicesPer=2")
	}
	for _, o := range []Options{whole, without} {
		if err := Run(context.Background(), o); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	told := runtest.Stopper{After: "step 6: on other speakers", Stop: cancel}
	part.Stderr = &told
	if err := Run(ctx, part); !errors.Is(err, run.ErrStopped) {
		t.Fatalf("error %v, want ErrStopped", err)
	}
	if !strings.Contains(told.String(), "the same recordings in other voices, 2 each, of 2 voices") {
		t.Errorf("told:\n%s", told.String())
	}
	if err := os.Remove(model); err != nil {
		t.Fatal(err)
	}
	resume := Options{Options: run.Options{Names: runtest.Dashed, RunDir: part.RunDir, Resume: true, Device: "go"}}
	if err := Run(context.Background(), resume); err != nil {
		t.Fatal(err)
	}
	const last = "snapshots/step-00000012.safetensors"
	if read(t, filepath.Join(whole.RunDir, last)) != read(t, filepath.Join(part.RunDir, last)) {
		t.Error("the resumed run came out otherwise")
	}
	if read(t, filepath.Join(whole.RunDir, last)) == read(t, filepath.Join(without.RunDir, last)) {
		t.Error("--voices changes nothing")
	}
	resume.Voices = base.Name
	if err := Run(context.Background(), resume); err == nil || !strings.Contains(err.Error(), "the run began with "+model) {
		t.Errorf("other voices: error %v", err)
	}
}

func TestVoicesRefused(t *testing.T) {
	recordings, labels := hiddenSpeech(t)
	other := renamed(t, gan.Tiny(), "eve", "kim", "lee")
	other.Features.MelMean++
	otherFeatures := filepath.Join(t.TempDir(), "other.safetensors")
	if err := other.Save(otherFeatures, gan.Full); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ voices, set, want string }{
		"other features": {otherFeatures, "voicesPer=1", "name a model with the run's"},
		"no model":       {filepath.Join(recordings, "none"), "voicesPer=1", "--voices: "},
		"weak":           {otherFeatures, "minStrength=-1", "minStrength is -1"},
		"turned round":   {otherFeatures, "maxStrength=0.5", "maxStrength is 0.5"},
	} {
		o := phoneRun(t, recordings, labels)
		o.Voices, o.Set = c.voices, append(o.Set, c.set)
		if err := Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
		if _, err := os.Stat(o.RunDir); err == nil {
			t.Errorf("%s: there is a run folder", name)
		}
	}
}
