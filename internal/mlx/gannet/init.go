package gannet

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/mlx"
)

// Initialise fills every weight that is not there yet, from the seed and the weight's name, so that a network's first
// weights do not depend on which others exist. Matrices are normal with variance 1/fan-in (2/fan-in before a ReLU);
// depthwise kernels start as the identity plus a little noise, and a block's second layer small, so that every block begins
// near the identity; gains are 1, biases 0.
func Initialise(vars *mlx.Vars, params []gan.Param, seed uint64) error {
	for _, p := range params {
		if vars.Has(mlx.GroupWeights, p.Name) {
			continue
		}
		n := 1
		for _, d := range p.Shape {
			n *= d
		}
		data := make([]float32, n)
		fillInitial(data, p, seed)
		if err := vars.Set(mlx.GroupWeights, p.Name, p.Shape, data); err != nil {
			return fmt.Errorf("initial weights: %w", err)
		}
	}
	return nil
}

func fillInitial(data []float32, p gan.Param, seed uint64) {
	switch {
	case strings.HasSuffix(p.Name, ".gain"):
		for i := range data {
			data[i] = 1
		}
		return
	case strings.HasSuffix(p.Name, ".b"), strings.HasSuffix(p.Name, ".bias"):
		return
	}
	h := uint64(14695981039346656037)
	for _, c := range []byte(p.Name) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	r := rand.New(rand.NewPCG(seed, h))
	std := initialDeviation(p)
	for i := range data {
		data[i] = float32(r.NormFloat64() * std)
	}
	if strings.HasSuffix(p.Name, ".dw.w") { // [taps, channels]: the last tap is the present frame
		channels := p.Shape[1]
		for c := range channels {
			data[len(data)-channels+c] += 1
		}
	}
}

func initialDeviation(p gan.Param) float64 {
	fanIn := 1
	for _, d := range p.Shape[:len(p.Shape)-1] {
		fanIn *= d
	}
	switch {
	case strings.HasSuffix(p.Name, ".dw.w"):
		return 0.1
	case strings.Contains(p.Name, ".head."):
		if len(p.Shape) == 3 { // [speakers, in, out]
			fanIn = p.Shape[1]
		}
		return math.Sqrt(1 / float64(fanIn))
	case strings.HasSuffix(p.Name, ".ada.w"):
		return 0.5 / math.Sqrt(float64(fanIn))
	case strings.HasSuffix(p.Name, ".down.w") && !strings.Contains(p.Name, ".neck."):
		return 0.3 / math.Sqrt(float64(fanIn))
	case strings.Contains(p.Name, ".conv"), strings.Contains(p.Name, "map.shared"):
		return math.Sqrt(2 / float64(fanIn))
	}
	return math.Sqrt(1 / float64(fanIn))
}
