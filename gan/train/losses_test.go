package train

import (
	"math"
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/starvc/vc/internal/mlx/mlxtest"
)

// tensor makes a float32 tensor of float64 values.
func tensor(values []float64, dims ...int) *tensors.Tensor {
	v := make([]float32, len(values))
	for i, x := range values {
		v[i] = float32(x)
	}
	return tensors.FromFlatDataAndDimensions(v, dims...)
}

// lossCase is one loss on inputs of one shape each, with its value worked out by hand.
type lossCase struct {
	name   string
	inputs [][]float64
	dims   [][]int
	want   float64
	loss   func(in []*Node) *Node
	// fixed inputs are constants to the loss: their gradient is zero by design. data inputs get none.
	fixed, data []int
}

func lossCases() []lossCase {
	ln := math.Log
	softplus := func(x float64) float64 { return ln(1 + math.Exp(x)) }
	// Two frames of two bands with mean -1 and scale 2: v normalised is the magnitude e^(2v-1).
	normalised := func(magnitude float64) float64 { return (ln(magnitude) + 1) / 2 }
	energyOf := func(in []*Node) *Node { return EnergyLoss(in[0], in[1], -1, 2, 0.5) }
	return []lossCase{
		{
			name:   "StyleLoss",
			inputs: [][]float64{{1, 2, 3, 4}, {1.5, 2.25, 1, 8}}, dims: [][]int{{2, 2}, {2, 2}},
			want: (0.5 + 0.25 + 2 + 4) / 4,
			loss: func(in []*Node) *Node { return StyleLoss(in[0], in[1]) },
		},
		{
			name:   "MatchLoss", // distances of 5 and 10 from the reading, 5 between the draws
			inputs: [][]float64{{0, 0}, {3, 4}, {6, 8}}, dims: [][]int{{1, 2}, {1, 2}, {1, 2}},
			want: ((5.0+10)/2 - 5.0/2) / math.Sqrt2, fixed: []int{0},
			loss: func(in []*Node) *Node { return MatchLoss(in[0], in[1], in[2]) },
		},
		{
			name:   "DiversityLoss",
			inputs: [][]float64{{1, -1}, {3, -1.5}}, dims: [][]int{{1, 1, 2}, {1, 1, 2}},
			want: (2 + 0.5) / 2, fixed: []int{1},
			loss: func(in []*Node) *Node { return DiversityLoss(in[0], in[1]) },
		},
		{
			name:   "CycleLoss",
			inputs: [][]float64{{1, 2, 3, 4, 5, 6}, {0, 2.5, 3.5, 4.25, 5.5, 2}}, dims: [][]int{{1, 3, 2}, {1, 3, 2}},
			want: (1 + 0.5 + 0.5 + 0.25 + 0.5 + 4) / 6,
			loss: func(in []*Node) *Node { return CycleLoss(in[0], in[1], nil) },
		},
		{
			name:   "IdentityLoss",
			inputs: [][]float64{{1, 2}, {4, 1.5}}, dims: [][]int{{2, 1, 1}, {2, 1, 1}},
			want: (3 + 0.5) / 2,
			loss: func(in []*Node) *Node { return IdentityLoss(in[0], in[1], nil) },
		},
		{
			name:   "DiscriminatorLoss undecided", // logits of 0 cost ln 2 on either side
			inputs: [][]float64{{0, 0}, {0, 0}}, dims: [][]int{{2}, {2}},
			want: 2 * ln(2),
			loss: func(in []*Node) *Node { return DiscriminatorLoss(in[0], in[1]) },
		},
		{
			name:   "DiscriminatorLoss",
			inputs: [][]float64{{3, -1}, {-2, 5}}, dims: [][]int{{2}, {2}},
			want: (softplus(-3)+softplus(1))/2 + (softplus(-2)+softplus(5))/2,
			loss: func(in []*Node) *Node { return DiscriminatorLoss(in[0], in[1]) },
		},
		{
			name:   "DiscriminatorLoss far off", // where a plain e^x would overflow
			inputs: [][]float64{{-200, 200}, {300, -300}}, dims: [][]int{{2}, {2}},
			want: (200+0)/2.0 + (300+0)/2.0,
			loss: func(in []*Node) *Node { return DiscriminatorLoss(in[0], in[1]) },
		},
		{
			name:   "GeneratorLoss",
			inputs: [][]float64{{2, -4}}, dims: [][]int{{2}},
			want: (softplus(-2) + softplus(4)) / 2,
			loss: func(in []*Node) *Node { return GeneratorLoss(in[0]) },
		},
		{
			name:   "GradientPenalty",
			inputs: [][]float64{{1, 2}, {1.5, 1}}, dims: [][]int{{2}, {2}},
			want: (0.25 + 1) / 2 / 0.01,
			loss: func(in []*Node) *Node { return GradientPenalty(in[0], in[1], 0.1) },
		},
		{
			name:   "ClassifierLoss",
			inputs: [][]float64{{ln(1), ln(2), ln(5), ln(3), ln(4), ln(1)}, {0, 0, 1, 1, 0, 0}}, dims: [][]int{{2, 3}, {2, 3}},
			want: -(ln(5.0/8) + ln(3.0/8)) / 2, data: []int{1},
			loss: func(in []*Node) *Node { return ClassifierLoss(in[0], in[1]) },
		},
		{
			name:   "ContentLoss", // quadratic below 1, linear beyond
			inputs: [][]float64{{0, 0, 0, 0}, {0.5, -0.2, 3, -1.5}}, dims: [][]int{{1, 2, 2}, {1, 2, 2}},
			want: (0.125 + 0.02 + 2.5 + 1) / 4, fixed: []int{0},
			loss: func(in []*Node) *Node { return ContentLoss(in[0], in[1]) },
		},
		{
			name: "EnergyLoss beyond the margin", // means of 2 and 6: a ratio of 3; and of 4 and 4
			inputs: [][]float64{
				{normalised(1), normalised(3), normalised(2), normalised(6)},
				{normalised(4), normalised(8), normalised(5), normalised(3)},
			}, dims: [][]int{{1, 2, 2}, {1, 2, 2}},
			want: (ln(6.00001/2.00001) - 0.5) / 2, fixed: []int{0},
			loss: energyOf,
		},
		{
			name: "EnergyLoss within the margin", // ratios of 1.5 and 1/1.5, and ln 1.5 < 0.5
			inputs: [][]float64{
				{normalised(1), normalised(3), normalised(2), normalised(4)},
				{normalised(2), normalised(4), normalised(1), normalised(3)},
			}, dims: [][]int{{1, 2, 2}, {1, 2, 2}},
			want: 0, fixed: []int{0},
			loss: energyOf,
		},
	}
}

// compile builds the loss and its gradients once and returns them as a function of the inputs.
func (c lossCase) compile(t *testing.T) func(inputs [][]float64) (loss float64, grads [][]float32) {
	t.Helper()
	exec, err := NewExec(mlxtest.OpenGo(t), func(in []*Node) []*Node {
		loss := c.loss(in)
		return append([]*Node{loss}, Gradient(loss, in...)...)
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(inputs [][]float64) (float64, [][]float32) {
		t.Helper()
		args := make([]any, len(inputs))
		for i := range inputs {
			args[i] = tensor(inputs[i], c.dims[i]...)
		}
		outs, err := exec.Call(args...)
		if err != nil {
			t.Fatal(err)
		}
		var grads [][]float32
		for _, o := range outs[1:] {
			grads = append(grads, tensors.MustCopyFlatData[float32](o))
		}
		return float64(tensors.ToScalar[float32](outs[0])), grads
	}
}

func contains(list []int, i int) bool {
	for _, v := range list {
		if v == i {
			return true
		}
	}
	return false
}

func TestLosses(t *testing.T) {
	for _, c := range lossCases() {
		t.Run(c.name, func(t *testing.T) {
			at := c.compile(t)
			got, grads := at(c.inputs)
			if math.Abs(got-c.want) > 2e-6*(1+math.Abs(c.want)) {
				t.Errorf("loss is %.7g, by hand it is %.7g", got, c.want)
			}
			for i := range c.inputs {
				if contains(c.data, i) {
					continue
				}
				for j, old := range c.inputs[i] {
					if contains(c.fixed, i) {
						if grads[i][j] != 0 {
							t.Errorf("gradient with respect to input %d is %v, want none: it is a constant", i, grads[i])
						}
						continue
					}
					const h = 1.0 / 256
					c.inputs[i][j] = old + h
					above, _ := at(c.inputs)
					c.inputs[i][j] = old - h
					below, _ := at(c.inputs)
					c.inputs[i][j] = old
					want := (above - below) / (2 * h)
					tolerance := 2e-3 + 1e-5*math.Abs(got)/h
					if d := math.Abs(float64(grads[i][j]) - want); d > tolerance {
						t.Errorf("gradient with respect to input %d, number %d, is %g, by difference it is %g", i, j, grads[i][j], want)
					}
				}
			}
		})
	}
}

// One step against the gradient must do what a term is there for.
func TestLossDirections(t *testing.T) {
	for _, c := range []struct {
		name   string
		inputs [][]float64
		dims   [][]int
		loss   func(in []*Node) *Node
		input  int // that takes the step
		better func(before, after []float64, in [][]float64) bool
	}{
		{
			name:   "diversity, subtracted, pushes the outputs apart",
			inputs: [][]float64{{0.3, -0.2}, {0.1, 0.4}}, dims: [][]int{{1, 1, 2}, {1, 1, 2}},
			loss: func(in []*Node) *Node { return Neg(DiversityLoss(in[0], in[1])) },
			better: func(before, after []float64, in [][]float64) bool {
				return after[0] > before[0] && after[1] < before[1] // away from 0.1 and from 0.4
			},
		},
		{
			name:   "D raises the logit of real speech",
			inputs: [][]float64{{0.5}, {0.5}}, dims: [][]int{{1}, {1}},
			loss:   func(in []*Node) *Node { return DiscriminatorLoss(in[0], in[1]) },
			better: func(before, after []float64, _ [][]float64) bool { return after[0] > before[0] },
		},
		{
			name:   "D lowers the logit of a conversion",
			inputs: [][]float64{{0.5}, {0.5}}, dims: [][]int{{1}, {1}}, input: 1,
			loss:   func(in []*Node) *Node { return DiscriminatorLoss(in[0], in[1]) },
			better: func(before, after []float64, _ [][]float64) bool { return after[0] < before[0] },
		},
		{
			name:   "G raises the logit of a conversion",
			inputs: [][]float64{{-0.5}}, dims: [][]int{{1}},
			loss:   func(in []*Node) *Node { return GeneratorLoss(in[0]) },
			better: func(before, after []float64, _ [][]float64) bool { return after[0] > before[0] },
		},
		{
			name:   "the classifier raises the logit of the speaker and lowers the others",
			inputs: [][]float64{{0.1, 0.2, 0.3}, {0, 1, 0}}, dims: [][]int{{1, 3}, {1, 3}},
			loss: func(in []*Node) *Node { return ClassifierLoss(in[0], in[1]) },
			better: func(before, after []float64, _ [][]float64) bool {
				return after[0] < before[0] && after[1] > before[1] && after[2] < before[2]
			},
		},
		{
			name:   "content moves the conversion to the source",
			inputs: [][]float64{{1, 1}, {0.2, 5}}, dims: [][]int{{1, 2}, {1, 2}}, input: 1,
			loss: func(in []*Node) *Node { return ContentLoss(in[0], in[1]) },
			better: func(before, after []float64, _ [][]float64) bool {
				return after[0] > before[0] && after[1] < before[1]
			},
		},
		{
			name:   "energy raises what is too quiet",
			inputs: [][]float64{{1, 1}, {-1, -1}}, dims: [][]int{{1, 1, 2}, {1, 1, 2}}, input: 1,
			loss:   func(in []*Node) *Node { return EnergyLoss(in[0], in[1], 0, 1, 0.5) },
			better: func(before, after []float64, _ [][]float64) bool { return after[0] > before[0] && after[1] > before[1] },
		},
		{
			name:   "the style that is read back moves to the one given",
			inputs: [][]float64{{1, -1}, {0, 0}}, dims: [][]int{{1, 2}, {1, 2}}, input: 1,
			loss:   func(in []*Node) *Node { return StyleLoss(in[0], in[1]) },
			better: func(before, after []float64, _ [][]float64) bool { return after[0] > before[0] && after[1] < before[1] },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := lossCase{dims: c.dims, loss: c.loss}.compile(t)
			loss, grads := at(c.inputs)
			before := append([]float64(nil), c.inputs[c.input]...)
			for i := range before {
				c.inputs[c.input][i] -= 0.01 * float64(grads[c.input][i])
			}
			if after, _ := at(c.inputs); !(after < loss) {
				t.Errorf("a step against the gradient takes the loss from %g to %g", loss, after)
			}
			if !c.better(before, c.inputs[c.input], c.inputs) {
				t.Errorf("a step against the gradient moves %v to %v", before, c.inputs[c.input])
			}
		})
	}
}

// A very loud output, as of an untrained G, must give a finite loss.
func TestEnergyLossOfWildOutput(t *testing.T) {
	c := lossCase{dims: [][]int{{1, 1, 2}, {1, 1, 2}}, loss: func(in []*Node) *Node { return EnergyLoss(in[0], in[1], -4, 2, 0.5) }}
	at := c.compile(t)
	for _, v := range []float64{1e4, -1e4, 1e30, -1e30} {
		loss, grads := at([][]float64{{0, 0}, {v, v}})
		if math.IsNaN(loss) || math.IsInf(loss, 0) {
			t.Errorf("output %g: loss is %g", v, loss)
		}
		for _, g := range grads[1] {
			if g-g != 0 {
				t.Errorf("output %g: gradient is %v", v, grads[1])
			}
		}
	}
}

// D(x) = w . x has the gradient w everywhere, so the penalty over many directions must come to |w|^2.
func TestGradientPenaltyOfLinearD(t *testing.T) {
	const n, draws, sigma = 6, 4000, 0.05
	r := rand.New(rand.NewPCG(4, 4))
	w, x := make([]float64, n), make([]float64, n)
	var square float64
	for i := range w {
		w[i], x[i] = r.NormFloat64(), r.NormFloat64()
		square += w[i] * w[i]
	}
	real, disturbed := make([]float64, draws), make([]float64, draws)
	for d := range draws {
		for i := range w {
			real[d] += w[i] * x[i]
			disturbed[d] += w[i] * (x[i] + sigma*r.NormFloat64())
		}
	}
	at := lossCase{dims: [][]int{{draws}, {draws}}, loss: func(in []*Node) *Node { return GradientPenalty(in[0], in[1], sigma) }}.compile(t)
	got, _ := at([][]float64{real, disturbed})
	// A chi-square mean over 4000 draws has a relative deviation of sqrt(2/4000) = 2.2 %.
	if math.Abs(got/square-1) > 0.1 {
		t.Errorf("penalty is %g, want about |w|^2 = %g", got, square)
	}
}

func TestDiversityWeight(t *testing.T) {
	for _, c := range []struct {
		start       float64
		step, steps int
		want        float64
	}{
		{2, 0, 10, 2}, {2, 5, 10, 1}, {2, 9, 10, 0.2}, {2, 10, 10, 0}, {2, 15, 10, 0}, {2, 0, 0, 0}, {0, 3, 10, 0},
	} {
		if got := DiversityWeight(c.start, c.step, c.steps); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("weight %g at %d of %d is %g, want %g", c.start, c.step, c.steps, got, c.want)
		}
	}
}
