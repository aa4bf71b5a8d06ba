package corpus

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
)

// What disturber makes of log-mels is near what features makes of the mixture's waveform.
func TestNoiseAddsUpAsInWaveforms(t *testing.T) {
	t.Parallel()
	clip, err := audio.ReadFile("../../testdata/clips/kathleen_arctic_a0344.flac")
	if err != nil {
		t.Fatal(err)
	}
	cfg := features.DefaultConfig()
	x := audio.Resample(clip.Samples, clip.Rate, cfg.SampleRate)
	d, err := newDisturber(cfg)
	if err != nil {
		t.Fatal(err)
	}
	speech, err := features.Extract(cfg, x)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	noise, mixed := make([]float32, len(x)), make([]float32, len(x))
	for i := range x {
		noise[i] = float32(0.01 * r.NormFloat64())
		mixed[i] = x[i] + noise[i]
	}
	alone, err := features.Extract(cfg, noise)
	if err != nil {
		t.Fatal(err)
	}
	want, err := features.Extract(cfg, mixed)
	if err != nil {
		t.Fatal(err)
	}
	m, frames := cfg.NMels, speech.Len()
	powers, white := make([]float64, frames*m), make([]float64, frames*m) // white noise: the same power in every band
	for i := range powers {
		powers[i], white[i] = d.power(speech.LogMel[i]), float64(d.noise[i%len(d.noise)])
	}
	var level float64
	for f := range frames {
		row := make([]float64, m)
		for k := range m {
			row[k] = d.power(alone.LogMel[f*m+k])
		}
		level += d.frame(row) / float64(frames)
	}
	d.add(powers, white, level, frames)
	var bias, far float64
	for i, p := range powers {
		diff := (float64(cfg.NormalizeMel(math.Sqrt(p))) - float64(want.LogMel[i])) * cfg.MelScale * 20 / math.Ln10
		bias += diff / float64(len(powers))
		far += math.Abs(diff) / float64(len(powers))
	}
	t.Logf("mean difference %.2f dB, mean distance %.2f dB", bias, far)
	if math.Abs(bias) > 0.5 || far > 4 { // two draws of noise alone are some 4 dB apart
		t.Errorf("mean difference %.2f dB, mean distance %.2f dB from the mixture's own features, want at most 0.5 and 4", bias, far)
	}
}

func TestDisturbedItems(t *testing.T) {
	t.Parallel()
	set := handSet([]int{100, 60, 200}, []int{300, 90})
	for i := range set.Train { // levels that a log-mel can have
		for j, v := range set.Train[i].Frames.LogMel {
			set.Train[i].Frames.LogMel[j] = float32(math.Mod(float64(v), 7))/7 - 1
		}
	}
	cfg := smallBatch
	cfg.DisturbShare, cfg.Wants = 0.5, func(step int) bool { return step < 60 }
	b := newTestBatcher(t, set, cfg, 3)
	plain := newTestBatcher(t, set, smallBatch, 3)
	n, changed := cfg.CropFrames*set.Features.NMels, 0
	for step := range 60 {
		with, without := b.At(step), plain.At(step)
		if !slices.Equal(with.Want, without.X) || !slices.Equal(with.F0, without.F0) {
			t.Fatalf("step %d: what is wanted is not the recording", step)
		}
		for i := range cfg.Size {
			x := with.X[i*n : (i+1)*n]
			if !slices.Equal(x, without.X[i*n:(i+1)*n]) {
				changed++
			}
			for _, v := range append(slices.Clone(x), with.LogEnergy[i*cfg.CropFrames:(i+1)*cfg.CropFrames]...) {
				if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
					t.Fatal("a number that is none")
				}
			}
		}
		if again := b.At(step); !slices.Equal(again.X, with.X) {
			t.Fatalf("step %d differs from itself", step)
		}
	}
	if share := float64(changed) / float64(60*cfg.Size); share < 0.3 || share > 0.5 {
		t.Errorf("%.2f of the items are disturbed, want a little less than 0.5", share)
	}
	if b.At(60).Want != nil || b.ValidAt(0) != nil && b.ValidAt(0).Want != nil {
		t.Error("disturbed behind the last step")
	}
}
