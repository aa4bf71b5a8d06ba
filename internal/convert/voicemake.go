package convert

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
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
	x := audio.LevelSpeech(audio.Resample(reference.Samples, reference.Rate, cfg.SampleRate), cfg.SampleRate).Samples
	start, end := audio.TrimSilence(x, cfg.SampleRate, trimRangeDB, trimMargin)
	if start == end {
		return Voice{}, 0, errors.New("all is silence: the reference must be a recording of speech")
	}
	x = x[start:end]
	f, err := features.ExtractRecording(cfg, x)
	if err != nil {
		return Voice{}, 0, err
	}
	pitch, voiced := features.MeasurePitch(f.F0)
	if !voiced {
		return Voice{}, 0, errors.New("no voice found in it: the reference must be a recording of speech, a second at least")
	}
	style, err := gan.NewStyleEncoder(m).Style(f.LogMel, head)
	if err != nil {
		return Voice{}, 0, err
	}
	seconds = float64(len(x)) / float64(cfg.SampleRate)
	return Voice{Style: style, LogF0: pitch}, seconds, nil
}

// Streams of random numbers that one seed gives: which speaker, and which style of the speaker.
const speakerDraw, styleDraw = 1, 2

// DrawSpeaker picks a speaker of the model, each equally likely.
func DrawSpeaker(m *gan.Model, seed uint64) int {
	return rand.New(rand.NewPCG(seed, speakerDraw)).IntN(len(m.Speakers))
}

// How far random voices of a speaker lie from the stored one: on the average as this part of the distance between speakers, as
// far as F allows. F that has not learnt diversity draws all too near; its draws are moved apart, at most so many times. More
// than this part and words begin to suffer.
const (
	randomShare    = 0.35
	randomWidening = 10
	randomProbes   = 64 // draws that F's mean and spread are measured on
)

// RandomVoice is another way in which a speaker could sound. F makes a style of a latent code drawn from N(0, I); what it has
// beyond F's mean for the speaker is added to the stored style, widened where F's draws lie close together (the contrary of the
// truncation of Karras, Laine and Aila, "A style-based generator architecture", 2019). The range of pitch is the speaker's. The
// same seed gives the same voice.
func RandomVoice(m *gan.Model, speaker int, seed uint64) Voice {
	r := rand.New(rand.NewPCG(seed, styleDraw))
	f := gan.NewMappingNetwork(m)
	drawn := drawStyle(m, f, speaker, r)

	probe := rand.New(rand.NewPCG(0, styleDraw)) // the same for every seed
	probes := make([][]float32, randomProbes)
	mean := make([]float32, len(drawn))
	for i := range probes {
		probes[i] = drawStyle(m, f, speaker, probe)
		for k, v := range probes[i] {
			mean[k] += v / randomProbes
		}
	}
	spread := 0.0
	for _, p := range probes {
		spread += styleDistance(p, mean) / randomProbes
	}
	widen := 1.0
	if want := randomShare * speakerDistance(m); want > spread && spread > 0 {
		widen = min(want/spread, randomWidening)
	}
	style := slices.Clone(m.Style(speaker))
	for k := range style {
		style[k] += float32(widen * float64(drawn[k]-mean[k]))
	}
	return Voice{Style: style, LogF0: m.Speakers[speaker].LogF0()}
}

func drawStyle(m *gan.Model, f *gan.MappingNetwork, speaker int, r *rand.Rand) []float32 {
	z := make([]float32, m.Config.LatentDim)
	for i := range z {
		z[i] = float32(r.NormFloat64())
	}
	return f.Style(z, speaker)
}

// speakerDistance is the mean distance between the stored styles of two speakers, 0 for one speaker alone.
func speakerDistance(m *gan.Model) float64 {
	sum, pairs := 0.0, 0
	for i := range m.Speakers {
		for j := range i {
			sum += styleDistance(m.Style(i), m.Style(j))
			pairs++
		}
	}
	return sum / math.Max(1, float64(pairs))
}

func styleDistance(a, b []float32) float64 {
	sum := 0.0
	for i, v := range a {
		d := float64(v - b[i])
		sum += d * d
	}
	return math.Sqrt(sum)
}
