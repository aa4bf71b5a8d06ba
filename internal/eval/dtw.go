package eval

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Alignment pairs the frames of two recordings: frame Ref[i] of the one with frame Test[i] of the other. Both rise or
// stay, never both stay. It can be used again for any recording with the timing of one of the two.
type Alignment struct {
	Ref, Test []int
}

// maxCells bounds the memory of an alignment to 100 MB, two recordings of over a minute and a half without silence.
const maxCells = 100e6

// The steps that lead into a cell.
const (
	stepBoth byte = iota
	stepRef
	stepTest
)

// Align pairs the active frames of two recordings by dynamic time warping (Sakoe and Chiba, 1978; symmetric steps of
// equal weight, no slope limit): of all monotonic paths from both first active frames to both last ones it is the one
// with the least sum of mel-cepstral distances. It is an error if the two were analysed with different Configs or are
// very long.
func Align(ref, test *Utterance) (Alignment, error) {
	if ref.cfg != test.cfg {
		return Alignment{}, errors.New("eval: recordings analysed with different configurations")
	}
	rows, columns := len(ref.active), len(test.active)
	if rows*columns > maxCells {
		return Alignment{}, fmt.Errorf("eval: recordings of %d and %d frames are too long to align: cut them into sentences", rows, columns)
	}
	steps := make([]byte, rows*columns)
	above, cost := make([]float64, columns), make([]float64, columns)
	for i, a := range ref.active {
		for j, b := range test.active {
			best, step := math.Inf(1), stepBoth
			switch {
			case i > 0 && j > 0:
				best = above[j-1]
			case i == 0 && j == 0:
				best = 0
			}
			if i > 0 && above[j] < best {
				best, step = above[j], stepRef
			}
			if j > 0 && cost[j-1] < best {
				best, step = cost[j-1], stepTest
			}
			cost[j] = best + math.Sqrt(squaredDistance(ref.at(a), test.at(b)))
			steps[i*columns+j] = step
		}
		above, cost = cost, above
	}
	var path Alignment
	for i, j := rows-1, columns-1; i >= 0 && j >= 0; {
		path.Ref = append(path.Ref, ref.active[i])
		path.Test = append(path.Test, test.active[j])
		switch steps[i*columns+j] {
		case stepBoth:
			i, j = i-1, j-1
		case stepRef:
			i--
		case stepTest:
			j--
		}
	}
	slices.Reverse(path.Ref)
	slices.Reverse(path.Test)
	return path, nil
}

// at is the cepstrum of frame t, [Order].
func (u *Utterance) at(t int) []float64 { return u.cepstra[t*u.cfg.Order : (t+1)*u.cfg.Order] }

func squaredDistance(a, b []float64) float64 {
	b = b[:len(a)]
	var sum float64
	for i, v := range a {
		d := v - b[i]
		sum += d * d
	}
	return sum
}
