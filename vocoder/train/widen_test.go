package train

import (
	"math"
	"testing"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/vocoder"
)

// A widened vocoder's frames begin as they were: the same gains and phases up to 8 kHz whatever the bands above say.
func TestWiden(t *testing.T) {
	net, err := vocoder.NetPreset("tiny", features.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	weights := map[string][]float32{}
	for _, p := range net.Params() {
		weights[p.Name] = initial(p, 7)
	}
	for i := range weights["voc.head.b"] {
		weights["voc.head.b"][i] = float32(i % 5)
	}
	narrow, err := vocoder.NewNet(net, nil, weights)
	if err != nil {
		t.Fatal(err)
	}
	to, err := features.ConfigForRate(24000)
	if err != nil {
		t.Fatal(err)
	}
	grown, err := widen(narrow, to)
	if err != nil {
		t.Fatal(err)
	}
	wide := grown.Config()

	// One linear layer after the other tells whether rows and columns lie where they should.
	mix := func(n *vocoder.Net, in []float32) []float32 {
		c := n.Config()
		h := make([]float64, c.Width)
		for i, v := range in {
			for j := range h {
				h[j] += float64(v) * float64(n.Tensor("voc.stem.w")[i*c.Width+j])
			}
		}
		out := make([]float32, c.Outputs())
		for k := range out {
			sum := float64(n.Tensor("voc.head.b")[k])
			for j, v := range h {
				sum += v * float64(n.Tensor("voc.head.w")[j*c.Outputs()+k])
			}
			out[k] = float32(sum)
		}
		return out
	}
	narrowIn, wideIn := make([]float32, net.Inputs()), make([]float32, wide.Inputs())
	for i := range wideIn {
		wideIn[i] = 9 // the upper bands' own
	}
	n, m := net.Features.NMels, to.NMels
	for i := range narrowIn {
		narrowIn[i] = float32(math.Sin(float64(i)))
		group := min(i/n, 3)
		wideIn[group*m+i-group*n] = narrowIn[i]
	}
	want, have := mix(narrow, narrowIn), mix(grown, wideIn)
	bins, more := net.Features.Bins(), to.Bins()
	for part := range 4 {
		for k := range bins - 1 {
			if d := math.Abs(float64(want[part*bins+k] - have[part*more+k])); d > 1e-4 {
				t.Fatalf("part %d, bin %d: %g, want %g", part, k, have[part*more+k], want[part*bins+k])
			}
		}
		for k := bins; k < more; k++ {
			if v := have[part*more+k]; v != have[part*more+bins-1] {
				t.Fatalf("part %d, bin %d: %g is not that of its neighbour", part, k, v)
			}
		}
	}

	if _, err := widen(grown, net.Features); err == nil {
		t.Error("a vocoder was narrowed")
	}
	if same, err := widen(narrow, net.Features); err != nil || same != narrow {
		t.Errorf("to the same rate: %v", err)
	}
}
