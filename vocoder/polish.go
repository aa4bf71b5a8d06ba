package vocoder

import (
	"fmt"

	"github.com/starvc/vc/features"
)

// wantedFrame is what a frame is to sound like.
type wantedFrame struct {
	mel []float64 // [NMels] magnitudes
	f0  float64   // Hz, 0 where unvoiced
}

// maxPasses bounds the memory and the latency of passes.
const maxPasses = 64

// polisher takes what a vocoder has settled, hop by hop, through any number of passes, each of which adds to the latency.
type polisher struct {
	filter  *bandFilter
	cfg     features.Config
	passes  []polishPass
	kept    []wantedFrame // ring of the frames that a pass may still need
	latency int           // samples, with the half window that any vocoder needs
}

func newPolisher(cfg features.Config, filter *bandFilter, passes int) (polisher, error) {
	if passes < 0 || passes > maxPasses {
		return polisher{}, fmt.Errorf("vocoder: %d polishing passes, want 0 to %d", passes, maxPasses)
	}
	p := polisher{filter: filter, cfg: cfg, passes: make([]polishPass, passes), latency: cfg.WinLength / 2}
	kept := 1
	for i := range p.passes {
		p.passes[i] = newPolishPass(cfg, filter.stft.Window(), p.latency)
		p.latency = p.passes[i].latency(cfg)
		kept = p.passes[i].delay
	}
	p.kept = make([]wantedFrame, kept)
	for i := range p.kept {
		p.kept[i].mel = make([]float64, cfg.NMels)
	}
	return p, nil
}

func (p *polisher) reset() {
	for i := range p.passes {
		p.passes[i].reset(p.cfg)
	}
}

// slot is where the frame of a step is kept.
func (p *polisher) slot(step int) *wantedFrame { return &p.kept[step%len(p.kept)] }

// run takes the hop that was settled after so many steps, of which so many were frames, through the passes.
func (p *polisher) run(hop []float64, steps, frames int) {
	for i := range p.passes {
		pass := &p.passes[i]
		pass.push(hop)
		if t := steps - pass.delay; t >= 0 && t < frames {
			pass.polish(p.filter, p.kept[t%len(p.kept)])
		}
		pass.sum.advance(hop)
	}
}

// polishPass takes a signal and multiplies its spectrogram by smooth gains, under which its mel bands are the wanted
// ones. Frames that fit alone do not when they overlap with others; this sees them as they came out, and leaves the
// fine structure, the pitch, as it is.
type polishPass struct {
	delay int // frames by which it works behind the newest
	input []float64
	sum   overlapAdd
	spec  []complex128
}

// newPolishPass makes the pass behind a stage of the given latency, in samples.
func newPolishPass(cfg features.Config, window []float64, latency int) polishPass {
	needs := latency + cfg.WinLength/2
	delay := (needs + cfg.Hop - 1) / cfg.Hop
	return polishPass{
		delay: delay, input: make([]float64, cfg.WinLength+delay*cfg.Hop-needs), sum: newOverlapAdd(cfg, window),
		spec: make([]complex128, cfg.Bins()),
	}
}

func (p *polishPass) latency(cfg features.Config) int { return cfg.WinLength/2 + (p.delay-1)*cfg.Hop }

func (p *polishPass) reset(cfg features.Config) {
	clear(p.input)
	p.sum.reset(p.latency(cfg))
}

// push takes the next samples, [Hop].
func (p *polishPass) push(x []float64) {
	copy(p.input, p.input[len(x):])
	copy(p.input[len(p.input)-len(x):], x)
}

// polishWidth is how far bands are smoothed, as a part of F0, before they are compared: less and the log-mel's own
// guess at the harmonics shows through, more and formants blur.
const polishWidth = 1.5

// polish brings the frame whose samples are now complete nearer to what is wanted of it.
func (p *polishPass) polish(f *bandFilter, want wantedFrame) {
	window := p.sum.window
	f.stft.Forward(p.spec, p.input[:len(window)])
	f.match(want, f.magnitudes(p.spec), polishWidth, 1)
	f.gains()
	for k, g := range f.gain {
		p.spec[k] *= complex(min(g, maxPolishGain), 0)
	}
	f.stft.Inverse(p.sum.frame, p.spec)
	p.sum.count()
	p.sum.add(p.sum.frame)
}

// maxPolishGain keeps rounding errors in silence from becoming sound.
const maxPolishGain = 4
