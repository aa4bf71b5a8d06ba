package plot

import "github.com/starvc/vc/features"

// FromFrames makes a panel of features, with the melody where the frames have F0.
func FromFrames(title string, cfg features.Config, f features.Frames) Mel {
	m := Mel{
		Title: title, NMels: cfg.NMels, FMinHz: cfg.FMinHz, FMaxHz: cfg.FMaxHz,
		FrameRate: float64(cfg.SampleRate) / float64(cfg.Hop),
		LogMel:    make([]float32, len(f.LogMel)), F0Hz: f.F0,
	}
	for i, v := range f.LogMel {
		m.LogMel[i] = float32(float64(v)*cfg.MelScale + cfg.MelMean)
	}
	return m
}
