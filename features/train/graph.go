package train

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// graph is the network and its loss as Gorgonia computes them, for batches of one length. Inputs are standardised.
type graph struct {
	x      *gorgonia.Node // [batch, inputs]
	sign   *gorgonia.Node // [batch, 1]: -1 = voiced, 1 = not
	weight *gorgonia.Node // [batch, 1]

	w1, b1 *gorgonia.Node // [inputs, hidden], [1, hidden]
	w2, b2 *gorgonia.Node // [hidden, 1], [1, 1]
	loss   *gorgonia.Node

	vm     gorgonia.VM
	solver *gorgonia.AdamSolver
}

// newGraph draws the first weights as Glorot and Bengio did ("Understanding the difficulty of training deep feedforward
// neural networks", 2010). The loss is the sum over the batch of weight * softplus(sign * logit), plus half of penalty
// times the sum of all squared w1 and w2.
func newGraph(batch, hidden int, penalty float64, random *rand.Rand) (*graph, error) {
	g := gorgonia.NewGraph()
	matrix := func(name string, rows, columns int, spread float64) *gorgonia.Node {
		v := make([]float64, rows*columns)
		for i := range v {
			v[i] = spread * (2*random.Float64() - 1)
		}
		t := tensor.New(tensor.WithShape(rows, columns), tensor.WithBacking(v))
		return gorgonia.NewMatrix(g, tensor.Float64, gorgonia.WithShape(rows, columns), gorgonia.WithValue(t),
			gorgonia.WithName(name))
	}
	n := &graph{
		x:      matrix("x", batch, inputs, 0),
		sign:   matrix("sign", batch, 1, 0),
		weight: matrix("weight", batch, 1, 0),
		w1:     matrix("w1", inputs, hidden, math.Sqrt(6/float64(inputs+hidden))),
		b1:     matrix("b1", 1, hidden, 0),
		w2:     matrix("w2", hidden, 1, math.Sqrt(6/float64(hidden+1))),
		b2:     matrix("b2", 1, 1, 0),
	}
	if err := n.build(penalty); err != nil {
		return nil, fmt.Errorf("train: building the graph: %w", err)
	}
	n.vm = gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(n.learnt()...))
	n.solver = gorgonia.NewAdamSolver()
	return n, nil
}

func (n *graph) build(penalty float64) error {
	var failed error
	node := func(v *gorgonia.Node, err error) *gorgonia.Node {
		if failed == nil {
			failed = err
		}
		return v
	}
	// After an error v is nil, which Gorgonia's operations would not survive.
	then := func(op func() (*gorgonia.Node, error)) *gorgonia.Node {
		if failed != nil {
			return nil
		}
		return node(op())
	}
	product := func(a, b *gorgonia.Node) *gorgonia.Node {
		return then(func() (*gorgonia.Node, error) { return gorgonia.Mul(a, b) })
	}
	bias := func(a, b *gorgonia.Node) *gorgonia.Node {
		return then(func() (*gorgonia.Node, error) { return gorgonia.BroadcastAdd(a, b, nil, []byte{0}) })
	}
	unary := func(op func(*gorgonia.Node) (*gorgonia.Node, error), a *gorgonia.Node) *gorgonia.Node {
		return then(func() (*gorgonia.Node, error) { return op(a) })
	}
	times := func(a, b *gorgonia.Node) *gorgonia.Node {
		return then(func() (*gorgonia.Node, error) { return gorgonia.HadamardProd(a, b) })
	}
	sum := func(a *gorgonia.Node) *gorgonia.Node {
		return then(func() (*gorgonia.Node, error) { return gorgonia.Sum(a) })
	}
	plus := func(a, b *gorgonia.Node) *gorgonia.Node {
		return then(func() (*gorgonia.Node, error) { return gorgonia.Add(a, b) })
	}
	hidden := unary(gorgonia.Tanh, bias(product(n.x, n.w1), n.b1))
	logit := bias(product(hidden, n.w2), n.b2)
	wrong := sum(times(n.weight, unary(gorgonia.Softplus, times(n.sign, logit))))
	large := plus(sum(unary(gorgonia.Square, n.w1)), sum(unary(gorgonia.Square, n.w2)))
	half := gorgonia.NewConstant(penalty / 2)
	n.loss = plus(wrong, then(func() (*gorgonia.Node, error) { return gorgonia.Mul(half, large) }))
	if failed != nil {
		return failed
	}
	_, err := gorgonia.Grad(n.loss, n.learnt()...)
	return err
}

func (n *graph) learnt() gorgonia.Nodes { return gorgonia.Nodes{n.w1, n.b1, n.w2, n.b2} }

// close frees the machine.
func (n *graph) close() { n.vm.Close() }

// data is where Gorgonia keeps the values of a matrix, row by row.
func data(m *gorgonia.Node) []float64 { return m.Value().Data().([]float64) }

// gradients computes the loss of the batch that lies in x, sign and weight, and its gradients. Those of the run before
// are cleared first: Gorgonia adds to them until a solver steps, even where Reset of the machine comes between.
func (n *graph) gradients() (loss float64, err error) {
	for _, m := range n.learnt() {
		if g, err := m.Grad(); err == nil && g != nil { // there is none before the first run
			g.(*tensor.Dense).Zero()
		}
	}
	n.vm.Reset()
	if err := n.vm.RunAll(); err != nil {
		return 0, fmt.Errorf("train: %w", err)
	}
	return n.loss.Value().Data().(float64), nil
}

// step moves the weights by Adam, at that rate.
func (n *graph) step(rate float64) (loss float64, err error) {
	if loss, err = n.gradients(); err != nil {
		return 0, err
	}
	gorgonia.WithLearnRate(rate)(n.solver)
	if err := n.solver.Step(gorgonia.NodesToValueGrads(n.learnt())); err != nil {
		return 0, fmt.Errorf("train: %w", err)
	}
	return loss, nil
}

// network is the graph's present network, for inputs before their standardisation (in - mean) / deviation.
func (n *graph) network(mean, deviation *[inputs]float64) *Network {
	w1, b1, w2 := data(n.w1), data(n.b1), data(n.w2)
	out := &Network{Units: make([]Unit, len(w2)), Bias: data(n.b2)[0]}
	for i := range out.Units {
		u := &out.Units[i]
		u.Bias, u.Output = b1[i], w2[i]
		for j := range u.Weights {
			u.Weights[j] = w1[j*len(w2)+i] / deviation[j]
			u.Bias -= u.Weights[j] * mean[j]
		}
	}
	return out
}
