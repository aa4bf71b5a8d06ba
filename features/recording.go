package features

import "github.com/starvc/vc/audio"

// Recording is a recording made ready for a model: brought to the rate and level of its features, and analysed.
type Recording struct {
	audio.Leveled // at the rate of the features
	Frames        Frames
}

// Level brings a recording of any rate to that of the features and levels it by audio.LevelSpeech: the sound whose features
// Analyze gives, for what learns from samples beside their frames. cfg must be valid.
func Level(cfg Config, clip audio.Clip) audio.Leveled {
	x := clip.Samples
	if clip.Rate != cfg.SampleRate {
		x = audio.Resample(x, clip.Rate, cfg.SampleRate)
	}
	return audio.LevelSpeech(x, cfg.SampleRate)
}

// Analyze makes a recording of any rate ready: Frames are the features of what Level makes of it. All that learns from recordings, converts or scores them begins here, so that the same speech looks the same to all,
// however loud it is; an Extractor after an audio.Leveler is the same for sound that arrives piece by piece. A recording without
// samples gives one frame. It is an error if cfg is not valid.
func Analyze(cfg Config, clip audio.Clip) (Recording, error) {
	if err := cfg.Validate(); err != nil {
		return Recording{}, err
	}
	leveled := Level(cfg, clip)
	f, err := ExtractRecording(cfg, leveled.Samples)
	return Recording{leveled, f}, err
}
