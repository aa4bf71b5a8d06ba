package corpus

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/starvc/vc/audio"
)

// Thresholds of the lint. Levels are dB relative to full scale.
const (
	minFileSeconds   = 0.5
	silentDB         = -60.0 // no block of the recording is louder: silence
	quietDB          = -45.0 // speech below it is very quiet
	pauseDB          = 35.0  // blocks this far below the speech level are pauses
	minActiveSeconds = 0.2
	mostlySilence    = 0.15 // share of blocks with sound
	noisyDB          = 15.0 // speech level over noise floor
	noiseSeconds     = 2.0  // shorter recordings may have no pause to find noise or hum in
	clipLevel        = 0.985
	humDB            = -60.0
	humOverDB        = 15.0 // over the bands beside it
)

// lintClip looks for faults in a decoded recording at its own rate. Path is left empty. When a Problem says Skipped the
// recording cannot be used, and the list ends there. targetRate is the rate of the features.
func lintClip(x []float32, rate, targetRate int) []Problem {
	seconds := float64(len(x)) / float64(rate)
	if seconds < minFileSeconds {
		return []Problem{{Kind: TooShort, Detail: fmt.Sprintf("%.2f s, at least %.1f s are needed", seconds, minFileSeconds), Skipped: true}}
	}
	for i, v := range x {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return []Problem{{Kind: NonFinite, Detail: fmt.Sprintf("sample %d is %v", i, v), Skipped: true}}
		}
	}
	blocks := blockLevels(audio.WithoutRumble(x, rate), rate/50)
	sorted := slices.Sorted(slices.Values(blocks))
	speech, loudest := percentile(sorted, 0.95), sorted[len(sorted)-1]
	if loudest < silentDB {
		detail := fmt.Sprintf("nothing above %.0f dB", math.Ceil(loudest))
		if loudest == floorDB {
			detail = "digital silence"
		}
		return []Problem{{Kind: Silent, Detail: detail, Skipped: true}}
	}
	active := 0
	for _, b := range blocks {
		if b > max(loudest-pauseDB-10, silentDB) {
			active++
		}
	}
	if s := float64(active) / 50; s < minActiveSeconds {
		return []Problem{{Kind: Silent, Detail: fmt.Sprintf("only %.2f s of sound", s), Skipped: true}}
	}

	var problems []Problem
	add := func(kind Kind, format string, args ...any) {
		problems = append(problems, Problem{Kind: kind, Detail: fmt.Sprintf(format, args...)})
	}
	if runs := ClippedRuns(x, max(3, rate/8000)); runs > 0 {
		add(Clipped, "at %s", count(runs, "place"))
	}
	if speech < quietDB && loudest < quietDB+10 {
		add(Quiet, "speech at %.0f dB", speech)
	}
	if share := float64(active) / float64(len(blocks)); share < mostlySilence {
		add(MostlySilence, "%.0f %% of %.1f s is sound", 100*share, seconds)
	} else if seconds >= noiseSeconds {
		if snr := speech - percentile(sorted, 0.05); snr < noisyDB {
			add(Noisy, "quietest parts only %.0f dB under the speech", snr)
		}
	}
	if seconds >= noiseSeconds {
		for _, hz := range []float64{50, 60} {
			if level, ok := humLevel(x, rate, hz); ok {
				add(Hum, "%.0f Hz at %.0f dB", hz, level)
			}
		}
	}
	if rate < targetRate {
		add(NarrowBand, "recorded at %d Hz, so nothing above %d Hz", rate, rate/2)
	}
	return problems
}

// floorDB stands for digital silence.
const floorDB = -120.0

// blockLevels is the RMS level in dB of consecutive blocks of n samples, the recording's mean taken off. What is left
// at the end is no block.
func blockLevels(x []float32, n int) []float64 {
	n = max(n, 1)
	var mean float64
	for _, v := range x {
		mean += float64(v)
	}
	mean /= float64(max(len(x), 1))
	levels := make([]float64, 0, len(x)/n)
	for ; len(x) >= n; x = x[n:] {
		var sum float64
		for _, v := range x[:n] {
			d := float64(v) - mean
			sum += d * d
		}
		levels = append(levels, powerDB(sum/float64(n)))
	}
	return levels
}

func powerDB(p float64) float64 {
	if p <= 1e-12 {
		return floorDB
	}
	return 10 * math.Log10(p)
}

// percentile of values in ascending order.
func percentile(sorted []float64, q float64) float64 {
	return sorted[int(math.Round(q*float64(len(sorted)-1)))]
}

// ClippedRuns counts the places where at least least samples in a row stand still at full scale. A loud peak that was
// not cut off moves by more than one 16-bit step over that time.
func ClippedRuns(x []float32, least int) int {
	runs := 0
	for i := 0; i < len(x); {
		v := x[i]
		j := i + 1
		if v >= clipLevel || v <= -clipLevel {
			for j < len(x) && x[j] == v {
				j++
			}
			if j-i >= least {
				runs++
			}
		}
		i = j
	}
	return runs
}

// humLevel looks for a tone of the mains in the quietest quarter of the recording: the median level in dB, and whether
// it is loud enough and stands out of the bands 5 Hz beside it. Blocks of 0.4 s hold whole periods of all three.
func humLevel(x []float32, rate int, hz float64) (float64, bool) {
	n := max(rate*2/5, 1)
	levels := blockLevels(x, n)
	order := make([]int, len(levels))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(levels[a], levels[b]) })
	quietest := order[:(len(order)+3)/4]
	window := make([]float64, n) // periodic Hann, whose zeros lie 5 Hz from the tone
	for i := range window {
		window[i] = 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(n))
	}
	tone := make([]float64, len(quietest))
	over := make([]float64, len(quietest))
	for i, block := range quietest {
		b := x[block*n : (block+1)*n]
		tone[i] = toneLevel(b, window, rate, hz)
		over[i] = tone[i] - max(toneLevel(b, window, rate, hz-5), toneLevel(b, window, rate, hz+5))
	}
	slices.Sort(tone)
	slices.Sort(over)
	t := percentile(tone, 0.5)
	return t, t > humDB && percentile(over, 0.5) > humOverDB
}

// toneLevel is the level in dB of the sine of that frequency in x under a window of mean 0.5, by Goertzel's recursion.
func toneLevel(x []float32, window []float64, rate int, hz float64) float64 {
	w := 2 * math.Cos(2*math.Pi*hz/float64(rate))
	var s1, s2 float64
	for i, v := range x {
		s1, s2 = float64(v)*window[i]+w*s1-s2, s1
	}
	amplitude := math.Sqrt(max(s1*s1+s2*s2-w*s1*s2, 0)) * 4 / float64(len(x))
	return powerDB(amplitude * amplitude / 2)
}
