package eval

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/judge"
	"github.com/starvc/vc/internal/phones"
)

// hearing is what is noticed of a recording.
type hearing struct {
	embedding []float32       // of the judge; nil where there is none, or too little speech
	phones    []uint8         // as the phone network hears them, without silence
	frames    features.Frames // with the model's features
	utterance *Utterance      // for the MCD
	asked     []float32       // F0 of the recording that the vocoder was given, nil for others
}

// read listens to a file, or to what the vocoder makes of its frames.
func (s *suite) read(ctx context.Context, path string, vocoded bool) (*hearing, error) {
	if vocoded {
		clip, f0, err := s.vocode(ctx, path)
		if err != nil {
			return nil, err
		}
		h, err := s.listen(clip)
		if err != nil {
			return nil, err
		}
		h.asked = f0
		return h, nil
	}
	clip, err := audio.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return s.listen(clip)
}

// vocode is what the vocoder makes of a recording's own frames, and the F0 in those.
func (s *suite) vocode(ctx context.Context, path string) (audio.Clip, []float32, error) {
	clip, err := audio.ReadFile(path)
	if err != nil {
		return audio.Clip{}, nil, err
	}
	cfg := s.o.Features
	recording, err := features.Analyze(cfg, clip)
	if err != nil {
		return audio.Clip{}, nil, err
	}
	y, err := s.o.Vocode(ctx, cfg, recording.Frames, len(recording.Samples))
	if err != nil {
		return audio.Clip{}, nil, fmt.Errorf("vocoder: %w", err)
	}
	recording.Restore(y, cfg.SampleRate)
	return audio.Clip{Samples: y, Rate: cfg.SampleRate}, recording.Frames.F0, nil
}

// listen notices all that is scored.
func (s *suite) listen(clip audio.Clip) (*hearing, error) {
	h := &hearing{}
	made := map[features.Config]features.Frames{}
	frames := func(cfg features.Config) (features.Frames, error) {
		if f, ok := made[cfg]; ok {
			return f, nil
		}
		recording, err := features.Analyze(cfg, clip)
		made[cfg] = recording.Frames
		return recording.Frames, err
	}
	var err error
	if h.frames, err = frames(s.o.Features); err != nil {
		return nil, err
	}
	if h.utterance, err = Analyze(clip, s.o.Config); err != nil {
		return nil, err
	}
	if j := s.o.Judge; j != nil {
		f, err := frames(j.Config().Features)
		if err != nil {
			return nil, err
		}
		// Too short for a voice is no error: a word is a word.
		if h.embedding, err = j.Embed(f); err != nil {
			h.embedding = nil
		}
	}
	if p := s.o.Phones; p != nil {
		f, err := frames(p.Features())
		if err != nil {
			return nil, err
		}
		h.phones = phones.Decode(p.Forward(f.LogMel))
	}
	return h, nil
}

// enrolled is the embedding of a voice, nil where there is nothing to make it of.
func (s *suite) enrolled(files []string) []float32 {
	var all [][]float32
	for _, f := range files {
		if h := s.heard[f]; h != nil && h.embedding != nil {
			all = append(all, h.embedding)
		}
	}
	return judge.Enrol(all)
}

func similarity(a, b []float32) float64 {
	if a == nil || b == nil {
		return math.NaN()
	}
	return judge.Similarity(a, b)
}

// score compares a recording that has the timing of the task's source with both voices, the source's words, the pitch
// that was asked of it, and the target's own recording of the same words.
func (s *suite) score(t task, h *hearing, asked []float32) (Scores, error) {
	r := noScores()
	r.ToTarget = similarity(h.embedding, s.enrolled(t.enrolTarget))
	source := s.heard[t.path]
	if h != source || !slices.Contains(t.enrolSource, t.path) { // else it is compared with itself
		r.ToSource = similarity(h.embedding, s.enrolled(t.enrolSource))
	}
	if s.o.Phones != nil {
		r.Source = errorsOf(source.phones, h.phones)
		if labels := s.labels(t.source.Name, t.path); labels != nil {
			r.Labels = errorsOf(labels, h.phones)
			r.Before = errorsOf(labels, source.phones)
		}
	}
	if asked != nil {
		r.Melody = compareMelody(source.frames, asked, h.frames.F0)
	}
	r.Variance = s.variance(h, t.enrolTarget)
	if t.sameWords {
		result, err := Compare(s.heard[t.reference].utterance, h.utterance)
		if err != nil {
			return r, err
		}
		r.MCD = result.MCD
	}
	return r, nil
}

// scoreReference compares a recording of the target, as it is or after the vocoder, with both voices and with itself.
func (s *suite) scoreReference(t task, h *hearing) (Scores, error) {
	r := noScores()
	own := s.heard[t.reference]
	if !slices.Contains(t.enrolTarget, t.reference) { // else it is compared with itself
		r.ToTarget = similarity(h.embedding, s.enrolled(t.enrolTarget))
	}
	r.ToSource = similarity(h.embedding, s.enrolled(t.enrolSource))
	if s.o.Phones != nil {
		r.Source = errorsOf(own.phones, h.phones)
		if labels := s.labels(t.target.Name, t.reference); labels != nil {
			r.Labels = errorsOf(labels, h.phones)
			r.Before = errorsOf(labels, own.phones)
		}
	}
	if h.asked != nil {
		r.Melody = compareMelody(own.frames, h.asked, h.frames.F0)
	}
	r.Variance = s.variance(h, t.enrolTarget)
	if t.sameWords {
		result, err := Compare(own.utterance, h.utterance)
		if err != nil {
			return r, err
		}
		r.MCD = result.MCD
	}
	return r, nil
}

func (s *suite) labels(speaker, path string) []uint8 {
	if s.o.Labels == nil {
		return nil
	}
	return s.o.Labels(speaker, path)
}

func errorsOf(want, have []uint8) PhoneErrors {
	return PhoneErrors{Wrong: phones.Distance(want, have), Spoken: len(want)}
}

// Speech is what lies at most so far below the loud parts of a recording.
const (
	speechDB = 35
	loudDB   = 20
)

// within tells which frames are at most so many dB below the loud ones.
func within(logEnergy []float32, db float64) []bool {
	sorted := slices.Clone(logEnergy)
	slices.Sort(sorted)
	speech := make([]bool, len(logEnergy))
	if len(sorted) == 0 {
		return speech
	}
	least := sorted[len(sorted)*95/100] - float32(db*math.Ln10/20)
	for t, e := range logEnergy {
		speech[t] = e >= least
	}
	return speech
}

// Health is what must not happen to a conversion.
type Health struct {
	NotFinite int  `json:"notFinite"` // samples that are no numbers
	Clipped   int  `json:"clipped"`   // samples at or beyond full scale
	Silent    bool `json:"silent"`    // a fifth or more of the source's loud frames came out as silence
}

// silentDB is how far below the loud parts of the output a frame counts as silence.
const silentDB = 45

// heard tells whether there is something to hear.
func (h Health) heard() bool { return h.NotFinite == 0 && !h.Silent }

// examine looks for what must not be. Output and source have the same timing; gain is by how much the source was louder than
// what was converted.
func examine(out audio.Clip, source *hearing, gain float64) Health {
	var h Health
	for _, v := range out.Samples {
		switch {
		case v-v != 0:
			h.NotFinite++
		case v >= 1 || v <= -1:
			h.Clipped++
		}
	}
	loud := within(source.frames.LogEnergy, loudDB)
	// Energies of the output under as many windows as the source has frames, whatever the two rates.
	energies := make([]float32, len(loud))
	for t := range energies {
		from, to := t*len(out.Samples)/len(loud), (t+1)*len(out.Samples)/len(loud)
		var sum float64
		for _, v := range out.Samples[from:to] {
			sum += float64(v) * float64(v)
		}
		energies[t] = float32(math.Log(gain*math.Sqrt(sum/float64(max(to-from, 1))) + 1e-6))
	}
	sounding := within(energies, silentDB)
	var spoken, lost int
	for t, is := range loud {
		if is {
			spoken++
			if !sounding[t] || energies[t] < quietest {
				lost++
			}
		}
	}
	h.Silent = lost*5 >= spoken && spoken > 0
	return h
}

// quietest is ln 1e-4, -80 dB.
const quietest = -9.2
