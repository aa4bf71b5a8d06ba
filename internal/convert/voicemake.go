package convert

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/corpus"
)

// How much of a reference counts as speech: what lies within trimRangeDB of its loudest part, with trimMargin around.
const (
	trimRangeDB = 40
	trimMargin  = 50 * time.Millisecond
)

// LikeVoice is the voice of a recording: its style as E hears it with the head of a speaker of the model, or with
// gan.CommonHead, and the range of F0 that is measured in it. Silence at both ends is left out. seconds is how much speech
// was found; below two seconds the result is a guess, ten are better. A recording without voiced speech is an error.
func LikeVoice(m *gan.Model, reference audio.Clip, head int) (v Voice, seconds float64, err error) {
	cfg := m.Features
	x := reference.Samples
	start, end := audio.TrimSilence(x, reference.Rate, trimRangeDB, trimMargin)
	if start == end {
		return Voice{}, 0, errors.New("all is silence: the reference must be a recording of speech")
	}
	x = audio.Resample(x[start:end], reference.Rate, cfg.SampleRate)
	f, err := features.Extract(cfg, x)
	if err != nil {
		return Voice{}, 0, err
	}
	mean, std, voiced := corpus.PitchStats(cfg, [][]float32{f.F0})
	if !voiced {
		return Voice{}, 0, errors.New("no voice found in it: the reference must be a recording of speech, a second at least")
	}
	style, err := gan.NewStyleEncoder(m).Style(f.LogMel, head)
	if err != nil {
		return Voice{}, 0, err
	}
	seconds = float64(len(x)) / float64(cfg.SampleRate)
	return Voice{Style: style, LogF0: gan.LogF0{Mean: mean, Std: std}}, seconds, nil
}

// Streams of random numbers that one seed gives: which speaker, and which style of the speaker.
const speakerDraw, styleDraw = 1, 2

// DrawSpeaker picks a speaker of the model, each equally likely.
func DrawSpeaker(m *gan.Model, seed uint64) int {
	return rand.New(rand.NewPCG(seed, speakerDraw)).IntN(len(m.Speakers))
}

// RandomVoice is another way in which a speaker could sound: a style that F makes of a latent code drawn from N(0, I), with
// the speaker's range of pitch. The same seed gives the same voice.
func RandomVoice(m *gan.Model, speaker int, seed uint64) Voice {
	r := rand.New(rand.NewPCG(seed, styleDraw))
	z := make([]float32, m.Config.LatentDim)
	for i := range z {
		z[i] = float32(r.NormFloat64())
	}
	return Voice{Style: gan.NewMappingNetwork(m).Style(z, speaker), LogF0: m.Speakers[speaker].LogF0()}
}
