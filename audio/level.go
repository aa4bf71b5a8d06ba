package audio

import (
	"math"
	"time"
)

// Level returns the root mean square and the peak of x in dB relative to full scale: a square wave from -1 to 1 has
// 0 dB in both, a full sine -3 dB RMS. Silence, and an empty x, give -Inf.
func Level(x []float32) (rmsDB, peakDB float64) {
	var energy float64
	var peak float32
	for _, v := range x {
		energy += float64(v) * float64(v)
		peak = max(peak, v, -v)
	}
	return 10 * math.Log10(energy/float64(max(1, len(x)))), 20 * math.Log10(float64(peak))
}

// normalizePeakDB is the highest peak that Normalize leaves, so that filtering afterwards does not clip.
const normalizePeakDB = -1

// Normalize scales x in place to an RMS of targetDB relative to full scale and returns the gain in dB. Where that
// would lift the peak above -1 dB the gain is the lower one that keeps the peak there. Silence stays as it is.
func Normalize(x []float32, targetDB float64) (gainDB float64) {
	rmsDB, peakDB := Level(x)
	if math.IsInf(rmsDB, -1) {
		return 0
	}
	gainDB = min(targetDB-rmsDB, normalizePeakDB-peakDB)
	Amplify(x, gainDB)
	return gainDB
}

// Amplify scales x in place by a gain in dB.
func Amplify(x []float32, gainDB float64) { amplify(x, gainOf(gainDB)) }

// gainOf is a gain in dB as a factor.
func gainOf(dB float64) float32 { return float32(math.Pow(10, dB/20)) }

func amplify(x []float32, gain float32) {
	if gain == 1 {
		return
	}
	for i := range x {
		x[i] *= gain
	}
}

// TrimSilence returns where the sound in x (rate in Hz) begins and ends: x[start:end] holds everything from the first
// to the last window of 20 ms, taken every 10 ms, whose RMS is within rangeDB (positive, 40 is usual for speech) of
// the loudest window's, with up to margin kept on both sides. Digital silence gives 0, 0.
func TrimSilence(x []float32, rate int, rangeDB float64, margin time.Duration) (start, end int) {
	hop := max(1, rate/100)
	energies := make([]float64, (len(x)+hop-1)/hop) // of the hops; two make a window
	for i := range energies {
		for _, v := range x[i*hop : min((i+1)*hop, len(x))] {
			energies[i] += float64(v) * float64(v)
		}
	}
	window := func(i int) float64 {
		if i+1 < len(energies) {
			return energies[i] + energies[i+1]
		}
		return energies[i]
	}
	var loudest float64
	for i := range energies {
		loudest = max(loudest, window(i))
	}
	if loudest == 0 {
		return 0, 0
	}
	threshold := loudest * math.Pow(10, -rangeDB/10)
	first, last := len(energies), 0
	for i := range energies {
		if window(i) >= threshold {
			first, last = min(first, i), i
		}
	}
	pad := int(margin.Seconds() * float64(rate))
	return max(0, first*hop-pad), min(len(x), (last+2)*hop+pad)
}
