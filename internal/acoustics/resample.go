package acoustics

import "math"

// A sound is read at another speed by a windowed sinc of sincTaps samples, tabulated at sincPhases places between two
// samples. For speeds above 1 its pass band ends lower, in steps, so that nothing folds back into speech.
const (
	sincTaps   = 20
	sincPhases = 256
)

// speedTables are kernels for cut-offs of 1, 0.95, 0.9, ... of half the rate.
var speedTables = func() (tables [11][(sincPhases + 1) * sincTaps]float32) {
	for t := range tables {
		cutoff := 0.97 * (1 - 0.05*float64(t))
		for p := range sincPhases + 1 {
			var sum float64
			row := tables[t][p*sincTaps : (p+1)*sincTaps]
			for j := range row {
				at := float64(j-sincTaps/2+1) - float64(p)/sincPhases
				v := cutoff
				if at != 0 {
					v = math.Sin(math.Pi*cutoff*at) / (math.Pi * at)
				}
				v *= 0.5 + 0.5*math.Cos(math.Pi*math.Max(-1, math.Min(1, at/(sincTaps/2))))
				row[j] = float32(v)
				sum += v
			}
			for j := range row {
				row[j] /= float32(sum)
			}
		}
	}
	return tables
}()

// ReadAt fills dst with the 16-bit sound x times gain, from a place on (in samples of x, which may lie before its
// beginning) and at a speed: speed samples of x to one of dst, 0.5 to 2. At speed 2 tempo and pitch are twice, and
// formants lie twice as high. Outside of x there is silence.
func ReadAt(dst []float32, x []int16, gain float32, from, speed float64) {
	if speed == 1 && from == math.Floor(from) {
		at := int(from)
		for i := range dst {
			dst[i] = 0
			if k := at + i; k >= 0 && k < len(x) {
				dst[i] = gain * float32(x[k])
			}
		}
		return
	}
	t := 0
	if speed > 1 {
		t = min(int(math.Ceil((1-1/speed)/0.05)), len(speedTables)-1)
	}
	table := &speedTables[t]
	for i := range dst {
		at := from + float64(i)*speed
		whole := math.Floor(at)
		first := int(whole) - sincTaps/2 + 1
		row := table[int((at-whole)*sincPhases+0.5)*sincTaps:][:sincTaps]
		var a, b float32
		if first >= 0 && first+sincTaps <= len(x) {
			in := x[first : first+sincTaps]
			for j := 0; j < sincTaps; j += 2 {
				a += row[j] * float32(in[j])
				b += row[j+1] * float32(in[j+1])
			}
		} else {
			for j, w := range row {
				if k := first + j; k >= 0 && k < len(x) {
					a += w * float32(x[k])
				}
			}
		}
		dst[i] = gain * (a + b)
	}
}
