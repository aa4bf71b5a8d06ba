package plot

import (
	"math"
	"testing"

	"github.com/starvc/vc/features"
)

// Normalising and drawing must cancel out: a band of magnitude 0.5 is drawn at ln 0.5.
func TestFromFrames(t *testing.T) {
	cfg := features.DefaultConfig()
	f := features.Frames{NMels: cfg.NMels, F0: []float32{120, 0}, LogMel: make([]float32, 2*cfg.NMels)}
	for i := range f.LogMel {
		f.LogMel[i] = cfg.NormalizeMel(0.5)
	}
	m := FromFrames("x", cfg, f)
	if m.FrameRate != 100 || m.NMels != 80 || m.FMaxHz != 8000 || m.F0Hz[0] != 120 || m.frames() != 2 {
		t.Errorf("panel is %+v", m)
	}
	if math.Abs(float64(m.LogMel[3])-math.Log(0.5)) > 1e-5 {
		t.Errorf("0.5 became %g, want ln 0.5", m.LogMel[3])
	}
	if err := m.validate(); err != nil {
		t.Error(err)
	}
}
