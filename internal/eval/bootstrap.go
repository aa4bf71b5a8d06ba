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
func (v Interval) String() string { return v.format(1, 2) }

// fewest is how many values it takes for an interval to say anything.
const fewest = 3

// format is the mean times scale, with the interval where there are enough values for one.
func (v Interval) format(scale float64, decimals int) string {
	switch {
	case math.IsNaN(v.Mean):
		return "-"
	case v.N < fewest:
		return fmt.Sprintf("%.*f", decimals, scale*v.Mean)
	}
	return fmt.Sprintf("%.*f [%.*f, %.*f]", decimals, scale*v.Mean, decimals, scale*v.Low, decimals, scale*v.High)
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

// BootstrapGroups is the weighted mean of values with its percentile interval, where values of one group are alike, as
// recordings of one pair of speakers are: whole groups are drawn. With a single group it draws values. Values that are
// NaN or without weight do not count. The same input gives the same interval.
func BootstrapGroups(values, weights []float64, groups []int) Interval {
	type sums struct{ value, weight float64 }
	var drawn []sums // what is drawn: groups, or values where there is one group
	var total sums
	index := map[int]int{}
	n := 0
	for i, v := range values {
		if math.IsNaN(v) || !(weights[i] > 0) {
			continue
		}
		n++
		s := sums{v * weights[i], weights[i]}
		total.value, total.weight = total.value+s.value, total.weight+s.weight
		if at, ok := index[groups[i]]; ok {
			drawn[at].value, drawn[at].weight = drawn[at].value+s.value, drawn[at].weight+s.weight
		} else {
			index[groups[i]] = len(drawn)
			drawn = append(drawn, s)
		}
	}
	if n == 0 {
		return Interval{math.NaN(), math.NaN(), math.NaN(), 0}
	}
	if len(drawn) == 1 {
		drawn = drawn[:0]
		for i, v := range values {
			if !math.IsNaN(v) && weights[i] > 0 {
				drawn = append(drawn, sums{v * weights[i], weights[i]})
			}
		}
	}
	random := rand.New(rand.NewPCG(1, uint64(len(drawn))))
	means := make([]float64, resamples)
	for i := range means {
		var s sums
		for range drawn {
			d := drawn[random.IntN(len(drawn))]
			s.value, s.weight = s.value+d.value, s.weight+d.weight
		}
		means[i] = s.value / s.weight
	}
	slices.Sort(means)
	return Interval{Mean: total.value / total.weight, Low: means[resamples*25/1000], High: means[resamples*975/1000], N: n}
}
