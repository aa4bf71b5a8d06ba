package run

import (
	"fmt"
	"math"

	"github.com/starvc/vc/features"
)

// Fault tells speech from what a network makes that has learnt nothing: silence, a beep, noise, a drone. A trained
// model is handed over as done only if what comes out of it is speech; a few recordings that went through it are compared with
// themselves as they were in what all speech has in common, whoever speaks.

// speechSigns are what is measured, over the frames that are within activeDB of the loudest.
type speechSigns struct {
	rmsDB    float64 // level of all frames, dB below full scale
	rangeDB  float64 // standard deviation of the frame level, dB, over all frames above -70 dB
	voiced   float64 // share of voiced frames, 0 to 1
	entropy  float64 // of the mean power over the mel bands, 0 (one band) to 1 (all alike)
	movement float64 // standard deviation over time of the bands' levels, each frame's mean taken off, dB
}

const (
	silentDB       = -60.0 // below it is no sound to speak of
	activeDB       = 30.0
	decibelsPerLog = 8.685889638065037 // of a natural logarithm of a magnitude
	floorDB        = -70.0
)

// measureSpeech measures frames, all of them.
func measureSpeech(cfg features.Config, f features.Frames) speechSigns {
	s := speechSigns{rmsDB: math.Inf(-1)}
	n, m := f.Len(), cfg.NMels
	var power, loudest float64
	loudest = math.Inf(-1)
	for _, e := range f.LogEnergy {
		power += math.Exp(2*float64(e)) / float64(n)
		loudest = max(loudest, decibelsPerLog*float64(e))
	}
	s.rmsDB = 10 * math.Log10(power+1e-20)
	var levels spread
	bands := make([]spread, m)
	mean := make([]float64, m)
	row := make([]float64, m)
	active, voiced := 0, 0
	for t := range n {
		level := decibelsPerLog * float64(f.LogEnergy[t])
		if level > floorDB {
			levels.add(level)
		}
		if level < max(loudest-activeDB, floorDB) {
			continue
		}
		active++
		if f.F0[t] > 0 {
			voiced++
		}
		average := 0.0
		for k, v := range f.Mel(t) {
			magnitude := max(cfg.DenormalizeMel(v), 1e-5)
			mean[k] += magnitude * magnitude
			row[k] = decibelsPerLog * math.Log(magnitude)
			average += row[k] / float64(m)
		}
		for k := range row {
			bands[k].add(row[k] - average)
		}
	}
	s.rangeDB = levels.deviation()
	if active == 0 {
		return s
	}
	s.voiced = float64(voiced) / float64(active)
	total := 0.0
	for k := range mean {
		total += mean[k]
		s.movement += bands[k].deviation() / float64(m)
	}
	for k := range mean {
		if p := mean[k] / total; p > 0 {
			s.entropy -= p * math.Log(p) / math.Log(float64(m))
		}
	}
	return s
}

// spread is a running standard deviation.
type spread struct{ n, sum, squares float64 }

func (s *spread) add(v float64) { s.n, s.sum, s.squares = s.n+1, s.sum+v, s.squares+v*v }

func (s *spread) deviation() float64 {
	if s.n == 0 {
		return 0
	}
	mean := s.sum / s.n
	return math.Sqrt(max(0, s.squares/s.n-mean*mean))
}

// follows is the correlation of the two levels over the frames, -1 to 1, 1 where a source has no ups and downs to follow.
func follows(source, output features.Frames) float64 {
	n := min(source.Len(), output.Len())
	var x, y spread
	products := 0.0
	for t := range n {
		a := max(decibelsPerLog*float64(source.LogEnergy[t]), floorDB)
		b := max(decibelsPerLog*float64(output.LogEnergy[t]), floorDB)
		x.add(a)
		y.add(b)
		products += a * b
	}
	dx, dy := x.deviation(), y.deviation()
	if dx < 3 {
		return 1
	}
	if dy < 1e-3 {
		return 0
	}
	return (products/x.n - x.sum/x.n*y.sum/y.n) / (dx * dy)
}

// Fault compares output, what a network made of source, with it, and says what is wrong, or nothing; it fits behind "it is". Either
// has the features of the whole sound. Models of preset tiny after
// 300 steps, on voices that they had not heard, gave an entropy within 0.07 of the source's and a correlation of 0.92 or
// more; random weights gave an entropy that is less by 0.22 to 0.50, and a correlation of -0.5 to 0.6. A voice with little above 400 Hz
// can have 0.2 less than a bright source and is speech all the same: its spectrum moves by 9 dB as the source's does, where that of
// a beep or a hum in the source's rhythm moves by 2 or 3.
func Fault(cfg features.Config, source, output features.Frames) string {
	from, to := measureSpeech(cfg, source), measureSpeech(cfg, output)
	switch {
	case to.rmsDB < silentDB || to.rmsDB < from.rmsDB-35:
		return fmt.Sprintf("silence: %.0f dBFS, the source has %.0f", to.rmsDB, from.rmsDB)
	case to.entropy < from.entropy-0.35, to.entropy < from.entropy-0.2 && to.movement < from.movement*2/3:
		return fmt.Sprintf("a beep or a hum: nearly all its sound is in a few bands (spectral entropy %.2f, the source has %.2f)", to.entropy, from.entropy)
	case to.entropy > 0.97 && to.entropy > from.entropy+0.1:
		return fmt.Sprintf("noise: its sound is spread evenly over all bands (spectral entropy %.2f, the source has %.2f)", to.entropy, from.entropy)
	case from.movement > 4 && to.movement < from.movement/5:
		return fmt.Sprintf("a drone: its spectrum hardly moves (%.1f dB, the source's moves by %.1f)", to.movement, from.movement)
	case from.voiced > 0.2 && to.voiced < from.voiced/5:
		return fmt.Sprintf("a whisper or noise: %.0f %% of it has a pitch, of the source %.0f %%", 100*to.voiced, 100*from.voiced)
	}
	if c := follows(source, output); c < 0.6 {
		return fmt.Sprintf("not the source's words: its loudness does not follow the source's (correlation %.2f)", c)
	}
	return ""
}
