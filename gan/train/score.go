package train

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/run"
)

// The model of a run is that of its best snapshot. Plain rebuilding errors will not do to find it: they are least at the end
// of the warm-up and rise while conversions become clear. So what counts is how near the mel bands of held-out conversions
// come to the target's own recordings in mean and spread, and how much survives the way there and back; and only the second
// half of the last phase, since a network that has not learnt to convert yet is good at the latter.

// bestFrom is the number of steps after which snapshots stand for election.
func (c Config) bestFrom() int {
	w := c.WarmUpSteps()
	if w >= c.Steps || c.AddVoice.On {
		return c.Steps / 2
	}
	return w + (c.Steps-w)/2
}

// validScore is the score that the best snapshot has least of, from the values of a validation: colour, spread and cycle,
// all L1 in normalised log-mel units, or, in a run without the star's values, rebuilding and cycle.
func validScore(values []float32) float64 {
	v := make(map[string]float64, len(values))
	for i, x := range values {
		v[starValidMetrics[i]] = float64(x)
	}
	if len(values) < len(starValidMetrics) {
		return v["valid_identity"] + v["valid_cycle"]
	}
	return v["valid_colour"] + v["valid_spread"] + v["valid_cycle"]
}

// validBatches is how many held-out batches a validation scores, at most.
const validBatches = 8

// Score scores the averaged networks on held-out speech.
func (p *pupil) Score() (*run.Scored, error) {
	n := min(p.batcher.ValidBatches(), validBatches)
	if n == 0 {
		return nil, nil
	}
	var sums []float32
	for i := range n {
		v, err := p.engine.score(p.batcher.ValidAt(i))
		if err != nil {
			return nil, err
		}
		if i == 0 {
			sums = make([]float32, len(v))
		}
		for j := range sums {
			sums[j] += v[j] / float32(n)
		}
	}
	scores := map[string]float32{}
	for i, v := range sums {
		scores[starValidMetrics[i]] = v
	}
	return &run.Scored{
		Metrics: scores, Sum: validScore(sums),
		Line: fmt.Sprintf("held-out speech: rebuilt %.3f, through the cycle %.3f, style read back %.3f", sums[0], sums[1], sums[2]),
	}, nil
}

// validate scores the averaged weights on held-out speech: x rebuilt in its own style, x through the cycle, how well the
// style is read back from a conversion, and how far the conversion's mel bands are from the target's recording in their
// mean over time and in their spread, which smooth, dull speech lacks.
// Inputs: x, same, ref, controls of the source, controls of the target, y, target, taps; with bands above features.SpeechHz which
// targets have them, and which items.
func (e *engine) validate(in []*Node) []*Node {
	x, same, ref, own, moved, y, target, taps := in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7]
	net := e.over(x.Graph(), mlx.GroupEMA, true)
	ownStyle, _ := net.encodeStyle(same, y)
	style, _ := net.encodeStyle(ref, target)
	targetKnown, known := e.known(at(in, 8)), e.known(at(in, 9))
	fake := e.alike(net.generate(x, moved, style, taps), targetKnown)
	read, _ := net.encodeStyle(fake, target)
	fakeMean, fakeSpread := bandMoments(fake)
	realMean, realSpread := bandMoments(e.alike(ref, targetKnown))
	return mlx.Results(apartKnown(x, net.generate(x, own, ownStyle, taps), known), apartKnown(x, net.generate(fake, own, ownStyle, taps), known),
		apart(style, read), apart(realMean, fakeMean), apart(realSpread, fakeSpread))
}

// bandMoments are each band's mean and standard deviation over time, [batch, nMels], of a mel [batch, frames, nMels].
func bandMoments(mel *Node) (mean, spread *Node) {
	mean = ReduceMean(mel, 1)
	centred := Sub(mel, BroadcastToShape(InsertAxes(mean, 1), mel.Shape()))
	return mean, Sqrt(AddScalar(ReduceMean(Square(centred), 1), 1e-8))
}

// score runs the validation graph on one held-out batch. The values are those of starValidMetrics, or of validMetrics
// alone.
func (e *engine) score(batch *corpus.Batch) ([]float32, error) {
	if e.cfg.AddVoice.On {
		return e.scoreVoice(batch)
	}
	f := feed{cfg: e.cfg, speakers: e.speakers, batch: batch}
	in := []*tensors.Tensor{f.x(), f.same(), f.ref(), f.controls(batch.Y), f.controls(batch.Target), f.oneHot(batch.Y), f.oneHot(batch.Target), f.taps()}
	if e.cfg.Features.HasUpper() {
		in = append(in, f.flags(batch.TargetFullBand), f.flags(batch.FullBand))
	}
	out, err := e.run("validation", e.validate, in...)
	if err != nil {
		return nil, err
	}
	return results{Names: starValidMetrics, Tensor: out}.Fetch(), nil
}
