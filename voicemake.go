package vc

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

// LikeVoice is the voice of a recording: its style as the encoder hears it, and the range of F0 that is measured in it. as names
// one of the model's own voices, as a nuance of which the recording is then heard; "" is for the voice of anybody. Silence at both
// ends is left out. speech is how much was found; below two seconds the result is a guess, ten are better. A recording without
// voiced speech is an error, and so is a name that the model does not know. The recording does not say whether its speaker agreed: where
// you know, put it into Voice.Consent.
func (m *Model) LikeVoice(reference audio.Clip, as string) (v Voice, speech time.Duration, err error) {
	head := gan.CommonHead
	if as != "" {
		if head, err = m.networks.Speaker(as); err != nil {
			return Voice{}, 0, err
		}
	}
	cfg := m.networks.Features
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
	style, err := gan.NewStyleEncoder(m.networks).Style(f.LogMel, head)
	if err != nil {
		return Voice{}, 0, err
	}
	speech = time.Duration(float64(len(x)) / float64(cfg.SampleRate) * float64(time.Second))
	return Voice{Style: style, LogF0: pitch}, speech, nil
}

// Streams of random numbers that one seed gives: which of the model's voices, and which style of it.
const speakerDraw, styleDraw = 1, 2

// How far random voices of a speaker lie from the stored one: on the average as this part of the distance between speakers, as
// far as F allows. F that has not learnt diversity draws all too near; its draws are moved apart, at most so many times. More
// than this part and words begin to suffer.
const (
	randomShare    = 0.35
	randomWidening = 10
	randomProbes   = 64 // draws that F's mean and spread are measured on
)

// RandomVoice is another way in which one of the model's own voices could sound: of is its name, "" for one that the seed draws too,
// each equally likely, and drawn is the name in either case. The same seed gives the same voice. The range of pitch is that of the
// voice by that name. A name that the model does not know is an error.
//
// The mapping network makes a style of a latent code drawn from N(0, I); what it has beyond the mean for the speaker is added to the
// stored style, widened where draws lie close together (the contrary of the truncation of Karras, Laine and Aila, "A style-based
// generator architecture", 2019).
func (m *Model) RandomVoice(of string, seed uint64) (v Voice, drawn string, err error) {
	speaker := rand.New(rand.NewPCG(seed, speakerDraw)).IntN(len(m.networks.Speakers))
	if of != "" {
		if speaker, err = m.networks.Speaker(of); err != nil {
			return Voice{}, "", err
		}
	}
	return randomVoice(m.networks, speaker, seed), m.networks.Speakers[speaker].Name, nil
}

func randomVoice(m *gan.Model, speaker int, seed uint64) Voice {
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
