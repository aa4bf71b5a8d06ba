package mlx

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// AdamW is Adam with decoupled weight decay (Loshchilov and Hutter 2019). GoMLX has an Adam; ours differs in what a long
// adversarial run needs: several networks with their own rates from one backward pass, and a step that leaves weights,
// moments and counts untouched when its loss or a gradient is not finite.
type AdamW struct {
	Beta1, Beta2, Epsilon float64
	WeightDecay           float64 // per unit of learning rate, on weights of rank 2 and more
	Clip                  float64 // largest global gradient norm of one network; 0 does not clip
}

// Prepare creates the moments and the count of a network (all weights whose names start with prefix) where they are
// missing.
func (a AdamW) Prepare(v *Vars, prefix string) error {
	names := v.Names(GroupWeights, prefix)
	if len(names) == 0 {
		return fmt.Errorf("optimizer: no weights start with %q", prefix)
	}
	for _, name := range names {
		if v.Has(GroupMoment2, name) {
			continue
		}
		data, shape, err := v.Get(GroupWeights, name)
		if err != nil {
			return err
		}
		clear(data)
		if a.Beta1 != 0 {
			if err := v.Set(GroupMoment1, name, shape, data); err != nil {
				return err
			}
		}
		if err := v.Set(GroupMoment2, name, shape, data); err != nil {
			return err
		}
	}
	if v.Has(GroupCount, prefix) {
		return nil
	}
	return v.Set(GroupCount, prefix, []int{}, []float32{0})
}

// Rate gives a network its learning rate, a scalar node.
type Rate struct {
	Prefix string
	Rate   *Node
}

// Step differentiates loss with respect to the weights of the named networks and updates them. It returns the gradient
// norm of each network before clipping, and ok, 1 where the loss and every gradient are finite and the update was made,
// else 0.
func (a AdamW) Step(v *Vars, loss *Node, rates ...Rate) (norms []*Node, ok *Node) {
	g := loss.Graph()
	var params []*Node
	var names []string
	counts := make([]int, len(rates))
	for i, r := range rates {
		for _, name := range v.Names(GroupWeights, r.Prefix) {
			params = append(params, v.Node(g, GroupWeights, name))
			names = append(names, name)
			counts[i]++
		}
	}
	grads := Gradient(loss, params...)

	total := loss
	from := 0
	for i := range rates {
		sum := ScalarZero(g, dtypes.Float32)
		for _, x := range grads[from : from+counts[i]] {
			sum = Add(sum, ReduceAllSum(Square(x)))
		}
		from += counts[i]
		norms = append(norms, Sqrt(sum))
		total = Add(total, sum)
	}
	finite := LessThan(Abs(total), ConstAs(total, 1e30)) // false for NaN and Inf
	ok = Where(finite, ScalarOne(g, dtypes.Float32), ScalarZero(g, dtypes.Float32))

	from = 0
	for i, r := range rates {
		scale := ScalarOne(g, dtypes.Float32)
		if a.Clip > 0 {
			scale = MinScalar(Div(ConstAs(norms[i], a.Clip), AddScalar(norms[i], 1e-6)), 1.0)
		}
		count := Add(v.Node(g, GroupCount, r.Prefix), ok)
		v.Update(GroupCount, r.Prefix, count)
		correction1 := OneMinus(Pow(ConstAs(count, a.Beta1), count))
		correction2 := OneMinus(Pow(ConstAs(count, a.Beta2), count))
		if a.Beta1 == 0 {
			correction1 = ScalarOne(g, dtypes.Float32)
		}
		end := from + counts[i]
		for j := from; j < end; j++ {
			a.update(v, names[j], params[j], Mul(grads[j], scale), r.Rate, correction1, correction2, finite)
		}
		from = end
	}
	return norms, ok
}

// update makes Adam's step on one weight. One long vector of all weights was tried in place of two hundred short ones: XLA
// compiles that twice as slowly.
func (a AdamW) update(v *Vars, name string, w, grad, rate, correction1, correction2, finite *Node) {
	g := w.Graph()
	m, s := grad, v.Node(g, GroupMoment2, name)
	if a.Beta1 != 0 {
		old := v.Node(g, GroupMoment1, name)
		m = Add(MulScalar(old, a.Beta1), MulScalar(grad, 1-a.Beta1))
		v.Update(GroupMoment1, name, Where(finite, m, old))
	}
	newS := Add(MulScalar(s, a.Beta2), MulScalar(Square(grad), 1-a.Beta2))
	step := Div(Div(m, correction1), AddScalar(Sqrt(Div(newS, correction2)), a.Epsilon))
	if a.WeightDecay > 0 && w.Rank() >= 2 {
		step = Add(step, MulScalar(w, a.WeightDecay))
	}
	v.Update(GroupMoment2, name, Where(finite, newS, s))
	v.Update(GroupWeights, name, Where(finite, Sub(w, Mul(step, rate)), w))
}

// EMADecay is the decay of the moving average of the weights at a step, counted from 0: it rises from a tenth to most, so that the
// average is not held back by the first, random weights.
func EMADecay(most float64, step int) float64 {
	return math.Min(most, float64(1+step)/float64(10+step))
}

// PrepareEMA copies the weights of a network into the moving average where it is missing.
func PrepareEMA(v *Vars, prefix string) error {
	for _, name := range v.Names(GroupWeights, prefix) {
		if v.Has(GroupEMA, name) {
			continue
		}
		data, shape, err := v.Get(GroupWeights, name)
		if err != nil {
			return err
		}
		if err := v.Set(GroupEMA, name, shape, data); err != nil {
			return err
		}
	}
	return nil
}

// UpdateEMA moves the average of a network's weights, decay a scalar node in [0, 1]. Call it after Step: it sees the new
// weights.
func UpdateEMA(v *Vars, decay *Node, prefixes ...string) {
	g := decay.Graph()
	for _, prefix := range prefixes {
		for _, name := range v.Names(GroupWeights, prefix) {
			old, w := v.Node(g, GroupEMA, name), v.Node(g, GroupWeights, name)
			v.Update(GroupEMA, name, Add(Mul(old, decay), Mul(w, OneMinus(decay))))
		}
	}
}
