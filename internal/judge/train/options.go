// Package train trains the judge of speaker similarity: a classifier of speakers whose last layer compares directions only,
// with a margin (additive-margin softmax: Wang, Cheng, Liu and Liu 2018), so that the embedding before it is fit for
// comparing voices that were never heard by their cosine.
//
// Few speakers are at hand, so each is heard at three speeds, and each speed counts as another speaker (Yamamoto et al.
// 2019): pitch and the length of the vocal tract change with it. Noise, tilt of the spectrum and lost bands do not change
// who speaks, nor does a vocoder: crops are disturbed by the former, and some recordings are heard through the latter.
package train

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/starvc/vc/internal/judge"
	"github.com/starvc/vc/internal/run"
)

// Options are the flags of `vc train judge`.
type Options struct {
	run.Options
	HoldOut []string // speakers that are scored and not trained on
	Part    string   // "2/2": of each speaker's recordings in order of their names, cut in two, the second half; "" for all
}

// Config is all that decides the training besides the recordings.
type Config struct {
	Judge judge.Config `json:"judge"`

	Steps        int     `json:"steps"`
	Batch        int     `json:"batch"`
	CropFrames   int     `json:"cropFrames"` // even
	LearningRate float64 `json:"learningRate"`
	RampSteps    int     `json:"rampSteps"`
	WeightDecay  float64 `json:"weightDecay"`
	EMA          float64 `json:"ema"`    // decay of the averaged weights, which are scored and written
	Scale        float64 `json:"scale"`  // of the cosines in the softmax
	Margin       float64 `json:"margin"` // taken off the right speaker's cosine

	Speeds       []float64 `json:"speeds"`       // at which recordings are heard, 1 among them; each is another speaker
	VocodedShare float64   `json:"vocodedShare"` // of the recordings that are heard through the vocoder too
	TiltRange    float64   `json:"tiltRange"`    // largest slope, and bow, of the spectrum at its edges, normalised log-mel units
	NoiseShare   float64   `json:"noiseShare"`   // of the crops that get noise
	MinSNRDB     float64   `json:"minSNRDB"`
	MaxSNRDB     float64   `json:"maxSNRDB"`
	MaskShare    float64   `json:"maskShare"` // of the crops that lose a range of bands
	MaskBands    int       `json:"maskBands"`
	ScoreEach    int       `json:"scoreEach"` // recordings of a held-out speaker that are scored, at most

	Seed          uint64 `json:"seed"`
	ScoreEvery    int    `json:"scoreEvery"` // steps between scores, 0 only at the end
	SnapshotEvery int    `json:"snapshotEvery"`
	KeepSnapshots int    `json:"keepSnapshots"`
	LogEvery      int    `json:"logEvery"`
}

// DefaultConfig trains in a few minutes on a CPU.
func DefaultConfig() Config {
	return Config{
		Judge: judge.DefaultConfig(),
		Steps: 450, Batch: 32, CropFrames: 160, LearningRate: 3e-3, RampSteps: 40, WeightDecay: 1e-2, EMA: 0.99, Scale: 20, Margin: 0.2,
		Speeds: []float64{0.88, 1, 1.14}, VocodedShare: 0.25,
		TiltRange: 0.3, NoiseShare: 0.6, MinSNRDB: 8, MaxSNRDB: 45, MaskShare: 0.3, MaskBands: 10, ScoreEach: 16,
		Seed: 1, SnapshotEvery: 100, KeepSnapshots: 3, LogEvery: 10,
	}
}

// minCrop is the fewest frames of a crop.
const minCrop = 16

// Validate names the first field that cannot work.
func (c Config) Validate() error {
	if err := c.Judge.Validate(); err != nil {
		return err
	}
	if c.CropFrames%2 != 0 {
		return fmt.Errorf("judge training: cropFrames is %d, want an even number", c.CropFrames)
	}
	if err := (run.Bounds{
		{"steps", float64(c.Steps), 1, 1e8}, {"batch", float64(c.Batch), 2, 4096}, {"cropFrames", float64(c.CropFrames), minCrop, 1 << 14},
		{"learningRate", c.LearningRate, 0, 1}, {"rampSteps", float64(c.RampSteps), 0, 1e8}, {"weightDecay", c.WeightDecay, 0, 1},
		{"ema", c.EMA, 0, 1}, {"scale", c.Scale, 1, 1000}, {"margin", c.Margin, 0, 1}, {"speeds", float64(len(c.Speeds)), 1, 16},
		{"vocodedShare", c.VocodedShare, 0, 1}, {"tiltRange", c.TiltRange, 0, 10}, {"noiseShare", c.NoiseShare, 0, 1},
		{"minSNRDB", c.MinSNRDB, -100, 200}, {"maxSNRDB", c.MaxSNRDB, c.MinSNRDB, 200}, {"maskShare", c.MaskShare, 0, 1},
		{"maskBands", float64(c.MaskBands), 1, float64(c.Judge.Features.NMels)}, {"scoreEach", float64(c.ScoreEach), 2, 1e6},
		{"scoreEvery", float64(c.ScoreEvery), 0, 1e8}, {"snapshotEvery", float64(c.SnapshotEvery), 1, 1e8},
		{"keepSnapshots", float64(c.KeepSnapshots), 1, 1000}, {"logEvery", float64(c.LogEvery), 1, 1e8},
	}).Check("judge training"); err != nil {
		return err
	}
	if !slices.Contains(c.Speeds, 1) {
		return fmt.Errorf("judge training: speeds is %v, want 1 among them", c.Speeds)
	}
	for _, s := range c.Speeds {
		if !(s >= 0.5 && s <= 2) {
			return fmt.Errorf("judge training: a speed is %g, want 0.5 to 2", s)
		}
	}
	return nil
}

// Settings are those that every training has.
func (c Config) Settings() run.Settings {
	return run.Settings{
		Seed: c.Seed, Steps: c.Steps, Batch: c.Batch, ScoreEvery: c.ScoreEvery, ScoreLast: true,
		SnapshotEvery: c.SnapshotEvery, KeepSnapshots: c.KeepSnapshots, LogEvery: c.LogEvery,
	}
}

// rate is the learning rate at a step: up along a line, then down along half a cosine to a fiftieth.
func (c Config) rate(step int) float64 {
	if step < c.RampSteps {
		return c.LearningRate * float64(step+1) / float64(c.RampSteps)
	}
	part := float64(step-c.RampSteps) / math.Max(1, float64(c.Steps-c.RampSteps))
	return c.LearningRate * (0.02 + 0.98*(0.5+0.5*math.Cos(math.Pi*math.Min(part, 1))))
}

// marginAt grows over the first quarter: a margin from the start keeps a fresh network from learning.
func (c Config) marginAt(step int) float64 {
	return c.Margin * math.Min(1, float64(step)/math.Max(1, float64(c.Steps)/4))
}

// part is a share of a list.
type part struct{ take, of int }

func parsePart(text string) (part, error) {
	if text == "" {
		return part{1, 1}, nil
	}
	a, b, ok := strings.Cut(text, "/")
	take, err1 := strconv.Atoi(a)
	of, err2 := strconv.Atoi(b)
	if !ok || err1 != nil || err2 != nil || of < 1 || of > 100 || take < 1 || take > of {
		return part{}, errors.New("want which of how many, such as 2/2 for the second half")
	}
	return part{take, of}, nil
}

func (p part) files(all []string) []string {
	return all[(p.take-1)*len(all)/p.of : p.take*len(all)/p.of]
}
