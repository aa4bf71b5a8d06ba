package train

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/mlx/gannet"
	"github.com/starvc/vc/internal/phones"
	"github.com/starvc/vc/internal/run"
)

// Metrics of a step of the phone network, in the order in which its graph returns them, and that of a teacher behind them.
var phoneMetrics = []string{"ok", "norm", "loss", "accuracy"}

const teacherMetric = "teacher"

// teacherParams are the weights from the hidden layer to the teacher's features. They are trained, and left out of the file of
// the network.
func (c Config) teacherParams() []gan.Param {
	if c.TeacherDims == 0 {
		return nil
	}
	return []gan.Param{{Name: "pho.teacher.w", Shape: []int{c.GAN.Bottleneck, c.TeacherDims}}, {Name: "pho.teacher.b", Shape: []int{c.TeacherDims}}}
}

// phonePrefix is where all weights of the phone network stand.
const phonePrefix = "pho."

// prepare creates every variable that is missing: weights, the optimizer's state and the moving average.
func prepare(vars *mlx.Vars, c Config) error {
	if err := gannet.Initialise(vars, append(phones.Params(c.GAN), c.teacherParams()...), c.Seed); err != nil {
		return err
	}
	if err := optimizer(c).Prepare(vars, phonePrefix); err != nil {
		return err
	}
	return mlx.PrepareEMA(vars, phonePrefix)
}

func optimizer(c Config) mlx.AdamW {
	return mlx.AdamW{Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-8, WeightDecay: c.WeightDecay, Clip: c.Clip}
}

// phoneStep is one step: cross entropy per labelled frame (Szegedy et al. 2016 for the smoothed target).
// Inputs: x [batch, frames, nMels], target [batch, frames, phones], keep [batch, bottleneck], taps, schedule (rate, EMA decay); with
// a teacher also its features [batch, frames, dims], whose mean squared error counts teacherWeight, and where there are any,
// [batch, frames].
func (e *engine) phoneStep(in []*Node, smoothing, teacherWeight float64) []*Node {
	x, target, keep, taps, schedule := in[0], in[1], in[2], in[3], in[4]
	net := e.over(x.Graph(), mlx.GroupWeights, false)
	hidden := mlx.Float(gannet.Encode(net, e.cfg.GAN, "pho", x, taps))
	hidden = Mul(hidden, BroadcastToShape(InsertAxes(keep, 1), hidden.Shape()))
	logits := mlx.Float(net.Linear(hidden, "pho.head"))
	logProbability := LogSoftmax(logits, -1)

	labelled := ReduceSum(target, -1) // 1 or 0 per frame
	count := MaxScalar(ReduceAllSum(labelled), 1.0)
	onTarget := ReduceAllSum(Mul(target, logProbability))
	onAll := ReduceAllSum(Mul(labelled, ReduceMean(logProbability, -1)))
	loss := Neg(Div(Add(MulScalar(onTarget, 1-smoothing), MulScalar(onAll, smoothing)), count))

	best := ReduceMax(logits, -1)
	hit := GreaterOrEqual(ReduceSum(Mul(target, logits), -1), best)
	accuracy := Div(ReduceAllSum(Mul(labelled, ConvertDType(hit, dtypes.Float32))), count)

	whole := loss
	var extra []*Node
	if len(in) > 5 {
		features, taught := in[5], in[6]
		guess := mlx.Float(net.Linear(hidden, "pho.teacher"))
		perFrame := ReduceMean(Square(Sub(guess, features)), -1)
		apart := Div(ReduceAllSum(Mul(perFrame, taught)), MaxScalar(ReduceAllSum(taught), 1.0))
		whole = Add(loss, MulScalar(apart, teacherWeight))
		extra = append(extra, StopGradient(apart))
	}
	norms, ok := e.adam.Step(e.vars, whole, mlx.Rate{Prefix: phonePrefix, Rate: mlx.At(schedule, 0)})
	mlx.UpdateEMA(e.vars, mlx.At(schedule, 1), phonePrefix)
	return mlx.Results(append([]*Node{ok, norms[0], loss, StopGradient(accuracy)}, extra...)...)
}

// phoneRead is the averaged phone network at work: x [batch, frames, nMels] and taps to the log-probabilities of the phones
// and the hidden layer, joined, [batch, frames, phones+bottleneck].
func (e *engine) phoneRead(in []*Node) []*Node {
	net := e.over(in[0].Graph(), mlx.GroupEMA, true)
	hidden := mlx.Float(gannet.Encode(net, e.cfg.GAN, "pho", in[0], in[1]))
	logits := mlx.Float(net.Linear(hidden, "pho.head"))
	return []*Node{Concatenate([]*Node{LogSoftmax(logits, -1), hidden}, -1)}
}

// phoneInputs builds what a step takes, in the order of phoneStep.
func phoneInputs(c Config, batch *batch, step int) []*tensors.Tensor {
	in := []*tensors.Tensor{
		tensors.FromFlatDataAndDimensions(batch.x, c.Batch, c.CropFrames, c.GAN.NMels),
		tensors.FromFlatDataAndDimensions(batch.target, c.Batch, c.CropFrames, corpus.PhoneCount),
		tensors.FromFlatDataAndDimensions(batch.keep, c.Batch, c.GAN.Bottleneck),
		gannet.Taps(c.GAN, batch.lookAhead),
		tensors.FromFlatDataAndDimensions([]float32{float32(c.rate(step)), float32(mlx.EMADecay(c.EMA, step))}, 2),
	}
	if c.TeacherDims > 0 {
		in = append(in, tensors.FromFlatDataAndDimensions(batch.teacher, c.Batch, c.CropFrames, c.TeacherDims),
			tensors.FromFlatDataAndDimensions(batch.taught, c.Batch, c.CropFrames))
	}
	return in
}

// inputs draws the batches of steps and puts what they take on the device. The batcher is no longer the caller's.
func (e *engine) inputs(c Config, b *batcher) run.Inputs[[]*tensors.Tensor] {
	return run.Inputs[[]*tensors.Tensor]{
		Draw: func(step int) ([]*tensors.Tensor, error) {
			in := phoneInputs(c, b.at(step), step)
			if err := e.steps.Upload(in); err != nil {
				return nil, errors.Join(fmt.Errorf("step %d: %w", step, err), e.steps.Free(in))
			}
			return in, nil
		},
		Free: func(in []*tensors.Tensor) error { return e.steps.Free(in) },
	}
}

// learnPhones makes one step, and frees its inputs.
func (e *engine) learnPhones(c Config, in []*tensors.Tensor) ([]run.Results, error) {
	out, err := e.run("phone", func(in []*Node) []*Node { return e.phoneStep(in, c.Smoothing, c.TeacherWeight) }, in...)
	names := phoneMetrics
	if c.TeacherDims > 0 {
		names = append(slices.Clone(names), teacherMetric)
	}
	return []run.Results{{Names: names, Tensor: out}}, err
}

// Whole utterances are read in windows of one length, since every new shape is compiled anew, and so that a window's frames
// have all their past, windows overlap.
const (
	shortestRead = 256
	readBatch    = 16
)

// phonePast is how many frames back the phone network sees.
func (c Config) phonePast() int { return c.GAN.EncoderPast() }

// readFrames is the length of a window: at least half of it is read for the first time.
func (c Config) readFrames() int {
	n := shortestRead
	for n < 2*c.phonePast()+2*c.GAN.StemFuture {
		n *= 2
	}
	return n
}

// readPhones runs the averaged network over utterances and calls visit with each utterance's log-probabilities
// [frames, phones] and hidden layer [frames, bottleneck].
func (e *engine) readPhones(c Config, us []labelled, lookAhead int, visit func(i int, logProbability, hidden []float32)) error {
	type window struct{ utterance, from, skip, frames int } // reads from "from", and keeps frames after skip
	var windows []window
	past, readFrames := c.phonePast(), c.readFrames()
	for i, u := range us {
		for at := 0; at < u.frames.Len(); {
			w := window{utterance: i, from: max(0, at-past)}
			w.skip = at - w.from
			w.frames = min(readFrames-w.skip, u.frames.Len()-at)
			if at+w.frames < u.frames.Len() {
				w.frames -= c.GAN.StemFuture // whose future lies outside the window
			}
			windows = append(windows, w)
			at += w.frames
		}
	}
	m, row := c.GAN.NMels, corpus.PhoneCount+c.GAN.Bottleneck
	var probabilities, hidden []float32
	for first := 0; first < len(windows); first += readBatch {
		x := make([]float32, readBatch*readFrames*m)
		part := windows[first:min(first+readBatch, len(windows))]
		for i, w := range part {
			u := us[w.utterance].frames
			copy(x[i*readFrames*m:(i+1)*readFrames*m], u.LogMel[w.from*m:])
		}
		out, err := e.run("phone reading", e.phoneRead, tensors.FromFlatDataAndDimensions(x, readBatch, readFrames, m), gannet.Taps(c.GAN, lookAhead))
		if err != nil {
			return err
		}
		values := mlx.Take(out)
		for i, w := range part {
			for t := range w.frames {
				v := values[(i*readFrames+w.skip+t)*row:][:row]
				probabilities = append(probabilities, v[:corpus.PhoneCount]...)
				hidden = append(hidden, v[corpus.PhoneCount:]...)
			}
			if len(probabilities) == us[w.utterance].frames.Len()*corpus.PhoneCount {
				visit(w.utterance, probabilities, hidden)
				probabilities, hidden = probabilities[:0], hidden[:0]
			}
		}
	}
	return nil
}
