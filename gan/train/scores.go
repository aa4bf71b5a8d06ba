package train

import . "github.com/gomlx/gomlx/core/graph"

// Scores elect the best snapshot. They are functions of their own, not those of the objective: who tries another loss must not
// change what it is judged by.

// apart is the mean absolute difference.
func apart(a, b *Node) *Node { return ReduceAllMean(Abs(Sub(a, b))) }

// apartKnown is apart over the bands of [batch, frames, nMels] that a recording tells of: known [batch, 1, nMels] is 1 for these and 0
// for others; nil is all.
func apartKnown(a, b, known *Node) *Node {
	if known == nil {
		return apart(a, b)
	}
	off := ReduceAllMean(Mul(Abs(Sub(a, b)), BroadcastToShape(known, a.Shape())))
	return Div(off, AddScalar(ReduceAllMean(known), 1e-6))
}
