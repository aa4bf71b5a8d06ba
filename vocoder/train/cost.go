package train

import (
	"slices"
	"time"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/run"
	"github.com/starvc/vc/vocoder"
)

// What a step costs, counted from the configuration: multiplications for its time, numbers kept for its memory.

// The parts of a step that passes go through.
const (
	vocoding    = "vocoder"
	comparing   = "spectral losses"
	periods     = "period discriminators"
	resolutions = "resolution discriminators"
)

// partCost is one item's way forward through a part.
type partCost struct {
	learned run.Forward // through weights
	fixed   run.Forward // through constants, such as Fourier transforms: of these nobody wants a gradient
}

// voiceCost is the network, and the inverse Fourier transform of what it filters.
func voiceCost(c vocoder.NetConfig, frames int) partCost {
	cfg := c.Features
	w, hidden, bins, out := float64(c.Width), float64(c.Hidden), float64(cfg.Bins()), float64(c.Outputs())
	block := run.Forward{MACs: w*float64(c.Kernel) + 2*w*hidden, Kept: 5*w + 4*hidden}
	ends := run.Forward{MACs: float64(c.Inputs())*w + w*out, Kept: 3*w + 3*out} // a gain's exponential, a phase's sine and cosine
	rows := float64((cfg.WinLength + cfg.Hop - 1) / cfg.Hop * cfg.Hop)
	return partCost{
		learned: ends.Plus(block.Times(float64(c.Blocks))).Times(float64(frames)),
		fixed:   run.Forward{MACs: 2 * bins * rows, Kept: 2*bins + rows}.Times(float64(frames)),
	}
}

// magnitudesCost is magnitudes of so many samples.
func magnitudesCost(n, length, hop, points int) run.Forward {
	frames, bins := float64(n/hop-(length+hop-1)/hop+1), float64(points/2+1)
	return run.Forward{MACs: frames * float64(length) * 2 * bins, Kept: frames * (float64(length) + 3*bins)}
}

// spectraCost is what the spectral losses make of one sound, a copy or a recording.
func spectraCost(cfg features.Config, n int) partCost {
	f := magnitudesCost(n, cfg.WinLength, cfg.Hop, cfg.NFFT)
	frames := float64(n/cfg.Hop - (cfg.WinLength+cfg.Hop-1)/cfg.Hop + 1)
	f = f.Plus(run.Forward{MACs: frames * float64(cfg.Bins()*cfg.NMels), Kept: 2 * frames * float64(cfg.NMels)})
	for _, length := range spectralWindows {
		f = f.Plus(magnitudesCost(n, length, length/4, length))
	}
	return partCost{fixed: f}
}

// layersCost is what convolve does to one image. Where a convolution is made of a matrix product, the shifted copies of what
// goes in are kept too.
func layersCost(width int, layers []discLayer, rows, columns int, native bool) (f run.Forward) {
	in := 1.0
	layer := func(kt, kf int, out float64) {
		at, taps := float64(rows*columns), float64(kt*kf)
		copies := 0.0
		if !native {
			copies = taps
		}
		f = f.Plus(run.Forward{MACs: at * taps * in * out, Kept: at * (copies*in + 2*out)})
		in = out
	}
	for _, l := range layers {
		layer(l.kt, l.kf, float64(max(1, width/l.part)))
		rows, columns = rows/l.pt, columns/l.pf
	}
	layer(3, layers[len(layers)-1].kf/2*2+1, 1)
	return f
}

func periodsCost(width, n int, native bool) (c partCost) {
	for _, period := range discPeriods {
		c.learned = c.learned.Plus(layersCost(width, periodLayers, n/period, period, native))
	}
	return c
}

func resolutionsCost(width, n int, native bool) (c partCost) {
	for _, length := range discWindows {
		hop := length / 4
		c.fixed = c.fixed.Plus(magnitudesCost(n, length, hop, length))
		c.learned = c.learned.Plus(layersCost(width, resolutionLayers, n/hop-3, length/2, native))
	}
	return c
}

// pass is one way through one part of a step: forward, and back where a gradient is asked for.
type pass struct {
	step    string // whose it is: "D", the discriminators', or "G", the vocoder's
	part    string
	what    string // for people: what goes through it
	items   float64
	weights bool // gradients of the part's weights
	input   bool // gradients of what goes in
	cost    partCost
}

// passes lists what a step sends through the parts, in the order of engine.discriminatorStep and engine.generatorStep, or of
// engine.spectralStep.
func (c Config) passes(adversarial, native bool) []pass {
	b, n := float64(c.Batch), samples(c.Net.Features, c.CropFrames)
	voice, spectra := voiceCost(c.Net, c.CropFrames), spectraCost(c.Net.Features, n)
	learn := []pass{
		{step: "G", part: vocoding, what: "copies", items: b, weights: true, cost: voice},
		{step: "G", part: comparing, what: "spectra of the recordings", items: b, cost: spectra},
		{step: "G", part: comparing, what: "spectra of the copies", items: b, input: true, cost: spectra},
	}
	if !adversarial {
		return learn
	}
	p, r := periodsCost(c.DiscWidth, n, native), resolutionsCost(c.DiscWidth, n, native)
	list := append([]pass{
		{step: "D", part: vocoding, what: "copies", items: b, cost: voice},
		{step: "D", part: periods, what: "judge recordings", items: b, weights: true, cost: p},
		{step: "D", part: periods, what: "judge copies", items: b, weights: true, cost: p},
		{step: "D", part: resolutions, what: "judge recordings", items: b, weights: true, cost: r},
		{step: "D", part: resolutions, what: "judge copies", items: b, weights: true, cost: r},
	}, learn...)
	return append(list,
		pass{step: "G", part: periods, what: "judge recordings", items: b, cost: p},
		pass{step: "G", part: periods, what: "judge copies", items: b, input: true, cost: p},
		pass{step: "G", part: resolutions, what: "judge recordings", items: b, cost: r},
		pass{step: "G", part: resolutions, what: "judge copies", items: b, input: true, cost: r})
}

// counts are the pass as the estimate counts passes: through weights, and through constants.
func (p pass) counts() [2]run.Pass {
	return [2]run.Pass{
		{Forward: p.cost.learned, Items: p.items, Weights: p.weights, Input: p.input},
		{Forward: p.cost.fixed, Items: p.items, Input: (p.weights && p.part == vocoding) || p.input},
	}
}

// stepCost is what a step of one of the phases does: floating-point operations, in products of matrices and in the convolutions
// of discriminators, and bytes in use at the height of it.
type stepCost struct{ products, convolutions, bytes float64 }

func (c Config) stepCost(adversarial, native bool) (k stepCost) {
	kept := map[string]float64{} // by each of the two halves of a step
	for _, p := range c.passes(adversarial, native) {
		counts := p.counts()
		if p.part == periods || p.part == resolutions {
			k.convolutions += counts[0].Operations()
		} else {
			k.products += counts[0].Operations()
		}
		k.products += counts[1].Operations()
		if p.step == "D" && p.part == vocoding {
			continue // nothing comes back
		}
		kept[p.step] += p.items * (p.cost.learned.Kept + p.cost.fixed.Kept)
	}
	number := 4.0
	if c.BFloat16 {
		number = 2
	}
	weights := 0.0
	for _, p := range append(c.Net.Params(), discParams(c.DiscWidth)...) {
		n := 1.0
		for _, d := range p.Shape {
			n *= float64(d)
		}
		weights += n
	}
	frame := c.Net.Inputs() + 4*c.Net.Features.Bins() + c.Net.Features.Hop
	// Weights, their average, two moments, gradients and new values; a batch, and those that wait; and what is kept for the way
	// back of one half of the step, whose buffers XLA uses again on that way.
	k.bytes = 4*7*weights + 4*4*float64(c.Batch*c.CropFrames*frame) + number*max(kept["D"], kept["G"])
	return k
}

// Operations per second and core, forward and backward, that training reaches: measured on one core of a Xeon (Sapphire Rapids)
// with presets tiny and base. Convolutions of few channels are what keeps a core from its best.
const (
	xlaProducts, goProducts         = 45e9, 2.9e9
	xlaConvolutions, goConvolutions = 20e9, 1.6e9
)

// XLA compiles the graphs of a phase for a CPU in so much time, and keeps so many bytes of what that takes, beside the program's.
const (
	compileSpectral, compileAdversarial           = 20 * time.Second, 70 * time.Second
	compileSpectralBytes, compileAdversarialBytes = 450e6, 1450e6
)

// loads are so many steps.
func (k stepCost) loads(steps int) []run.Load {
	return []run.Load{
		{Operations: float64(steps) * k.products, XLA: xlaProducts, Go: goProducts},
		{Operations: float64(steps) * k.convolutions, XLA: xlaConvolutions, Go: goConvolutions},
	}
}

// adversarialCost is a step of the second phase in steps of the first, by kind of device.
func (c Config) adversarialCost(native bool, kind string) float64 {
	const many = 1000 // so that no step is rounded away
	first := run.Time(kind, 0, c.stepCost(false, native).loads(many)...)
	return run.Time(kind, 0, c.stepCost(true, native).loads(many)...).Seconds() / first.Seconds()
}

// expect is what the steps from first on take of a device of that kind.
func (c Config) expect(first int, native bool, kind string) run.Cost {
	var total run.Cost
	var loads []run.Load
	var compile time.Duration
	phase := func(steps int, adversarial bool, time time.Duration, compiling float64) {
		if steps <= 0 {
			return
		}
		k := c.stepCost(adversarial, native)
		loads = append(loads, k.loads(steps)...)
		compile += time
		total.Bytes = max(total.Bytes, k.bytes)
		if kind == "xla-cpu" {
			total.Host = compiling
		}
	}
	w := min(c.SpectralSteps(), c.Steps)
	phase(w-first, false, compileSpectral, compileSpectralBytes)
	phase(c.Steps-max(first, w), true, compileAdversarial, compileAdversarialBytes)
	total.Time = run.Time(kind, compile, loads...)
	return total
}

// bytes are those of the recordings, which stay in memory; their features are in files.
func (s *speech) bytes() (n float64) {
	for _, u := range append(slices.Clone(s.train), s.valid...) {
		n += float64(4*len(u.sound) + 4*len(u.made) + 8*len(u.phases))
	}
	return n
}
