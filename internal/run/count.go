package run

// What a step of training has to do is counted before the first one, and told: it is good to a factor of two, which is what a
// person needs who decides whether to wait, and for where.

// Forward is one item's way forward through a part of a step.
type Forward struct {
	MACs float64 // multiply-adds
	Kept float64 // numbers that the backward pass needs
}

// Plus is one part and then the other.
func (f Forward) Plus(g Forward) Forward { return Forward{f.MACs + g.MACs, f.Kept + g.Kept} }

// Times is n of them.
func (f Forward) Times(n float64) Forward { return Forward{f.MACs * n, f.Kept * n} }

// Pass is a batch's way through a part of a step: forward, and back where a gradient is asked for.
type Pass struct {
	Forward
	Items   float64
	Weights bool // gradients of its weights
	Input   bool // gradients of what goes in
}

// Operations are those of floating point: two in a multiply-add, and as many again for each kind of gradient. A gradient of
// weights takes that of every layer's input as well.
func (p Pass) Operations() float64 {
	times := 1.0
	switch {
	case p.Weights:
		times = 3
	case p.Input:
		times = 2
	}
	return 2 * p.Items * times * p.MACs
}

// Moved is how many numbers the pass writes to memory and reads from it: each that is kept once either way, going back it once
// more, and its gradient either way.
func (p Pass) Moved() float64 {
	if p.Weights || p.Input {
		return 5 * p.Items * p.Kept
	}
	return 2 * p.Items * p.Kept
}
