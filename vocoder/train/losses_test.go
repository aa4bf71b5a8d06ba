package train

import (
	"math"
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/features"
)

func noise(n int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, seed))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(0.3 * r.NormFloat64())
	}
	return x
}

func TestSpectralLoss(t *testing.T) {
	const n = 4096
	x := noise(2*n, 1)
	loud := make([]float32, len(x))
	for i, v := range x {
		loud[i] = 2 * v
	}
	both := func(in []*Node) *Node {
		l, c := SpectralLoss(in[0], in[1])
		return Concatenate([]*Node{Reshape(l, 1), Reshape(c, 1)}, 0)
	}
	of := func(a, b []float32) []float32 {
		return call(t, both, tensors.FromFlatDataAndDimensions(a, 2, n), tensors.FromFlatDataAndDimensions(b, 2, n))
	}
	if v := of(x, x); v[0] > 1e-6 || v[1] > 1e-3 {
		t.Errorf("a sound against itself: %v, want 0", v)
	}
	v := of(x, loud)
	if math.Abs(float64(v[0])-math.Ln2) > 0.01 {
		t.Errorf("twice as loud: log distance %g, want ln 2", v[0])
	}
	if math.Abs(float64(v[1])-1) > 0.01 { // |2x - x| / |x|
		t.Errorf("twice as loud: convergence %g, want 1", v[1])
	}
}

// A sine of amplitude 1 has a peak of 1 in every resolution.
func TestMagnitudesScale(t *testing.T) {
	x := make([]float32, 4096)
	for i := range x {
		x[i] = float32(math.Cos(2 * math.Pi * float64(i) / 8))
	}
	for _, length := range spectralWindows {
		mags := call(t, func(in []*Node) *Node { return magnitudes(in[0], length, length/4, length, 4/float64(length)) },
			tensors.FromFlatDataAndDimensions(x, 1, len(x)))
		bins := length/2 + 1
		for f := range len(mags) / bins {
			if peak := mags[f*bins+length/8]; math.Abs(float64(peak)-1) > 1e-3 {
				t.Fatalf("window %d, frame %d: peak %g", length, f, peak)
			}
		}
	}
}

// The loss's log-mel is the one that features makes, of frames that lie half a window later.
func TestMelIsThatOfFeatures(t *testing.T) {
	cfg := features.DefaultConfig()
	x := noise(20*cfg.Hop, 4)
	got := call(t, func(in []*Node) *Node { return logMel(cfg, in[0]) }, tensors.FromFlatDataAndDimensions(x, 1, len(x)))
	shifted := append(make([]float32, 2*cfg.Hop-cfg.WinLength/2), x...) // so that frame 2 begins where x does
	want, err := features.Extract(cfg, shifted)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if d := math.Abs(float64(got[i] - want.LogMel[2*cfg.NMels+i])); d > 2e-3 {
			t.Fatalf("frame %d band %d: %g, want %g", i/cfg.NMels, i%cfg.NMels, got[i], want.LogMel[2*cfg.NMels+i])
		}
	}
}

func TestAdversarialLosses(t *testing.T) {
	verdicts := func(x *Node) []verdict { return []verdict{{logits: x, layers: []*Node{x, MulScalar(x, 2)}}} }
	logits := func(v ...float32) *tensors.Tensor { return tensors.FromFlatDataAndDimensions(v, 1, len(v)) }
	for _, c := range []struct {
		name  string
		build func(in []*Node) *Node
		want  float64
	}{
		{"hinge", func(in []*Node) *Node { return DiscriminatorLoss(verdicts(in[0]), verdicts(in[1])) }, (0+1)/2.0 + (0.5+0)/2},
		{"adversarial", func(in []*Node) *Node { return AdversarialLoss(verdicts(in[1])) }, 1.25},
		{"matching", func(in []*Node) *Node { return MatchingLoss(verdicts(in[0]), verdicts(in[0])) }, 0},
		{"matching", func(in []*Node) *Node { return MatchingLoss(verdicts(in[0]), verdicts(in[1])) }, 2.25},
	} {
		got := call(t, func(in []*Node) *Node { return Reshape(c.build(in), 1) }, logits(2, 0), logits(-0.5, -2))[0]
		if math.Abs(float64(got)-c.want) > 0.01 {
			t.Errorf("%s: %g, want %g", c.name, got, c.want)
		}
	}
}

// Each discriminator tells a buzz from a hiss by its own kind of look: its logits must not all be alike.
func TestDiscriminatorsHear(t *testing.T) {
	c := microConfig(t)
	u := sung(c.Net.Features, 30, 1)
	n := 4096
	vars := call2(t, c, func(j func(x *Node) []verdict, in []*Node) []*Node {
		var out []*Node
		for i, v := range j(in[0]) {
			out = append(out, ReduceAllMean(Abs(Sub(v.logits, j(in[1])[i].logits))))
		}
		return out
	}, tensors.FromFlatDataAndDimensions(u.sound[:n], 1, n), tensors.FromFlatDataAndDimensions(noise(n, 2), 1, n))
	if len(vars) != len(discPeriods)+len(discWindows) {
		t.Fatalf("%d discriminators", len(vars))
	}
	for i, v := range vars {
		if !(v > 1e-4) {
			t.Errorf("discriminator %d hears no difference: %g", i, v)
		}
	}
}
