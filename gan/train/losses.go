package train

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/starvc/vc/internal/mlx"
)

// Each term of the objective is one function from nodes to a scalar node, a mean over everything it is given, so that no
// weight depends on batch size or length. Names and signs follow Choi et al. 2020 (StarGAN v2) and Li et al. 2021
// (StarGANv2-VC).

// StyleLoss is the style reconstruction: L1 between the style s~ that G was given and E's reading of G's output.
func StyleLoss(given, read *Node) *Node { return l1(given, read) }

// MatchLoss is the energy score (Gneiting and Raftery 2007) of two draws of F against a style that E has read, all
// [batch, styleDim]: the mean distance of the draws from the reading, less half of their distance from each other, per root
// of styleDim. It is least where the draws are distributed as the readings are; plain L1 would teach F the readings' median
// and make it deaf to z. The reading is a constant.
func MatchLoss(read, first, second *Node) *Node {
	read = StopGradient(read)
	toReading := MulScalar(Add(distance(read, first), distance(read, second)), 0.5)
	return ReduceAllMean(Sub(toReading, MulScalar(distance(first, second), 0.5)))
}

// distance is the Euclidean distance over the last axis per root of its length, kept off 0, where a root has no gradient.
func distance(a, b *Node) *Node {
	return Sqrt(AddScalar(ReduceMean(Square(Sub(a, b)), -1), 1e-8))
}

// DiversityLoss is the L1 distance between two outputs of G for the same input and two styles. G makes it LARGE, so the
// objective subtracts it. The second output is a constant: the gradient moves the first away from it.
func DiversityLoss(first, second *Node) *Node { return l1(first, StopGradient(second)) }

// CycleLoss is L1 between a source and what G rebuilds of it out of its own conversion. known is as in IdentityLoss.
func CycleLoss(source, rebuilt, known *Node) *Node { return l1Known(source, rebuilt, known) }

// IdentityLoss is L1 between a source and G's output in the source's own style, or between another speaker's words at the same
// times and G's output in that speaker's style. known [batch, 1, nMels] is 1 for the bands that the recording tells of and 0 for
// those that it lacks, which do not count; nil is all.
func IdentityLoss(source, rebuilt, known *Node) *Node { return l1Known(source, rebuilt, known) }

// DiscriminatorLoss is D's side of the non-saturating loss (Goodfellow et al. 2014): softplus(-real) + softplus(fake),
// logits [batch] or [batch, patches].
func DiscriminatorLoss(real, fake *Node) *Node {
	return Add(ReduceAllMean(softplus(Neg(real))), ReduceAllMean(softplus(fake)))
}

// GeneratorLoss is G's side: softplus(-fake).
func GeneratorLoss(fake *Node) *Node { return ReduceAllMean(softplus(Neg(fake))) }

// PairedLoss is the relativistic form of both sides (Jolicoeur-Martineau, "The relativistic discriminator", 2018), for logits of the
// same words at the same times: softplus(worse - better). D has the recording be the better one, G its own output.
func PairedLoss(better, worse *Node) *Node { return ReduceAllMean(softplus(Sub(worse, better))) }

// MatchingLoss is feature matching (Salimans et al., "Improved Techniques for Training GANs", 2016): the mean over D's layers of the
// L1 distance between what is wanted, the first items of each layer, and what is made, the others, in units of the mean size of the
// former. There must be a layer. The wanted side is a constant.
func MatchingLoss(layers []*Node, items int) *Node {
	var sum *Node
	for _, l := range layers {
		l = mlx.Float(l)
		want := StopGradient(SliceAxis(l, 0, AxisRange(0, items)))
		made := SliceAxis(l, 0, AxisRange(items, 2*items))
		d := Div(l1(want, made), AddScalar(ReduceAllMean(Abs(want)), 1e-3))
		if sum == nil {
			sum = d
		} else {
			sum = Add(sum, d)
		}
	}
	return MulScalar(sum, 1/float64(len(layers)))
}

// GradientPenalty is R1 (Mescheder et al. 2018) in first-order form: the squared difference quotient of D along a random
// direction of length sigma per coordinate. Its mean over directions is the squared norm of D's gradient at real data.
func GradientPenalty(atReal, atDisturbed *Node, sigma float64) *Node {
	return MulScalar(ReduceAllMean(Square(Sub(atDisturbed, atReal))), 1/(sigma*sigma))
}

// ClassifierLoss is the cross entropy of logits [batch, speakers] against oneHot [batch, speakers]. C minimises it for the
// source speaker; G minimises it for the target.
func ClassifierLoss(logits, oneHot *Node) *Node {
	return Neg(ReduceAllMean(ReduceSum(Mul(LogSoftmax(logits, -1), oneHot), -1)))
}

// ContentLoss is smooth L1 (Huber with knee 1) between the phone network's hidden layer on the source and on the output.
// The source side is a constant.
func ContentLoss(source, converted *Node) *Node {
	difference := Abs(Sub(StopGradient(source), converted))
	quadratic := MulScalar(Square(difference), 0.5)
	linear := SubScalar(difference, 0.5)
	return ReduceAllMean(Where(LessThan(difference, OnesLike(difference)), quadratic, linear))
}

// EnergyLoss is a hinge on the difference of log frame energy: nothing within the margin (natural log units), linear
// beyond. x and y are normalised log-mels [batch, frames, nMels]; mean and scale undo the normalisation.
func EnergyLoss(x, y *Node, mean, scale, margin float64) *Node {
	difference := Abs(Sub(StopGradient(frameEnergy(x, mean, scale)), frameEnergy(y, mean, scale)))
	return ReduceAllMean(MaxScalar(SubScalar(difference, margin), 0.0))
}

// frameEnergy is the log of the mean mel magnitude of each frame, [batch, frames].
func frameEnergy(x *Node, mean, scale float64) *Node {
	// ln(exp(8)) is far above full scale: it only keeps a wild output of an untrained G from overflowing.
	logMel := MinScalar(AddScalar(MulScalar(x, scale), mean), 8.0)
	return Log(AddScalar(ReduceMean(Exp(logMel), -1), 1e-5))
}

func l1(a, b *Node) *Node { return ReduceAllMean(Abs(Sub(a, b))) }

// l1Known is the mean over what is known.
func l1Known(a, b, known *Node) *Node {
	if known == nil {
		return l1(a, b)
	}
	distance := ReduceAllMean(Mul(Abs(Sub(a, b)), BroadcastToShape(known, a.Shape())))
	return Div(distance, AddScalar(ReduceAllMean(known), 1e-6))
}

// softplus is ln(1 + e^x) without overflow, from operations whose gradients every backend has.
func softplus(x *Node) *Node {
	return Add(MaxScalar(x, 0.0), Log(AddScalar(Exp(Neg(Abs(x))), 1)))
}

// DiversityWeight is the weight of the diversity term: it falls linearly from start to 0 at the last step.
func DiversityWeight(start float64, step, steps int) float64 {
	if steps <= 0 {
		return 0
	}
	return start * math.Max(0, 1-float64(step)/float64(steps))
}
