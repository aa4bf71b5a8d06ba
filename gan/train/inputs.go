package train

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/mlx/gannet"
	"github.com/starvc/vc/internal/run"
)

// schedule holds the scalars that change from step to step. They enter the graph as one input: a changed constant would
// compile it again.
type schedule struct {
	Rate, MapRate, EncoderRate, Diversity, SourceG, SourceC, EMA, JudgeRate float64
}

const scheduleLength = 8

func (s schedule) values() []float32 {
	return []float32{
		float32(s.Rate), float32(s.MapRate), float32(s.EncoderRate), float32(s.Diversity), float32(s.SourceG),
		float32(s.SourceC), float32(s.EMA), float32(s.JudgeRate),
	}
}

// schedule is a pure function of the step.
func (c Config) schedule(step int, encoderFromP bool) schedule {
	w := c.WarmUpSteps()
	s := schedule{Rate: c.rate(step), EMA: mlx.EMADecay(c.EMA, step)}
	s.MapRate = s.Rate * c.MapRate
	s.JudgeRate = s.Rate
	if c.JudgeRate > 0 { // runs that began before there was such a setting have 0
		s.JudgeRate *= c.JudgeRate
	}
	s.EncoderRate = s.Rate
	if encoderFromP {
		s.EncoderRate = s.Rate * c.EncoderShare
		if rest := int(math.Ceil(c.FreezeShare * float64(w))); step < rest {
			s.EncoderRate = 0
		} else { // rising slowly, or the decoder loses what it has learnt
			s.EncoderRate *= math.Min(1, float64(step-rest+1)/math.Max(float64(c.RampSteps), 1))
		}
	}
	s.Diversity = DiversityWeight(c.Loss.Diversity, step-w, c.Steps-w)
	if step >= c.sourceStep() {
		s.SourceG, s.SourceC = c.Loss.SourceG, c.Loss.SourceC
	}
	return s
}

// feed turns a batch into the tensors of a step.
type feed struct {
	cfg      Config
	speakers []corpus.SpeakerInfo
	batch    *corpus.Batch
}

// starInputs are the tensors of a step of the star. What both of its graphs take is built once and goes to the device once.
type starInputs struct {
	discriminator, generator []*tensors.Tensor // in the order of engine.discriminator and engine.generator
	all                      []*tensors.Tensor // each once
}

func (f feed) star(schedule *tensors.Tensor) starInputs {
	b := f.batch
	shift, gain := f.shifts()
	x, ref, moved, y, target := f.x(), f.ref(), f.controls(b.Target), f.oneHot(b.Y), f.oneHot(b.Target)
	z1, mask, taps := f.latent(b.Z1), f.mask(), f.taps()
	in := starInputs{
		discriminator: []*tensors.Tensor{x, ref, moved, y, target, z1, f.noise(), shift, gain, mask, taps, schedule},
		generator:     []*tensors.Tensor{x, ref, f.ref2(), f.controls(b.Y), moved, y, target, z1, f.latent(b.Z2), shift, gain, mask, taps, schedule},
	}
	if b.FullBand != nil {
		target := f.flags(b.TargetFullBand)
		in.discriminator = append(in.discriminator, target)
		in.generator = append(in.generator, target, f.flags(b.FullBand))
	}
	in.all = slices.Clone(in.discriminator)
	for _, t := range in.generator {
		if !slices.Contains(in.all, t) {
			in.all = append(in.all, t)
		}
	}
	return in
}

func (f feed) mels(values []float32, frames int) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(values, f.cfg.Batch, frames, f.cfg.GAN.NMels)
}

func (f feed) x() *tensors.Tensor     { return f.mels(f.batch.X, f.cfg.CropFrames) }
func (f feed) want() *tensors.Tensor  { return f.mels(f.batch.Want, f.cfg.CropFrames) }
func (f feed) noise() *tensors.Tensor { return f.mels(f.batch.Noise, f.cfg.CropFrames) }
func (f feed) mask() *tensors.Tensor  { return f.mels(f.batch.AugMask, f.cfg.CropFrames) }
func (f feed) same() *tensors.Tensor  { return f.mels(f.batch.Same, f.cfg.StyleFrames) }
func (f feed) ref() *tensors.Tensor   { return f.mels(f.batch.Ref, f.cfg.StyleFrames) }
func (f feed) ref2() *tensors.Tensor  { return f.mels(f.batch.Ref2, f.cfg.StyleFrames) }

// flags are ones and zeros, [batch, 1, 1].
func (f feed) flags(on []bool) *tensors.Tensor {
	v := make([]float32, len(on))
	for i := range on {
		if on[i] {
			v[i] = 1
		}
	}
	return tensors.FromFlatDataAndDimensions(v, len(v), 1, 1)
}

func (f feed) latent(z []float32) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(z, f.cfg.Batch, f.cfg.GAN.LatentDim)
}

func (f feed) oneHot(y []int32) *tensors.Tensor {
	k := len(f.speakers)
	v := make([]float32, len(y)*k)
	for i, s := range y {
		v[i*k+int(s)] = 1
	}
	return tensors.FromFlatDataAndDimensions(v, len(y), k)
}

// controls are the source's pitch and energy as G takes them, [batch, frames, 3], with the pitch moved to the range of
// speaker to[b] by the two speakers' statistics.
func (f feed) controls(to []int32) *tensors.Tensor {
	n := f.cfg.CropFrames
	v := make([]float32, 0, f.cfg.Batch*n*gan.Controls)
	moved := make([]float32, n)
	for b, y := range f.batch.Y {
		from, target := f.speakers[y], f.speakers[to[b]]
		pitch := gan.PitchMap{
			Source: features.Pitch{Mean: from.LogF0Mean, Std: from.LogF0Std},
			Target: features.Pitch{Mean: target.LogF0Mean, Std: target.LogF0Std},
		}
		copy(moved, f.batch.F0[b*n:(b+1)*n])
		if to[b] != y {
			for t, hz := range moved {
				moved[t] = pitch.Hz(hz)
			}
		}
		v = gan.AppendControls(v, moved, f.batch.LogEnergy[b*n:(b+1)*n])
	}
	return tensors.FromFlatDataAndDimensions(v, f.cfg.Batch, n, gan.Controls)
}

// taps is the stem's mask for the batch's look-ahead.
func (f feed) taps() *tensors.Tensor { return gannet.Taps(f.cfg.GAN, f.batch.LookAhead) }

// disturbance is what the warm-up does to the source before the encoder sees it.
func (f feed) disturbance() (warp, tilt *tensors.Tensor) {
	b, m := f.cfg.Batch, f.cfg.GAN.HeardMels()
	w, t := make([]float32, b*m*m), make([]float32, b*m)
	disturb(w, t, b, m, f.cfg.WarpRange, f.cfg.TiltRange, f.cfg.Seed, f.batch.Step)
	return tensors.FromFlatDataAndDimensions(w, b, m, m), tensors.FromFlatDataAndDimensions(t, b, m)
}

// translation is what back-translation takes: the controls with the pitch moved to the range of the item half a batch away, and
// which items come in as that voice would say them, [batch, 1, 1] of ones and zeros.
func (f feed) translation() []*tensors.Tensor {
	n := f.cfg.Batch
	to, chosen := make([]int32, n), make([]float32, n)
	r := rand.New(rand.NewPCG(f.cfg.Seed^0x7472616e736c6174, uint64(f.batch.Step)))
	for i := range n {
		to[i] = f.batch.Y[(i+n/2)%n]
		if r.Float64() < f.cfg.BackTranslation && (f.batch.Paired == nil || !f.batch.Paired[i]) {
			chosen[i] = 1
		}
	}
	return []*tensors.Tensor{f.controls(to), tensors.FromFlatDataAndDimensions(chosen, n, 1, 1)}
}

// shifts are the discriminator's augmentation: a matrix per item and a gain.
func (f feed) shifts() (shift, gain *tensors.Tensor) {
	b, m := f.cfg.Batch, f.cfg.GAN.NMels
	w := make([]float32, b*m*m)
	for i := range b {
		shiftMatrix(w[i*m*m:(i+1)*m*m], m, int(f.batch.AugShift[i]))
	}
	return tensors.FromFlatDataAndDimensions(w, b, m, m), tensors.FromFlatDataAndDimensions(f.batch.AugGain, b, 1, 1)
}

func (f feed) schedule(s schedule) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(s.values(), scheduleLength)
}

// A disturbed copy of the source is what G's encoder reads in the warm-up: its mel axis is stretched, as another vocal
// tract would, and its spectral slope bent, while the target stays as it was (Choi et al. 2021, NANSY). What survives
// the disturbance is what is said; whose voice it is must then come from the style.

// warpMatrix writes a [mels, mels] matrix that resamples a row of mel bands, out = in . matrix, so that output band m
// holds what stood at band m*factor. Bands beyond the edge repeat the last.
func warpMatrix(dst []float32, mels int, factor float64) {
	clear(dst)
	for m := range mels {
		at := math.Min(float64(m)*factor, float64(mels-1))
		low := int(at)
		high := min(low+1, mels-1)
		part := float32(at - float64(low))
		dst[low*mels+m] += 1 - part
		dst[high*mels+m] += part
	}
}

// shiftMatrix is the same for a shift by whole bands.
func shiftMatrix(dst []float32, mels, shift int) {
	clear(dst)
	for m := range mels {
		dst[min(max(m-shift, 0), mels-1)*mels+m] = 1
	}
}

// disturb draws a warp matrix [batch, mels, mels] and an additive slope [batch, mels] per item from the seed and step.
func disturb(warp, tilt []float32, batch, mels int, warpRange, tiltRange float64, seed uint64, step int) {
	r := rand.New(rand.NewPCG(seed^0x9e3779b97f4a7c15, uint64(step)))
	for b := range batch {
		factor := math.Exp((2*r.Float64() - 1) * math.Log(1+warpRange))
		warpMatrix(warp[b*mels*mels:(b+1)*mels*mels], mels, factor)
		slope, bow := (2*r.Float64()-1)*tiltRange, (2*r.Float64()-1)*tiltRange
		for m := range mels {
			x := 2*float64(m)/float64(mels-1) - 1
			tilt[b*mels+m] = float32(slope*x + bow*(x*x-1.0/3))
		}
	}
}

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

// wildMel is far from every normalised log-mel of sound: digital silence is about -2 and full scale about 4.
const wildMel = 50

// wild names the recordings of a batch whose values are out of all bounds, fit to follow a warning of the step that it made.
func wild(batch *corpus.Batch) string {
	var wild []string
	for i, files := range batch.Files {
		n := len(batch.X) / len(batch.Files)
		m := len(batch.Same) / len(batch.Files)
		frames := len(batch.F0) / len(batch.Files)
		if out(batch.X[i*n:(i+1)*n]) || out(batch.Same[i*m:(i+1)*m]) || out(batch.Ref[i*m:(i+1)*m]) || out(batch.Ref2[i*m:(i+1)*m]) ||
			outOf(batch.F0[i*frames:(i+1)*frames], 1e5) || out(batch.LogEnergy[i*frames:(i+1)*frames]) {
			wild = append(wild, files...)
		}
	}
	if len(wild) == 0 {
		return ""
	}
	return "; values out of all bounds come from one of " + run.FileNames(wild)
}

func out(values []float32) bool { return outOf(values, wildMel) }

func outOf(values []float32, bound float32) bool {
	for _, v := range values {
		if !(v > -bound && v < bound) {
			return true
		}
	}
	return false
}
