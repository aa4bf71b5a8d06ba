package train

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/mlx/gannet"
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
