package gan

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/starvc/vc/features"
)

func TestEcho(t *testing.T) {
	for _, rate := range []int{16000, 24000} {
		f, err := features.ConfigForRate(rate)
		if err != nil {
			t.Fatal(err)
		}
		m := Echo(f)
		for _, lookAhead := range []int{0, 3} {
			g, err := NewGenerator(m, lookAhead)
			if err != nil {
				t.Fatal(err)
			}
			g.SetStyle(m.Style(0))
			r := rand.New(rand.NewPCG(1, 1))
			x := make([]float32, 50*f.NMels)
			for i := range x {
				x[i] = float32(4 * (r.Float64() - 0.5))
			}
			y := g.Flush(g.Process(nil, x, make([]float32, 50*Controls)))
			for i, v := range y {
				if math.Abs(float64(v-x[i])) > 2e-3 {
					t.Fatalf("%d Hz, look-ahead %d: number %d is %g, want %g", rate, lookAhead, i, v, x[i])
				}
			}
		}
	}
}
