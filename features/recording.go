package features

import "github.com/starvc/vc/audio"

// Recording is a recording made ready for a model: brought to the rate and level of its features, and analysed.
type Recording struct {
	audio.Leveled // at the rate of the features
	Frames        Frames
}

// Analyze makes a recording of any rate ready: it is resampled, leveled by audio.LevelSpeech, and Frames are the features of
// that. All that learns from recordings, converts or scores them begins here, so that the same speech looks the same to all,
// however loud it is; an Extractor after an audio.Leveler is the same for sound that arrives piece by piece. A recording without
// samples gives one frame. It is an error if cfg is not valid.
func Analyze(cfg Config, clip audio.Clip) (Recording, error) {
	if err := cfg.Validate(); err != nil {
		return Recording{}, err
	}
	x := clip.Samples
	if clip.Rate != cfg.SampleRate {
		x = audio.Resample(x, clip.Rate, cfg.SampleRate)
	}
	leveled := audio.LevelSpeech(x, cfg.SampleRate)
	f, err := ExtractRecording(cfg, leveled.Samples)
	return Recording{leveled, f}, err
}
