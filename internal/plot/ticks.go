package plot

import (
	"math"
	"strconv"
)

// tick is a labelled place on an axis.
type tick struct {
	at    float64
	label string
}

// niceTicks returns at most about want round values (1, 2 or 5 times a power of ten) inside [low, high].
func niceTicks(low, high float64, want int) []tick {
	if !(high > low) || want < 1 {
		return nil
	}
	raw := (high - low) / float64(want)
	mag := math.Pow(10, math.Floor(math.Log10(raw)))
	step := 10 * mag
	for _, m := range []float64{1, 2, 5} {
		if m*mag >= raw {
			step = m * mag
			break
		}
	}
	decimals := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	var t []tick
	for i := math.Ceil(low/step - 1e-9); i*step <= high+step*1e-9; i++ {
		v := i * step
		if v == 0 {
			v = 0 // no negative zero in a label
		}
		t = append(t, tick{v, compact(v, decimals)})
	}
	return t
}

// compact shortens thousands and millions: 20000 becomes 20k.
func compact(v float64, decimals int) string {
	switch a := math.Abs(v); {
	case a >= 1e6:
		return strconv.FormatFloat(v/1e6, 'g', 6, 64) + "M"
	case a >= 10e3:
		return strconv.FormatFloat(v/1e3, 'g', 6, 64) + "k"
	case decimals > 4:
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	return strconv.FormatFloat(v, 'f', decimals, 64)
}

// logTicks returns the powers of ten inside [low, high], with 2 and 5 between them where there are few.
func logTicks(low, high float64) []tick {
	if !(low > 0) || !(high > low) {
		return nil
	}
	marks := []float64{1}
	if math.Log10(high/low) < 2.5 {
		marks = []float64{1, 2, 5}
	}
	var t []tick
	for e := math.Floor(math.Log10(low)); e <= math.Ceil(math.Log10(high)); e++ {
		for _, m := range marks {
			v := m * math.Pow(10, e)
			if v >= low*(1-1e-9) && v <= high*(1+1e-9) {
				t = append(t, tick{v, strconv.FormatFloat(v, 'g', 3, 64)})
			}
		}
	}
	return t
}

// hertzTicks are the frequencies a reader of speech looks for, with a minimal distance in the unit that at returns.
func hertzTicks(low, high, distance float64, at func(hz float64) float64) []tick {
	var t []tick
	last := math.Inf(-1)
	for _, hz := range []float64{0, 100, 250, 500, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 12000, 16000, 24000} {
		if hz < low || hz > high || at(hz)-last < distance {
			continue
		}
		label := strconv.FormatFloat(hz, 'f', -1, 64)
		if hz >= 1000 {
			label = strconv.FormatFloat(hz/1000, 'f', -1, 64) + "k"
		}
		t = append(t, tick{hz, label})
		last = at(hz)
	}
	return t
}
