package train

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/run"
)

// labelled is an utterance with a phone for each frame.
type labelled struct {
	path    string
	speaker int // index into phoneSpeech.speakers
	frames  features.Frames
	start   int         // of the recording's frames, which frames begins with
	sound   *phoneSound // nil for what other voices say
	teacher *teacherFrames
	phones  []uint8 // per frame, corpus.NoPhone where unknown
	spoken  []uint8 // the phones in their order, without silence
}

// name is how labels and teachers name the utterance.
func (u labelled) name() string { return corpus.UtteranceName(u.path) }

// phoneSpeaker is a speaker of labelled speech.
type phoneSpeaker struct {
	Name, Part string
	HeldOut    bool
	Unlabelled bool // and taught by a teacher alone
}

// phoneSpeech is what a phone network is trained on and scored with.
type phoneSpeech struct {
	speakers     []phoneSpeaker
	train, score []labelled
	converted    []labelled // train as other voices say it
	unlabelled   []string   // speakers without labels or teacher
	unscored     []string   // speakers held out who have no labels
	teacherDims  int        // numbers per frame of the teacher, 0 without one
}

// learnt is all that is trained on.
func (s *phoneSpeech) learnt() []labelled { return slices.Concat(s.train, s.converted) }

// seen tells whether the scored utterances are of speakers that are trained on.
func (s *phoneSpeech) seen() bool {
	return !slices.ContainsFunc(s.speakers, func(p phoneSpeaker) bool { return p.HeldOut })
}

// readPhoneSpeech reads the recordings that have labels. Without a held-out speaker a fraction of the utterances is scored.
// start is the network that the run began with, if it did; it may be the teacher.
func readPhoneSpeech(ctx context.Context, q request, start *network, names run.Names, say *run.Reporter) (*phoneSpeech, error) {
	cfg := q.Config
	source, err := openTeacher(q.Teacher)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", names.Of("teacher"), err)
	}
	taught := func(speaker string) bool { return q.Teacher == selfTeacher || source.has(speaker) }
	all, err := corpus.Scan(q.Speakers)
	if err != nil {
		return nil, err
	}
	speech := &phoneSpeech{}
	var speakers []corpus.Speaker
	var labels []*corpus.PhoneLabels
	missing := 0
	for _, s := range all {
		l, err := corpus.FindPhoneLabels(q.Labels, s.Name)
		if err != nil {
			return nil, err
		}
		if l == nil && slices.Contains(q.HoldOut, s.Name) {
			speech.unscored = append(speech.unscored, s.Name)
			continue
		}
		if l == nil && taught(s.Name) {
			speakers, labels = append(speakers, s), append(labels, &corpus.PhoneLabels{})
			speech.speakers = append(speech.speakers, phoneSpeaker{Name: s.Name, Unlabelled: true})
			continue
		}
		if l == nil {
			speech.unlabelled = append(speech.unlabelled, s.Name)
			continue
		}
		own, named := corpus.Speaker{Name: s.Name}, 0
		held := slices.Contains(q.HoldOut, s.Name)
		for _, path := range s.Files {
			if len(l.Utterances[corpus.UtteranceName(path)]) > 0 {
				named++
			} else if held || !taught(s.Name) {
				missing++
				continue
			}
			own.Files = append(own.Files, path)
		}
		if named == 0 {
			return nil, fmt.Errorf("phone labels: %s names no recording of speaker %s (it has %q, the speaker %q): utterances are named like files, without the extension",
				l.Path, s.Name, anyKey(l.Utterances), filepath.Base(s.Files[0]))
		}
		speakers, labels = append(speakers, own), append(labels, l)
		speech.speakers = append(speech.speakers, phoneSpeaker{Name: s.Name, Part: l.Part, HeldOut: held})
	}
	if len(speech.unlabelled) > 0 {
		say.Linef("no labels, not used: %s", strings.Join(speech.unlabelled, ", "))
	}
	if missing > 0 {
		say.Linef("no labels, not used: %d recordings of speakers who have some", missing)
	}
	if len(speech.unscored) > 0 {
		say.Linef("no labels, held out and not scored: %s", strings.Join(speech.unscored, ", "))
	}
	if !slices.ContainsFunc(speech.speakers, func(p phoneSpeaker) bool { return !p.Unlabelled }) {
		return nil, fmt.Errorf("phone labels: none of %d speakers has labels: %s must hold a file SPEAKER.tsv, such as %s.tsv", len(all), q.Labels, all[0].Name)
	}
	for _, name := range q.HoldOut {
		if !slices.ContainsFunc(speech.speakers, func(p phoneSpeaker) bool { return p.Name == name }) && !slices.Contains(speech.unscored, name) {
			return nil, fmt.Errorf("%s: %q is no speaker with labels", names.Of("hold-out"), name)
		}
	}

	options := corpus.PrepareOptions{
		ValidFraction: cfg.ScoreFraction,
		Progress:      func(done, total int) { say.Count("reading recordings", done, total) },
	}
	if !speech.seen() {
		options.ValidFraction = -1
	}
	if cache, err := os.UserCacheDir(); err == nil {
		options.CacheDir = filepath.Join(cache, "vc", "features")
	}
	set, _, err := corpus.Prepare(ctx, speakers, cfg.Features, options)
	say.Finish()
	if err != nil {
		return nil, err
	}
	take := func(u corpus.Utterance) labelled {
		segments := labels[u.Speaker].Utterances[corpus.UtteranceName(u.Path)]
		l := labelled{path: u.Path, speaker: u.Speaker, frames: u.Frames, start: u.Start, phones: corpus.FramePhones(segments, cfg.Features, u)}
		for _, s := range segments {
			if s.Phone != corpus.Silence {
				l.spoken = append(l.spoken, s.Phone)
			}
		}
		return l
	}
	for _, u := range set.Train {
		if speech.speakers[u.Speaker].HeldOut {
			if len(labels[u.Speaker].Utterances[corpus.UtteranceName(u.Path)]) == 0 {
				continue // there is nothing to score it by
			}
			speech.score = append(speech.score, take(u))
		} else {
			speech.train = append(speech.train, take(u))
		}
	}
	for _, u := range set.Valid {
		if len(labels[u.Speaker].Utterances[corpus.UtteranceName(u.Path)]) == 0 {
			continue
		}
		speech.score = append(speech.score, take(u))
	}
	if len(speech.train) == 0 {
		return nil, fmt.Errorf("%s: no speaker is left to train on", names.Of("hold-out"))
	}
	for _, part := range [][]labelled{speech.train, speech.score} {
		if err := readSounds(ctx, cfg, part, say); err != nil {
			return nil, err
		}
	}
	if q.Teacher == selfTeacher {
		teachSelf(speech.train, start, cfg.Features)
		speech.teacherDims = start.GAN.Bottleneck
	}
	if source != nil {
		if err := source.teach(speech, cfg, say); err != nil {
			return nil, fmt.Errorf("%s: %w", names.Of("teacher"), err)
		}
		speech.teacherDims = source.about.Dims
		// What has neither label nor teacher teaches nothing.
		speech.train = slices.DeleteFunc(speech.train, func(u labelled) bool {
			return u.teacher == nil && len(labels[u.speaker].Utterances[u.name()]) == 0
		})
	}
	return speech, nil
}

func anyKey(m map[string][]corpus.PhoneSegment) string {
	for k := range m {
		return k
	}
	return ""
}
