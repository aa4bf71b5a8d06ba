package train

import (
	"math"
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/starvc/vc/internal/untrained/weights"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/mlx"
	"github.com/starvc/vc/internal/mlx/mlxtest"
	"github.com/starvc/vc/vocoder"
)

// call runs a graph of inputs without weights.
func call(t testing.TB, build func(in []*Node) *Node, args ...*tensors.Tensor) []float32 {
	t.Helper()
	list := make([]any, len(args))
	for i, a := range args {
		list[i] = a
	}
	out, err := model.CallOnce(mlxtest.OpenGo(t), mlx.NewVars().Store(), func(_ *model.Scope, in []*Node) *Node { return Identity(build(in)) }, list...)
	if err != nil {
		t.Fatal(err)
	}
	return tensors.MustCopyFlatData[float32](out)
}

// microConfig is smaller than tiny: a second on two cores.
func microConfig(t testing.TB) Config {
	t.Helper()
	c, err := DefaultConfig("tiny")
	if err != nil {
		t.Fatal(err)
	}
	c.Net.Width, c.Net.Hidden, c.Net.Blocks, c.Net.Kernel = 12, 16, 1, 3
	c.Batch, c.CropFrames, c.DiscWidth, c.Steps = 2, 20, 4, 6
	c.RampSteps, c.ValidEvery, c.SnapshotEvery, c.LogEvery, c.ValidFraction = 2, 3, 3, 1, 0.3
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return c
}

// sung is a gliding note with noise and its features.
func sung(cfg features.Config, frames int, seed uint64) utterance {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, frames*cfg.Hop)
	turn := r.Float64()
	f := features.Frames{NMels: cfg.NMels}
	for i := range x {
		hz := 140 + 40*math.Sin(2*math.Pi*float64(i)/float64(cfg.SampleRate))
		if i%cfg.Hop == 0 {
			f.F0 = append(f.F0, float32(hz))
		}
		for h := 1; h <= 12; h++ {
			x[i] += float32(0.1 / float64(h) * math.Cos(2*math.Pi*turn*float64(h)))
		}
		turn += hz / float64(cfg.SampleRate)
		x[i] += float32(0.01 * r.NormFloat64())
	}
	own, err := features.Extract(cfg, x)
	if err != nil {
		panic(err)
	}
	f.LogMel, f.LogEnergy = own.LogMel[:frames*cfg.NMels], own.LogEnergy[:frames]
	return utterance{path: "sung", frames: f, sound: x, phases: phases(cfg, x, f.F0)}
}

// drawn is a batch of its own.
func drawn(b *batcher, step int) *batch {
	out := b.newBatch()
	b.fill(out, step)
	return out
}

// What is trained as a graph is run by package vocoder in plain Go: both must make the same sound from the same weights.
func TestParity(t *testing.T) {
	c := microConfig(t)
	c.Net.Width, c.Net.Hidden, c.Net.Blocks, c.Net.Kernel = 24, 40, 2, 5
	c.Steer, c.GainDB, c.Batch = 0, 0, 1
	cfg := c.Net.Features
	learnt := weights.Vocoder(c.Net.Params(), 3)
	vars := mlx.NewVars()
	for _, p := range c.Net.Params() {
		if err := vars.Set(mlx.GroupEMA, p.Name, p.Shape, learnt[p.Name]); err != nil {
			t.Fatal(err)
		}
	}
	u := sung(cfg, c.CropFrames, 5)
	clear(u.frames.F0[8:12]) // a stretch without voice
	const seed = 77
	b := newBatcher(c, []utterance{u})
	out := b.newBatch()
	b.crop(out, b.sources[0], crop{u: &u, seed: seed}, 0)

	e := newEngine(c, mlxtest.OpenGo(t), false, vars)
	in, err := e.tensorsOf(out)
	if err != nil {
		t.Fatal(err)
	}
	sung, err := e.steps.Call("sing", e.sing, in[:3]...)
	if err != nil {
		t.Fatal(err)
	}
	got := tensors.MustCopyFlatData[float32](sung)
	net, err := vocoder.NewNet(c.Net, nil, learnt)
	if err != nil {
		t.Fatal(err)
	}
	stream := net.NewStream(seed)
	want := stream.FlushTo(stream.Process(nil, u.frames.LogMel, u.frames.F0), c.CropFrames*cfg.Hop)[cfg.Hop:][:len(got)]
	var worst, largest float64
	for i := range got {
		worst = math.Max(worst, math.Abs(float64(got[i]-want[i])))
		largest = math.Max(largest, math.Abs(float64(want[i])))
	}
	if largest < 0.01 || worst > 1e-3*largest {
		t.Errorf("graph and CPU differ by %g where the loudest sample is %g", worst, largest)
	}
}

// The inverse STFT of a signal's own STFT is the signal.
func TestOverlapAddInverts(t *testing.T) {
	for _, rate := range []int{16000, 24000} {
		cfg, err := features.ConfigForRate(rate)
		if err != nil {
			t.Fatal(err)
		}
		const frames = 12
		r := rand.New(rand.NewPCG(2, 3))
		x := make([]float32, (frames-1)*cfg.Hop+cfg.WinLength)
		for i := range x { // no offset and nothing at half the rate, which the vocoder leaves out
			x[i] = float32(math.Sin(0.3*float64(i)) * r.Float64())
		}
		stft, bins := features.NewSTFT(cfg), cfg.Bins()
		spectra := make([]float32, frames*2*bins)
		frame, spec := make([]float64, cfg.WinLength), make([]complex128, bins)
		for f := range frames {
			for i := range frame {
				frame[i] = float64(x[f*cfg.Hop+i])
			}
			stft.Forward(spec, frame)
			spec[0], spec[bins-1] = 0, 0
			for k, v := range spec {
				spectra[f*2*bins+k], spectra[f*2*bins+bins+k] = float32(real(v)), float32(imag(v))
			}
		}
		y := call(t, func(in []*Node) *Node { return overlapAdd(cfg, in[0]) }, tensors.FromFlatDataAndDimensions(spectra, 1, frames, 2*bins))
		if len(y) != samples(cfg, frames) {
			t.Fatalf("%d samples, want %d", len(y), samples(cfg, frames))
		}
		for i, v := range y {
			if want := x[cfg.WinLength/2+cfg.Hop+i]; math.Abs(float64(v-want)) > 0.03 {
				t.Fatalf("%d Hz: sample %d is %g, want %g", rate, i, v, want)
			}
		}
	}
}

// Gradients of the whole vocoder under all its losses, by finite differences along random directions.
func TestGradients(t *testing.T) {
	c := microConfig(t)
	vars := mlx.NewVars()
	if err := prepare(vars, c); err != nil {
		t.Fatal(err)
	}
	e := newEngine(c, mlxtest.OpenGo(t), false, vars)
	b := drawn(newBatcher(c, []utterance{sung(c.Net.Features, 40, 1), sung(c.Net.Features, 50, 2)}), 0)
	objective := func(in []*Node, group string, frozen bool) *Node {
		sound := e.voice(in, group, frozen)
		loss, _ := e.reconstruction(in[3], sound)
		judges := e.net(in[0].Graph(), group, true)
		onRecording, onSound := judge(judges, in[3]), judge(judges, sound)
		return Add(loss, Add(AdversarialLoss(onSound), MatchingLoss(onRecording, onSound)))
	}
	names := []string{"voc.stem.w", "voc.block.0.dw.w", "voc.block.0.up.w", "voc.head.w", "voc.norm.gain"}
	in, err := e.tensorsOf(b)
	if err != nil {
		t.Fatal(err)
	}
	in = in[:validInputs]
	args := make([]any, len(in))
	for i, x := range in {
		args[i] = x
	}
	slopes := model.MustNewExec(e.backend, vars.Store(), func(_ *model.Scope, in []*Node) []*Node {
		loss := objective(in, mlx.GroupWeights, false)
		params := make([]*Node, len(names))
		for i, name := range names {
			params[i] = vars.Node(in[0].Graph(), mlx.GroupWeights, name)
		}
		return append(Gradient(loss, params...), loss)
	}).MustCall(args...)
	value := model.MustNewExec(e.backend, vars.Store(), func(_ *model.Scope, in []*Node) *Node { return objective(in, mlx.GroupWeights, true) })
	r := rand.New(rand.NewPCG(7, 7))
	for i, name := range names {
		slope := tensors.MustCopyFlatData[float32](slopes[i])
		data, shape, err := vars.Get(mlx.GroupWeights, name)
		if err != nil {
			t.Fatal(err)
		}
		direction := make([]float64, len(data))
		var want, size float64
		for k, s := range slope { // mostly along the slope, so that rounding does not drown the difference
			direction[k] = float64(s) * (0.5 + r.Float64())
			size += direction[k] * direction[k]
		}
		size = math.Sqrt(size)
		for k := range direction {
			direction[k] /= size
			want += direction[k] * float64(slope[k])
		}
		const h = 1e-2
		at := func(step float64) float64 {
			moved := make([]float32, len(data))
			for k := range moved {
				moved[k] = data[k] + float32(step*direction[k])
			}
			if err := vars.Set(mlx.GroupWeights, name, shape, moved); err != nil {
				t.Fatal(err)
			}
			return float64(tensors.MustCopyFlatData[float32](value.MustCall(args...)[0])[0])
		}
		have := (at(h) - at(-h)) / (2 * h)
		at(0)
		if math.Abs(have-want) > 0.05*math.Abs(want)+1e-3 {
			t.Errorf("%s: slope %g, finite difference %g", name, want, have)
		}
	}
}
