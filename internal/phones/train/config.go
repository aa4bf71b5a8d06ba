package train

import (
	"fmt"
	"math"

	"github.com/starvc/vc"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/run"
)

// Options are the flags of `vc train phones`. Zero values leave the preset's settings alone.
type Options struct {
	run.Options          // Preset is tiny, small, medium, live or hq: P has the form of that G's encoder; medium if it is empty
	Labels      string   // folder with SPEAKER.tsv, see corpus.FindPhoneLabels
	Teacher     string   // folder with a teacher's features, SPEAKER.safetensors, see teacher; empty for none
	Voices      string   // voice model that says the recordings in other voices too; base for the program's own, empty for none
	HoldOut     []string // speakers that are scored and not trained on
	Init        string   // a phone network to go on from, or base for the program's own; empty for a fresh one
	Compare     string   // another phone network, or base, that is scored beside the run's at the end; empty for none
}

// request is what config.json of a run folder holds.
type request struct {
	run.Common
	Config  Config   `json:"config"`
	Labels  string   `json:"labels"`
	HoldOut []string `json:"holdOut,omitempty"`
	Teacher string   `json:"teacher,omitempty"`
	Init    string   `json:"init,omitempty"`
	Voices  string   `json:"voices,omitempty"` // of which the run folder holds a copy
}

// Config is everything that decides the training of a phone network besides its recordings.
type Config struct {
	Preset   string          `json:"preset"`
	GAN      gan.Config      `json:"gan"` // whose encoder P is like
	Features features.Config `json:"features"`

	Steps        int     `json:"steps"`
	Batch        int     `json:"batch"`
	CropFrames   int     `json:"cropFrames"`
	LearningRate float64 `json:"learningRate"` // the highest; it rises over RampSteps and falls along a cosine to a fiftieth
	RampSteps    int     `json:"rampSteps"`
	WeightDecay  float64 `json:"weightDecay"`
	Clip         float64 `json:"clip"`
	EMA          float64 `json:"ema"`       // decay of the averaged weights, which are scored and written
	Smoothing    float64 `json:"smoothing"` // share of the target that goes to all phones alike
	Dropout      float64 `json:"dropout"`   // share of the hidden layer's channels silenced for a crop

	TeacherWeight float64 `json:"teacherWeight"`         // of the squared error of the teacher's features beside the cross entropy
	TeacherDims   int     `json:"teacherDims,omitempty"` // numbers per frame, as the teacher's files have them

	SpeedRange  float64 `json:"speedRange"` // largest change of tempo, pitch and formants together, as a factor less 1
	WarpRange   float64 `json:"warpRange"`  // largest warp of the mel axis, as a factor less 1: formants alone
	CleanShare  float64 `json:"cleanShare"` // share of the crops that only speed, warp and level change; the shares below are of the others
	RoomShare   float64 `json:"roomShare"`  // share in a room
	MinRT60     float64 `json:"minRT60"`    // of the room, seconds
	MaxRT60     float64 `json:"maxRT60"`
	MinDirectDB float64 `json:"minDirectDB"` // of the direct path against the room's answer
	MaxDirectDB float64 `json:"maxDirectDB"`
	NoiseShare  float64 `json:"noiseShare"`  // share with stationary noise
	BabbleShare float64 `json:"babbleShare"` // share with 3 to 8 other recordings behind it
	HumShare    float64 `json:"humShare"`    // share with hum of the mains
	MinSNRDB    float64 `json:"minSNRDB"`    // of noise, babble and hum, against the recording's speech
	MaxSNRDB    float64 `json:"maxSNRDB"`
	BandShare   float64 `json:"bandShare"`  // share through a telephone or a low-pass at 3 to 8 kHz
	CodecShare  float64 `json:"codecShare"` // share with the holes of a lossy coder
	EQShare     float64 `json:"eqShare"`    // share through a microphone that wavers by eqRangeDB
	EQRangeDB   float64 `json:"eqRangeDB"`
	LevelShare  float64 `json:"levelShare"` // share of all crops at any level; the others lie near -23 dBFS
	MinLevelDB  float64 `json:"minLevelDB"`
	MaxLevelDB  float64 `json:"maxLevelDB"`
	TiltRange   float64 `json:"tiltRange"` // largest slope, and bow, of the spectrum at its edges, normalised log-mel units
	GainDB      float64 `json:"gainDB"`    // largest change of level of what other voices say, which has no waveform
	MaskShare   float64 `json:"maskShare"` // share of the crops that lose a range of bands
	MaskBands   int     `json:"maskBands"` // the widest such range

	VoicesPer   int     `json:"voicesPer"`   // other voices, all different, in which each is said recording
	MinStrength float64 `json:"minStrength"` // how strongly they are put on, see vc.Model.Strengthen
	MaxStrength float64 `json:"maxStrength"`

	Seed          uint64  `json:"seed"`
	ScoreEvery    int     `json:"scoreEvery"`    // steps between scores, 0 never before the end
	ScoreMinutes  float64 `json:"scoreMinutes"`  // of held-out speech that is scored during training, 0 for all; all of it is scored at the end
	ScoreFraction float64 `json:"scoreFraction"` // of each speaker's utterances, scored where no speaker is held out
	SnapshotEvery int     `json:"snapshotEvery"`
	KeepSnapshots int     `json:"keepSnapshots"`
	LogEvery      int     `json:"logEvery"`
}

// DefaultConfig returns the settings of a preset.
func DefaultConfig(preset string) (Config, error) {
	g, err := gan.Preset(preset)
	if err != nil {
		return Config{}, err
	}
	c := Config{
		Preset: preset, GAN: g, Features: features.DefaultConfig(),
		Steps: 8000, Batch: 32, CropFrames: 128, LearningRate: 1e-3, RampSteps: 200, WeightDecay: 1e-2, Clip: 2, EMA: 0.998,
		Smoothing: 0.05, Dropout: 0.1,
		TeacherWeight: 1,
		SpeedRange:    0.15, WarpRange: 0.2, CleanShare: 0.25, RoomShare: 0.4, MinRT60: 0.1, MaxRT60: 0.8, MinDirectDB: -3, MaxDirectDB: 15,
		NoiseShare: 0.5, BabbleShare: 0.25, HumShare: 0.05, MinSNRDB: 5, MaxSNRDB: 35, BandShare: 0.2, CodecShare: 0.1, EQShare: 0.4, EQRangeDB: 6,
		LevelShare: 0.25, MinLevelDB: -50, MaxLevelDB: -10, TiltRange: 0.4, GainDB: 10, MaskShare: 0.3, MaskBands: 8, VoicesPer: 3, MinStrength: 0.8, MaxStrength: 1.4,
		Seed: 1, ScoreEvery: 500, ScoreMinutes: 5, ScoreFraction: 0.05, SnapshotEvery: 500, KeepSnapshots: 3, LogEvery: 10,
	}
	switch preset {
	case "medium":
		c.Steps, c.Batch, c.LearningRate, c.RampSteps, c.EMA, c.Dropout = 6000, 24, 1.5e-3, 200, 0.998, 0.08
	case "small":
		c.Steps, c.Batch, c.LearningRate, c.RampSteps, c.EMA, c.Dropout = 3000, 24, 2e-3, 100, 0.997, 0.05
	case "tiny":
		c.Steps, c.Batch, c.LearningRate, c.RampSteps, c.EMA, c.Dropout = 600, 16, 3e-3, 30, 0.99, 0
		c.ScoreEvery, c.SnapshotEvery = 200, 200
	}
	return c, nil
}

// highestPhoneHz is as far as a phone network hears: what lies above says little about words, and recordings at 16 kHz lack it.
const highestPhoneHz = 8000

// minPhoneCrop is the shortest crop, in frames.
const minPhoneCrop = 16

// Validate names the first field that cannot work.
func (c Config) Validate() error {
	if err := c.GAN.Validate(); err != nil {
		return err
	}
	if err := c.Features.Validate(); err != nil {
		return err
	}
	if c.GAN.NMels != c.Features.NMels {
		return fmt.Errorf("phone config: gan.nMels is %d and features.nMels %d, want the same", c.GAN.NMels, c.Features.NMels)
	}
	if n := c.Features.NFFT; n&(n-1) != 0 {
		return fmt.Errorf("phone config: features.nFFT is %d, want a power of two", n)
	}
	if hz := c.Features.FMaxHz; hz > highestPhoneHz {
		return fmt.Errorf("phone config: features.fMaxHz is %g, want at most %d, so that one phone network serves voices of every rate: recordings are resampled to features.sampleRate",
			hz, highestPhoneHz)
	}
	return run.Bounds{
		{"steps", float64(c.Steps), 1, 1e8},
		{"batch", float64(c.Batch), 1, 4096},
		{"cropFrames", float64(c.CropFrames), minPhoneCrop, 1 << 14},
		{"learningRate", c.LearningRate, 0, 1},
		{"rampSteps", float64(c.RampSteps), 0, 1e8},
		{"weightDecay", c.WeightDecay, 0, 1},
		{"clip", c.Clip, 0, 1e9},
		{"ema", c.EMA, 0, 1},
		{"smoothing", c.Smoothing, 0, 0.9},
		{"dropout", c.Dropout, 0, 0.9},
		{"teacherWeight", c.TeacherWeight, 0, 1e6},
		{"teacherDims", float64(c.TeacherDims), 0, 4096},
		{"speedRange", c.SpeedRange, 0, 0.5},
		{"warpRange", c.WarpRange, 0, 1},
		{"cleanShare", c.CleanShare, 0, 1},
		{"roomShare", c.RoomShare, 0, 1},
		{"minRT60", c.MinRT60, 0, 10},
		{"maxRT60", c.MaxRT60, c.MinRT60, 10},
		{"minDirectDB", c.MinDirectDB, -60, 60},
		{"maxDirectDB", c.MaxDirectDB, c.MinDirectDB, 60},
		{"babbleShare", c.BabbleShare, 0, 1},
		{"humShare", c.HumShare, 0, 1},
		{"bandShare", c.BandShare, 0, 1},
		{"codecShare", c.CodecShare, 0, 1},
		{"eqShare", c.EQShare, 0, 1},
		{"eqRangeDB", c.EQRangeDB, 0, 40},
		{"levelShare", c.LevelShare, 0, 1},
		{"minLevelDB", c.MinLevelDB, -90, 0},
		{"maxLevelDB", c.MaxLevelDB, c.MinLevelDB, 0},
		{"tiltRange", c.TiltRange, 0, 10},
		{"gainDB", c.GainDB, 0, 100},
		{"noiseShare", c.NoiseShare, 0, 1},
		{"minSNRDB", c.MinSNRDB, -100, 200},
		{"maxSNRDB", c.MaxSNRDB, c.MinSNRDB, 200},
		{"maskShare", c.MaskShare, 0, 1},
		{"maskBands", float64(c.MaskBands), 1, float64(c.GAN.NMels)},
		{"voicesPer", float64(c.VoicesPer), 0, 1000},
		{"minStrength", c.MinStrength, vc.MinStrength, vc.MaxStrength},
		{"maxStrength", c.MaxStrength, c.MinStrength, vc.MaxStrength},
		{"scoreEvery", float64(c.ScoreEvery), 0, 1e8},
		{"scoreMinutes", c.ScoreMinutes, 0, 1e6},
		{"scoreFraction", c.ScoreFraction, 0.001, 0.5},
		{"snapshotEvery", float64(c.SnapshotEvery), 1, 1e8},
		{"keepSnapshots", float64(c.KeepSnapshots), 1, 1000},
		{"logEvery", float64(c.LogEvery), 1, 1e8},
	}.Check("phone config")
}

// rate is the learning rate at a step: up along a line, then down along half a cosine to a fiftieth.
func (c Config) rate(step int) float64 {
	if step < c.RampSteps {
		return c.LearningRate * float64(step+1) / float64(c.RampSteps)
	}
	part := float64(step-c.RampSteps) / math.Max(1, float64(c.Steps-c.RampSteps))
	return c.LearningRate * (0.02 + 0.98*(0.5+0.5*math.Cos(math.Pi*math.Min(part, 1))))
}

// Settings are those that every training has.
func (c Config) Settings() run.Settings {
	return run.Settings{
		Preset: c.Preset, Seed: c.Seed, Steps: c.Steps, Batch: c.Batch, ScoreEvery: c.ScoreEvery, ScoreLast: true,
		SnapshotEvery: c.SnapshotEvery, KeepSnapshots: c.KeepSnapshots, LogEvery: c.LogEvery,
	}
}
