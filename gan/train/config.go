package train

import (
	"fmt"
	"math"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/run"
)

// LossWeights multiply the terms of the objective.
type LossWeights struct {
	Adversarial float64 `json:"adversarial"` // G fools D
	Cycle       float64 `json:"cycle"`       // L1 between x and what is made of it on the way there and back
	Style       float64 `json:"style"`       // L1 between the style that was asked for and the one that E reads of the conversion
	Diversity   float64 `json:"diversity"`   // at the start; falls linearly to 0. At 2 F's draws stay one voice, at 20 they become other voices
	Content     float64 `json:"content"`     // counts only with a phone network
	SourceG     float64 `json:"sourceG"`     // G fools C into the target
	SourceC     float64 `json:"sourceC"`     // C learns the source
	Energy      float64 `json:"energy"`      // the conversion is as loud as its source, within energyMargin
	Identity    float64 `json:"identity"`    // the warm-up's reconstruction
	// StarIdentity goes on with it in the star: G makes x of x in x's own style, which holds the distortion down that D costs.
	StarIdentity float64 `json:"starIdentity"`
	R1           float64 `json:"r1"` // gradient penalty of D
	// Matching is, where there is a true answer, the distance of what D's layers make of G's output and of that answer.
	Matching float64 `json:"matching"`
}

// Config is everything that decides a run besides its recordings. Every number can be set by a JSON file or by
// --set name=value, nested names joined by dots (loss.cycle=2).
type Config struct {
	Preset   string          `json:"preset"` // name of the size that the settings began as
	GAN      gan.Config      `json:"gan"`
	Features features.Config `json:"features"`
	Loss     LossWeights     `json:"loss"`

	Steps       int     `json:"steps"`       // of the whole run
	WarmUpShare float64 `json:"warmUpShare"` // share of the steps that warm up without D, 0 to 1
	SourceShare float64 `json:"sourceShare"` // share of the star phase after which the source classifier joins
	Batch       int     `json:"batch"`       // items per step, even
	CropFrames  int     `json:"cropFrames"`  // frames of a training crop
	StyleFrames int     `json:"styleFrames"` // frames of a style reference

	LearningRate float64 `json:"learningRate"` // of G and E
	MapRate      float64 `json:"mapRate"`      // share of it that F gets
	JudgeRate    float64 `json:"judgeRate"`    // D's and C's learning rate in units of it
	WarmUpRate   float64 `json:"warmUpRate"`   // learning rate of the warm-up phase
	RampSteps    int     `json:"rampSteps"`    // steps over which a phase's rate rises from 0
	DecayShare   float64 `json:"decayShare"`   // last share of the run over which the rate falls to a tenth
	WeightDecay  float64 `json:"weightDecay"`  // of AdamW, per step and unit of the rate
	Clip         float64 `json:"clip"`         // largest gradient norm of one network
	EMA          float64 `json:"ema"`          // decay of the averaged weights that are exported

	// Patches is the number of halvings after which D judges each patch in time and band; 0 has it judge whole crops.
	Patches int `json:"patches"`
	// StarEvery is how often the star has a step of its own, with another voice's style, the way back and the classifier: 0 and 1 are always.
	// The steps between have a true answer as in the warm-up, and D beside it, which they cost a third of.
	StarEvery int `json:"starEvery"`
	// Relativistic has D, where there is a true answer, say which of it and G's output is the more real.
	Relativistic bool    `json:"relativistic"`
	R1Every      int     `json:"r1Every"`      // D's steps of which one has the gradient penalty, so many times as strong
	R1Sigma      float64 `json:"r1Sigma"`      // length of R1's step per coordinate, normalised log-mel units
	EnergyMargin float64 `json:"energyMargin"` // difference of the log-energies that loss.energy lets pass, natural log units
	WarpRange    float64 `json:"warpRange"`    // largest relative warp of the source's mel axis in the warm-up
	TiltRange    float64 `json:"tiltRange"`    // largest disturbance of its spectral slope, normalised log-mel units
	// BackTranslation is the share of the items that, in the last BackTranslationSteps of the warm-up, come in not as they were
	// spoken but as the averaged G says them in another voice of the batch, which teaches it to leave nothing of a source's voice.
	// It is never more than the second half of the warm-up, which 0 steps stand for. Many steps teach it to guess words, too.
	BackTranslation      float64 `json:"backTranslation"`
	BackTranslationSteps int     `json:"backTranslationSteps"` // steps at the end of the warm-up that have it; 0 for its second half
	// PairShare is, in the warm-up, the share of the items of a speaker with frame-aligned pairs (corpus.AlignedFile) that are such.
	PairShare float64 `json:"pairShare"`
	// DisturbShare is, in the warm-up, the share of the items that come in as in noise, babble or a room, and go out as recorded.
	DisturbShare float64 `json:"disturbShare"`
	// DisturbCopies has half of these cut from copies of the recordings that were disturbed as sound, with the pitch that the tracker hears
	// there. They are made at each start, on all cores.
	DisturbCopies bool `json:"disturbCopies"`
	// NarrowShare is the share of the style references that lose their bands above features.SpeechHz, where there are any.
	NarrowShare  float64 `json:"narrowShare"`
	FreezeShare  float64 `json:"freezeShare"`  // share of the warm-up in which an encoder taken from P stays as it is
	EncoderShare float64 `json:"encoderShare"` // share of the rate that such an encoder gets after that

	AddVoice AddVoice `json:"addVoice"` // of a run that begins with a model

	// StyleLabels puts a speaker's label in place of every style, so that F and E are out of the game: an experiment, whose
	// model knows its voices by name and nothing else.
	StyleLabels bool `json:"styleLabels,omitempty"`

	BFloat16 bool   `json:"bfloat16"` // activations in bfloat16; weights, norms and losses stay float32
	Seed     uint64 `json:"seed"`     // of all that is drawn

	ValidEvery    int     `json:"validEvery"`    // steps between validations, 0 never
	ValidFraction float64 `json:"validFraction"` // share of the recordings that are held out, 0 for none
	SnapshotEvery int     `json:"snapshotEvery"` // steps between snapshots
	KeepSnapshots int     `json:"keepSnapshots"` // how many stay, the best besides
	LogEvery      int     `json:"logEvery"`      // steps between lines of metrics
}

// withFeatures is c for other features: the encoder hears the bands up to features.SpeechHz, the others all of them.
func (c Config) withFeatures(f features.Config) Config {
	c.Features, c.GAN.NMels, c.GAN.EncoderMels = f, f.NMels, 0
	if f.HasUpper() {
		c.GAN.EncoderMels = f.SpeechMels()
	}
	return c
}

// usualPreset is taken where none is named.
const usualPreset = "medium"

// DefaultConfig returns the settings of a preset: tiny, small, medium, live or hq.
func DefaultConfig(preset string) (Config, error) {
	g, err := gan.Preset(preset)
	if err != nil {
		return Config{}, err
	}
	c := Config{
		Preset: preset, GAN: g, Features: features.DefaultConfig(),
		Loss: LossWeights{
			Adversarial: 2, Cycle: 5, Style: 1, Diversity: 5, Content: 10, SourceG: 0.5, SourceC: 0.1, Energy: 1,
			Identity: 10, R1: 1, Matching: 2,
		},
		Steps: 60000, WarmUpShare: 0.2, SourceShare: 1.0 / 3,
		Batch: 16, CropFrames: 128, StyleFrames: 128,
		LearningRate: 2e-4, MapRate: 0.01, JudgeRate: 1, WarmUpRate: 5e-4, RampSteps: 500, DecayShare: 0.3, WeightDecay: 1e-4, Clip: 5, EMA: 0.999,
		StarEvery: 1, R1Every: 1, R1Sigma: 0.05, EnergyMargin: 0.5, WarpRange: 0.15, TiltRange: 0.5, FreezeShare: 1, EncoderShare: 0,
		BackTranslation: 0.5, BackTranslationSteps: 1000, PairShare: 0.5, DisturbCopies: true, NarrowShare: 0.3,
		AddVoice: AddVoice{Anchor: 10, RestShare: 0.2},
		Seed:     1, ValidEvery: 1000, ValidFraction: 0.05, SnapshotEvery: 1000, KeepSnapshots: 3, LogEvery: 10,
	}
	switch preset {
	case "medium":
		c.Steps, c.Batch, c.CropFrames, c.StyleFrames = 16000, 8, 96, 128
		c.LearningRate, c.WarmUpRate, c.RampSteps = 2e-4, 8e-4, 300
		c.WarmUpShare, c.EMA = 0.6, 0.998
	case "small":
		c.Steps, c.Batch, c.CropFrames, c.StyleFrames = 12000, 8, 96, 128
		c.LearningRate, c.WarmUpRate, c.RampSteps = 3e-4, 1e-3, 200
		c.WarmUpShare, c.EMA = 0.6, 0.998
	case "tiny":
		c.Steps, c.Batch, c.CropFrames, c.StyleFrames = 300, 4, 48, 48
		c.LearningRate, c.WarmUpRate, c.RampSteps = 5e-4, 2e-3, 20
		c.WarmUpShare, c.BackTranslation = 0.6, 0 // a hundred steps are not enough to say something in another voice
		c.EMA = 0.98
		c.ValidEvery, c.SnapshotEvery = 100, 100
	}
	return c, nil
}

// WarmUpSteps is the length of the warm-up phase.
func (c Config) WarmUpSteps() int { return int(math.Round(float64(c.Steps) * c.WarmUpShare)) }

// answers tells whether a step is one with a true answer: of the warm-up, or one of the star's that stand between those of its own.
func (c Config) answers(step int) bool {
	return step < c.WarmUpSteps() || (step-c.WarmUpSteps())%max(1, c.StarEvery) != 0
}

// translates tells whether a step of the warm-up has back-translation: not before G can say something in another voice.
func (c Config) translates(step int) bool {
	return c.BackTranslation > 0 && step >= c.WarmUpSteps()-c.translatedSteps()
}

// translatedSteps are the last steps of the warm-up, which may have back-translation.
func (c Config) translatedSteps() int {
	half := c.WarmUpSteps() / 2
	if c.BackTranslationSteps == 0 {
		return half
	}
	return min(c.BackTranslationSteps, half)
}

// sourceStep is the step at which the source classifier joins.
func (c Config) sourceStep() int {
	w := c.WarmUpSteps()
	return w + int(float64(c.Steps-w)*c.SourceShare)
}

// Validate names the first field that cannot work.
func (c Config) Validate() error {
	if err := c.GAN.Validate(); err != nil {
		return err
	}
	if err := c.Features.Validate(); err != nil {
		return err
	}
	if c.GAN.NMels != c.Features.NMels {
		return fmt.Errorf("config: gan.nMels is %d and features.nMels %d, want the same", c.GAN.NMels, c.Features.NMels)
	}
	err := run.Bounds{
		{"steps", float64(c.Steps), 1, 1e8},
		{"warmUpShare", c.WarmUpShare, 0, 1},
		{"sourceShare", c.SourceShare, 0, 1},
		{"batch", float64(c.Batch), 2, 4096},
		{"cropFrames", float64(c.CropFrames), float64(c.GAN.MinStyleFrames()), 1 << 14},
		{"styleFrames", float64(c.StyleFrames), float64(c.GAN.MinStyleFrames()), 1 << 14},
		{"learningRate", c.LearningRate, 0, 1},
		{"mapRate", c.MapRate, 0, 1},
		{"judgeRate", c.JudgeRate, 0, 1000},
		{"warmUpRate", c.WarmUpRate, 0, 1},
		{"rampSteps", float64(c.RampSteps), 0, 1e8},
		{"decayShare", c.DecayShare, 0, 1},
		{"weightDecay", c.WeightDecay, 0, 1},
		{"clip", c.Clip, 0, 1e9},
		{"ema", c.EMA, 0, 1},
		{"r1Sigma", c.R1Sigma, 1e-4, 10},
		{"warpRange", c.WarpRange, 0, 0.5},
		{"tiltRange", c.TiltRange, 0, 10},
		{"backTranslation", c.BackTranslation, 0, 1},
		{"backTranslationSteps", float64(c.BackTranslationSteps), 0, 1e8},
		{"patches", float64(c.Patches), 0, float64(c.GAN.BodyBlocks())},
		{"starEvery", float64(c.StarEvery), 0, 1e6},
		{"r1Every", float64(c.R1Every), 0, 1e6},
		{"pairShare", c.PairShare, 0, 1},
		{"disturbShare", c.DisturbShare, 0, 1},
		{"narrowShare", c.NarrowShare, 0, 1},
		{"freezeShare", c.FreezeShare, 0, 1},
		{"encoderShare", c.EncoderShare, 0, 1},
		{"addVoice.anchor", c.AddVoice.Anchor, 0, 1e6},
		{"addVoice.restShare", c.AddVoice.RestShare, 0, 1},
		{"validFraction", c.ValidFraction, 0, 0.5},
		{"snapshotEvery", float64(c.SnapshotEvery), 1, 1e8},
		{"keepSnapshots", float64(c.KeepSnapshots), 1, 1000},
		{"logEvery", float64(c.LogEvery), 1, 1e8},
	}.Check("config")
	if err != nil {
		return err
	}
	if c.Batch%2 != 0 {
		return fmt.Errorf("config: batch is %d, want an even number: half of it takes its style from F, half from E", c.Batch)
	}
	return nil
}

// Settings are those that every training has.
func (c Config) Settings() run.Settings {
	return run.Settings{
		Preset: c.Preset, Seed: c.Seed, Steps: c.Steps, Batch: c.Batch, ScoreEvery: c.ValidEvery, ScoreFirst: true,
		SnapshotEvery: c.SnapshotEvery, KeepSnapshots: c.KeepSnapshots, LogEvery: c.LogEvery, BestFrom: c.bestFrom(),
	}
}

// ApplyFile overrides settings from a JSON file that holds any part of the configuration.
func (c *Config) ApplyFile(path string) error { return run.ApplyFile(c, path) }

// ApplySet overrides one setting, "loss.cycle=2".
func (c *Config) ApplySet(assignment string) error {
	return run.ApplySetting(c, assignment, "loss.cycle=2")
}

// rate is the learning rate at a step: a linear ramp at the start of each phase, then constant, then down to a tenth over
// the last share of the run. A pure function of the step, so that resuming is exact.
func (c Config) rate(step int) float64 {
	base, since := c.WarmUpRate, step
	if w := c.WarmUpSteps(); step >= w {
		base, since = c.LearningRate, step-w
	}
	r := base
	if c.RampSteps > 0 {
		r *= math.Min(1, float64(since+1)/float64(c.RampSteps))
	}
	if from := float64(c.Steps) * (1 - c.DecayShare); c.DecayShare > 0 && float64(step) > from {
		r *= 1 - 0.9*(float64(step)-from)/(float64(c.Steps)-from)
	}
	return r
}
