package train

import (
	"math"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/run"
	"github.com/starvc/vc/vocoder"
)

// LossWeights weigh the terms of the objective.
type LossWeights struct {
	Spectral    float64 `json:"spectral"`    // multi-resolution STFT: log-magnitude L1
	Convergence float64 `json:"convergence"` // multi-resolution STFT: spectral convergence
	Mel         float64 `json:"mel"`         // L1 of the normalised log-mel
	Adversarial float64 `json:"adversarial"` // hinge, a mean over the discriminators
	Matching    float64 `json:"matching"`    // feature matching, a mean over the discriminators' layers
}

// Config is everything that decides a training besides its recordings.
type Config struct {
	Preset string            `json:"preset"`
	Net    vocoder.NetConfig `json:"net"`
	Loss   LossWeights       `json:"loss"`

	Steps         int     `json:"steps"`
	SpectralShare float64 `json:"spectralShare"` // share of the steps made with the spectral losses alone
	Batch         int     `json:"batch"`
	CropFrames    int     `json:"cropFrames"`
	DiscWidth     int     `json:"discWidth"`     // channels of the discriminators' widest layers
	LearningRate  float64 `json:"learningRate"`  // the highest, while the spectral losses are alone
	DiscRate      float64 `json:"discRate"`      // of both sides in the adversarial phase
	RampSteps     int     `json:"rampSteps"`     // over which each phase's rate rises
	WeightDecay   float64 `json:"weightDecay"`   // per unit of learning rate
	Clip          float64 `json:"clip"`          // largest gradient norm
	EMA           float64 `json:"ema"`           // decay of the averaged weights, which are scored and written
	Steer         float64 `json:"steer"`         // how far a frame's harmonics are turned towards the recording's phase, 0 to 1
	GainDB        float64 `json:"gainDB"`        // largest change of a crop's level
	MelsShare     float64 `json:"melsShare"`     // share of the crops that learn from made log-mels, where there are some
	EnvelopeShare float64 `json:"envelopeShare"` // share of the crops whose log-mels are brought to their envelope, see vocoder.NetSource.EnvelopeOnly
	BFloat16      bool    `json:"bfloat16"`      // activations; weights and losses stay float32
	ValidFraction float64 `json:"validFraction"` // of each speaker's recordings, held out
	Seed          uint64  `json:"seed"`
	ValidEvery    int     `json:"validEvery"` // steps between validations, 0 never
	SnapshotEvery int     `json:"snapshotEvery"`
	KeepSnapshots int     `json:"keepSnapshots"`
	LogEvery      int     `json:"logEvery"`
}

// DefaultConfig returns the settings of a preset: tiny, base or large.
func DefaultConfig(preset string) (Config, error) {
	net, err := vocoder.NetPreset(preset, features.DefaultConfig())
	if err != nil {
		return Config{}, err
	}
	c := Config{
		Preset: preset, Net: net,
		Loss:  LossWeights{Spectral: 1, Convergence: 0.2, Mel: 1, Adversarial: 0.3, Matching: 1},
		Steps: 40000, SpectralShare: 0.3, Batch: 12, CropFrames: 103, DiscWidth: 32,
		LearningRate: 1e-3, DiscRate: 2e-4, RampSteps: 200, WeightDecay: 1e-3, Clip: 5, EMA: 0.999,
		Steer: 0.7, GainDB: 12, MelsShare: 0.5, EnvelopeShare: 0.4, ValidFraction: 0.03, Seed: 1,
		ValidEvery: 500, SnapshotEvery: 500, KeepSnapshots: 3, LogEvery: 10,
	}
	if preset == "tiny" {
		c.Steps, c.Batch, c.CropFrames, c.DiscWidth, c.EMA, c.RampSteps = 200, 4, 39, 8, 0.98, 20
		c.LearningRate, c.ValidEvery, c.SnapshotEvery = 3e-3, 100, 100
	}
	return c, nil
}

// Validate names the first field that cannot work.
func (c Config) Validate() error {
	if err := c.Net.Validate(); err != nil {
		return err
	}
	return run.Bounds{
		{"loss.spectral", c.Loss.Spectral, 0, 1e6},
		{"loss.convergence", c.Loss.Convergence, 0, 1e6},
		{"loss.mel", c.Loss.Mel, 0, 1e6},
		{"loss.adversarial", c.Loss.Adversarial, 0, 1e6},
		{"loss.matching", c.Loss.Matching, 0, 1e6},
		{"steps", float64(c.Steps), 1, 1e8},
		{"spectralShare", c.SpectralShare, 0, 1},
		{"batch", float64(c.Batch), 1, 4096},
		{"cropFrames", float64(c.CropFrames), float64(c.minCrop()), 1 << 14},
		{"discWidth", float64(c.DiscWidth), 4, 1024},
		{"learningRate", c.LearningRate, 0, 1},
		{"discRate", c.DiscRate, 0, 1},
		{"rampSteps", float64(c.RampSteps), 0, 1e8},
		{"weightDecay", c.WeightDecay, 0, 1},
		{"clip", c.Clip, 0, 1e9},
		{"ema", c.EMA, 0, 1},
		{"steer", c.Steer, 0, 1},
		{"gainDB", c.GainDB, 0, 60},
		{"melsShare", c.MelsShare, 0, 1},
		{"envelopeShare", c.EnvelopeShare, 0, 1},
		{"validFraction", c.ValidFraction, -1, 0.5},
		{"validEvery", float64(c.ValidEvery), 0, 1e8},
		{"snapshotEvery", float64(c.SnapshotEvery), 1, 1e8},
		{"keepSnapshots", float64(c.KeepSnapshots), 1, 1000},
		{"logEvery", float64(c.LogEvery), 1, 1e8},
	}.Check("vocoder training")
}

// minCrop is the fewest frames that the longest window of the losses fits in.
func (c Config) minCrop() int {
	longest := spectralWindows[0]
	return longest/c.Net.Features.Hop + 2 + trimmedHops
}

// SpectralSteps is the length of the first phase.
func (c Config) SpectralSteps() int { return int(math.Round(float64(c.Steps) * c.SpectralShare)) }

// rate is the learning rate at a step. In each phase it rises along a line; in the first it then falls along a cosine to a
// fifth, in the second to a tenth.
func (c Config) rate(step int) float64 {
	top, from, to, last := c.LearningRate, 0, c.SpectralSteps(), 0.2
	if step >= to {
		top, from, to, last = c.DiscRate, to, c.Steps, 0.1
	}
	if to == c.Steps {
		last = 0.05
	}
	if at := step - from; at < c.RampSteps {
		return top * float64(at+1) / float64(c.RampSteps)
	}
	part := float64(step-from-c.RampSteps) / math.Max(1, float64(to-from-c.RampSteps))
	return top * (last + (1-last)*(0.5+0.5*math.Cos(math.Pi*math.Min(part, 1))))
}

// Settings are those that every training has.
func (c Config) Settings() run.Settings {
	return run.Settings{
		Preset: c.Preset, Seed: c.Seed, Steps: c.Steps, Batch: c.Batch, ScoreEvery: c.ValidEvery, SnapshotEvery: c.SnapshotEvery,
		KeepSnapshots: c.KeepSnapshots, LogEvery: c.LogEvery, BestFrom: c.bestFrom(),
	}
}
