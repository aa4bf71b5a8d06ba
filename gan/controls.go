package gan

import (
	"math"

	"github.com/starvc/vc/features"
)

// AppendControls appends a frame's Controls values for each frame to dst: log-F0 standardised by a fixed map (0
// where there is no voice), 1 or 0 for voiced, and log-energy to about unit variance. f0 is in Hz, 0 for unvoiced,
// and is the TARGET's: a PitchMap has been applied already. logEnergy is features.Frames.LogEnergy.
func AppendControls(dst, f0, logEnergy []float32) []float32 {
	have := len(dst)
	dst = grow(dst, Controls*len(f0))
	for t, hz := range f0 {
		c := dst[have+Controls*t:][:Controls]
		c[0], c[1], c[2] = 0, 0, (logEnergy[t]+5)/2
		if hz > 0 {
			c[0], c[1] = float32((math.Log(float64(hz))-lnCentreHz)/0.5), 1
		}
	}
	return dst
}

// lnCentreHz is the log-F0 that counts as 0: 150 Hz, between low and high voices.
const lnCentreHz = 5.0106352940962555

// leastStd is half a semitone: no voice is flatter, but an estimate may be.
const leastStd = 0.03

// PitchMap takes a source's F0 to where the target would have it: standardised by the source's pitch, rescaled to the target's,
// shifted by semitones.
type PitchMap struct {
	Source, Target features.Pitch
	Semitones      float64
	KeepIntervals  bool // a semitone of the source stays one: the spreads do not count
}

// Hz maps one F0 in Hz:
//
//	exp((ln f0 - source.Mean) / source.Std * target.Std + target.Mean) * 2^(semitones/12)
//
// without the quotient of the spreads where intervals are kept. Unvoiced, 0, stays 0. Spreads below half a semitone count as that, and the result is kept within 20 to 2000 Hz.
func (p PitchMap) Hz(f0 float32) float32 {
	if !(f0 > 0) {
		return 0
	}
	slope := max(p.Target.Std, leastStd) / max(p.Source.Std, leastStd)
	if p.KeepIntervals {
		slope = 1
	}
	v := (math.Log(float64(f0))-p.Source.Mean)*slope + p.Target.Mean + p.Semitones*(math.Ln2/12)
	return float32(math.Exp(min(max(v, math.Log(20)), math.Log(2000))))
}
