package train

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/run"
)

// phoneSound is a recording as it is kept to be disturbed: 115 MB per hour at 16 kHz.
type phoneSound struct {
	samples []int16 // the whole file, at the features' rate
	gain    float32 // what a sample is multiplied by to lie in [-1, 1]
	level   float64 // RMS of its speech, in [-1, 1]
}

// newPhoneSound keeps a signal of the features' rate and level, beside its frames.
func newPhoneSound(x []float32, frames features.Frames) *phoneSound {
	peak := float32(1e-6)
	for _, v := range x {
		peak = max(peak, v, -v)
	}
	s := &phoneSound{samples: make([]int16, len(x)), gain: peak / math.MaxInt16, level: speechRMS(frames.LogEnergy)}
	for i, v := range x {
		s.samples[i] = int16(math.Round(float64(v / s.gain)))
	}
	return s
}

// speechRMS is the RMS of the frames within 30 dB of the one that only one in twenty passes.
func speechRMS(logEnergy []float32) float64 {
	const floor = 1e-4
	if len(logEnergy) == 0 {
		return floor
	}
	sorted := slices.Sorted(slices.Values(logEnergy))
	limit := sorted[len(sorted)*19/20] - 30*nepersPerDB
	var sum, n float64
	for _, e := range logEnergy {
		if e >= limit {
			sum += math.Exp(2 * float64(e))
			n++
		}
	}
	return math.Max(floor, math.Sqrt(sum/n))
}

// readSounds reads the waveforms of utterances, at the level of their features, on all cores.
func readSounds(ctx context.Context, c Config, us []labelled, say *run.Reporter) error {
	err := run.OnAllCoresTold(ctx, len(us), "reading waveforms", say, func(ctx context.Context, i int) error {
		clip, err := audio.ReadFileContext(ctx, us[i].path)
		if err != nil {
			return err
		}
		us[i].sound = newPhoneSound(features.Level(c.Features, clip).Samples, us[i].frames)
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the waveforms: %w", err)
	}
	return nil
}

// seconds is how long the recording is.
func (s *phoneSound) seconds(f features.Config) float64 {
	return float64(len(s.samples)) / float64(f.SampleRate)
}

// unknownPhones are the labels of a recording without any.
func unknownPhones(frames int) []uint8 {
	p := make([]uint8, frames)
	for i := range p {
		p[i] = corpus.NoPhone
	}
	return p
}
