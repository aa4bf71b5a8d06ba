package bench

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/starvc/vc/internal/simd"
)

// Kernel is the speed of the matrix product.
type Kernel struct {
	Rows   int     `json:"rows"`
	In     int     `json:"in"`
	Out    int     `json:"out"`
	GFLOPS float64 `json:"gflops"`
}

// How long one repetition of a product lasts at least, and how many there are. The lower quartile counts: other programs
// make some slower, and where the clock of a virtual machine jumps, a few seem faster than the processor can be.
const (
	kernelTime   = 2 * time.Millisecond
	kernelRounds = 40
)

// measureKernels times the product that the generator spends its time in: 256 by 768 weights.
func measureKernels() []Kernel {
	const in, out = 256, 768
	r := rand.New(rand.NewPCG(3, 4))
	numbers := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		return x
	}
	w := simd.Pack(numbers(in*out), in, out)
	bias := numbers(out)
	var kernels []Kernel
	for _, rows := range []int{1, 2, 4, 16, 120} {
		x, y := numbers(rows*in), make([]float32, rows*out)
		times := 1
		var rounds []time.Duration
		for len(rounds) < kernelRounds {
			t := start()
			for range times {
				w.Mul(y, x, rows, bias)
			}
			took, _ := t.times()
			if took < kernelTime {
				times *= 2
				rounds = rounds[:0]
				continue
			}
			rounds = append(rounds, took)
		}
		slices.Sort(rounds)
		flops := 2 * float64(rows*in*out) * float64(times)
		kernels = append(kernels, Kernel{rows, in, out, flops / float64(rounds[kernelRounds/4].Nanoseconds())})
	}
	return kernels
}
