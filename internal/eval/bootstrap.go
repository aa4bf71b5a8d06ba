package eval

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Interval is a mean with the range in which the mean of the same measurement on other recordings would mostly lie.
type Interval struct {
	Mean      float64 // NaN when there were no values
	Low, High float64 // 95 % bootstrap interval
	N         int     // values
}

// MarshalJSON writes NaN as null.
func (v Interval) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Mean number `json:"mean"`
		Low  number `json:"low"`
		High number `json:"high"`
		N    int    `json:"n"`
	}{number(v.Mean), number(v.Low), number(v.High), v.N})
}

// String is the mean with the interval, two decimals, or a dash when there is none.
func (v Interval) String() string {
	if math.IsNaN(v.Mean) {
		return "-"
	}
	return fmt.Sprintf("%.2f [%.2f, %.2f]", v.Mean, v.Low, v.High)
}

const resamples = 2000

// Bootstrap is the mean of values with its percentile interval from 2000 resamples (Efron, "Bootstrap methods: another
// look at the jackknife", 1979), drawn with a fixed seed, so that the same values give the same interval. NaN values
// do not count. Of few values the interval is too narrow: five sentences give a hint, not a proof.
func Bootstrap(values []float64) Interval {
	x := make([]float64, 0, len(values))
	for _, v := range values {
		if !math.IsNaN(v) {
			x = append(x, v)
		}
	}
	if len(x) == 0 {
		return Interval{math.NaN(), math.NaN(), math.NaN(), 0}
	}
	random := rand.New(rand.NewPCG(1, uint64(len(x))))
	means := make([]float64, resamples)
	for i := range means {
		var sum float64
		for range x {
			sum += x[random.IntN(len(x))]
		}
		means[i] = sum / float64(len(x))
	}
	slices.Sort(means)
	return Interval{Mean: mean(x), Low: means[resamples*25/1000], High: means[resamples*975/1000], N: len(x)}
}
