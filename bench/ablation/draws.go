package main

import (
	"context"
	"math"
	"math/rand/v2"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
)

// draws is how many styles F draws for a speaker.
const draws = 8

// spread is how far apart a model's outputs for one recording lie, in dB, as the mean absolute difference of log-mels.
type spread struct {
	draws    float64 // in styles that F draws for one speaker, nothing done to them
	speakers float64 // in the stored styles of two speakers
}

// measureSpread converts a recording, with its own pitch, in every stored style and in F's draws.
func measureSpread(model, recording string) (spread, error) {
	m, err := gan.Load(model)
	if err != nil {
		return spread{}, err
	}
	clip, err := audio.ReadFile(recording)
	if err != nil {
		return spread{}, err
	}
	heard, err := features.Analyze(m.Features, clip)
	if err != nil {
		return spread{}, err
	}
	f := heard.Frames
	g, err := gan.NewGenerator(m, 0)
	if err != nil {
		return spread{}, err
	}
	controls := gan.AppendControls(nil, f.F0, f.LogEnergy)
	say := func(style []float32) ([]float32, error) {
		g.SetStyle(style)
		return g.Offline(context.Background(), f.LogMel, controls, 2)
	}
	dim := m.Config.StyleDim
	mapping := gan.NewMappingNetwork(m)
	random := rand.New(rand.NewPCG(1, 1))
	var stored [][]float32
	var apart []float64
	for y := range m.Speakers {
		mel, err := say(m.Tensor("speakers.style")[y*dim : (y+1)*dim])
		if err != nil {
			return spread{}, err
		}
		stored = append(stored, mel)
		var drawn [][]float32
		for range draws {
			z := make([]float32, m.Config.LatentDim)
			for i := range z {
				z[i] = float32(random.NormFloat64())
			}
			mel, err := say(mapping.Style(z, y))
			if err != nil {
				return spread{}, err
			}
			drawn = append(drawn, mel)
		}
		apart = append(apart, pairwise(drawn))
	}
	dB := 20 / math.Ln10 * m.Features.MelScale
	return spread{draws: dB * mean(apart), speakers: dB * pairwise(stored)}, nil
}

// pairwise is the mean absolute difference over all pairs.
func pairwise(all [][]float32) float64 {
	var apart []float64
	for i, a := range all {
		for _, b := range all[i+1:] {
			var sum float64
			for k, v := range a {
				sum += math.Abs(float64(v - b[k]))
			}
			apart = append(apart, sum/float64(len(a)))
		}
	}
	return mean(apart)
}

func mean(x []float64) (sum float64) {
	for _, v := range x {
		sum += v / float64(len(x))
	}
	return sum
}
