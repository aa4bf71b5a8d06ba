package train

import (
	"errors"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/internal/corpus"
)

// readyStep is a step that can be made: its graphs, in order, and their inputs.
type readyStep struct {
	graphs []readyGraph
	inputs []*tensors.Tensor // of all graphs, each once
}

// readyGraph is a graph of a step, see mlx.Steps.Call.
type readyGraph struct {
	name    string
	build   func([]*Node) []*Node
	metrics []string
	inputs  []*tensors.Tensor
}

// begin makes ready for ready.
func (e *engine) begin() error {
	if e.cfg.AddVoice.On { // while no step holds the variables
		if _, err := e.oldStyles(); err != nil {
			return err
		}
	}
	return nil
}

// ready builds what the step of a batch takes, and puts it on the device. It may be called beside make, after begin.
func (e *engine) ready(batch *corpus.Batch) (readyStep, error) {
	s, err := e.prepareStep(batch)
	if err != nil {
		return readyStep{}, err
	}
	if err := e.steps.Upload(s.inputs); err != nil {
		return readyStep{}, errors.Join(fmt.Errorf("step %d: %w", batch.Step, err), e.steps.Free(s.inputs))
	}
	return s, nil
}

// make makes a step, and frees its inputs.
func (e *engine) make(s readyStep) (done []results, err error) {
	defer func() { err = errors.Join(err, e.steps.Free(s.inputs)) }()
	for _, g := range s.graphs {
		out, err := e.steps.Call(g.name, g.build, g.inputs...)
		if err != nil {
			return nil, err
		}
		done = append(done, results{Names: g.metrics, Tensor: out})
	}
	return done, nil
}

// prepareStep builds a step's inputs: the warm-up's, or D's and then G's.
func (e *engine) prepareStep(batch *corpus.Batch) (readyStep, error) {
	if e.cfg.AddVoice.On {
		return e.prepareVoiceStep(batch)
	}
	f := feed{cfg: e.cfg, speakers: e.speakers, batch: batch}
	s := f.schedule(e.cfg.schedule(batch.Step, e.encoderFromP))
	if batch.Step < e.cfg.WarmUpSteps() {
		warp, tilt := f.disturbance()
		name, in := "warm-up", []*tensors.Tensor{f.x(), f.same(), f.controls(batch.Y), f.oneHot(batch.Y), f.latent(batch.Z1), f.latent(batch.Z2), warp, tilt, f.taps(), s}
		given := batch.Want != nil
		if given {
			name, in = "warm-up with what is wanted", append(in, f.want())
		}
		if e.cfg.Features.HasUpper() {
			in = append(in, f.flags(batch.FullBand))
		}
		if e.cfg.translates(batch.Step) {
			name, in = name+" and back-translation", append(in, f.translation()...)
		}
		build := func(in []*Node) []*Node { return e.warmUp(in, given) }
		return readyStep{graphs: []readyGraph{{name, build, warmUpMetrics, in}}, inputs: in}, nil
	}
	if e.cfg.answers(batch.Step) {
		return e.prepareAnchor(f, s), nil
	}
	withSource := batch.Step >= e.cfg.sourceStep()
	suffix := ""
	if withSource {
		suffix = " with source"
	}
	in := f.star(s)
	return readyStep{
		graphs: []readyGraph{
			{"discriminator" + suffix, func(in []*Node) []*Node { return e.discriminator(in, withSource) }, discriminatorMetrics, in.discriminator},
			{"generator" + suffix, func(in []*Node) []*Node { return e.generator(in, withSource) }, generatorMetrics, in.generator},
		},
		inputs: in.all,
	}, nil
}
