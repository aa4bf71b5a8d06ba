// Package weights draws weights for networks that have learnt nothing. It knows their names and shapes only, so that the tests
// inside the packages of those networks can use it too.
package weights

import (
	"math"
	"math/rand/v2"
	"strings"

	"github.com/starvc/vc/features"
)

// Param is a weight's name and shape, as gan.Param and vocoder.Param have them.
type Param interface {
	~struct {
		Name  string
		Shape []int
	}
}

// Star draws the weights of a voice model and the pitch of its speakers. They are scaled so that activations stay of moderate size,
// and nothing is zero or one where a mistake could hide behind it. Depthwise convolutions have so many taps as kernel says.
func Star[P Param](params []P, kernel, speakers int, seed uint64) (map[string][]float32, []features.Pitch) {
	r := rand.New(rand.NewPCG(seed, 0x5eed))
	tensors := map[string][]float32{}
	for _, p := range params {
		name, shape, data := parts(p)
		spread, centre := 0.1, 0.0
		switch {
		case strings.HasSuffix(name, ".gain"):
			centre = 1
		case name == "speakers.style":
			spread = 1
		case strings.HasSuffix(name, ".dw.w"):
			spread = 1 / math.Sqrt(float64(kernel))
		case strings.HasSuffix(name, ".head.w") && len(shape) == 3:
			spread = 1 / math.Sqrt(float64(shape[1]))
		case strings.HasSuffix(name, ".w"):
			out := shape[len(shape)-1]
			spread = 1 / math.Sqrt(float64(len(data)/out))
		}
		for i := range data {
			data[i] = float32(centre + spread*r.NormFloat64())
		}
		tensors[name] = data
	}
	pitch := make([]features.Pitch, speakers)
	for i := range pitch {
		pitch[i] = features.Pitch{Mean: 4.7 + 0.6*r.Float64(), Std: 0.15 + 0.1*r.Float64()}
	}
	return tensors, pitch
}

// Vocoder draws the weights of a neural vocoder, of the size that they have when a training begins.
func Vocoder[P Param](params []P, seed uint64) map[string][]float32 {
	r := rand.New(rand.NewPCG(seed, 0x766f63))
	tensors := map[string][]float32{}
	for _, p := range params {
		name, shape, data := parts(p)
		mean, spread := 0.0, 0.02
		switch {
		case strings.HasSuffix(name, ".gain"):
			mean = 1
		case strings.HasSuffix(name, ".w"):
			spread = 0.5 / math.Sqrt(float64(shape[0]))
		}
		for i := range data {
			data[i] = float32(mean + spread*r.NormFloat64())
		}
		tensors[name] = data
	}
	return tensors
}

func parts[P Param](p P) (name string, shape []int, data []float32) {
	s := struct {
		Name  string
		Shape []int
	}(p)
	numbers := 1
	for _, d := range s.Shape {
		numbers *= d
	}
	return s.Name, s.Shape, make([]float32, numbers)
}
