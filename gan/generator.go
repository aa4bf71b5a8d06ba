package gan

import (
	"fmt"

	"github.com/starvc/vc/internal/nn"
)

// blockFrames is how many frames go through the network at once. More would not use the weights better, and the
// activations would no longer fit in the cache. The output does not depend on it.
const blockFrames = 64

// Generator is one stream through G: log-mel frames and controls in, log-mel frames of the other voice out, later by
// the look-ahead. The bits of the output do not depend on how the input is cut into calls. It is not safe for
// concurrent use; Fork gives another stream over the same weights.
type Generator struct {
	net *network

	arena    *nn.Arena
	stem     nn.Window   // what the encoder hears of the log-mel: StemPast+lookAhead frames
	controls nn.Window   // lookAhead frames
	past     []nn.Window // an encoder block each, then a decoder block each

	warm   int // frames still to come before the first output
	styled bool

	// What the style means for each decoder block: gain, then bias, [decoderBlocks, 2*channels].
	ada, adaFrom, adaTo []float32
	fade, fadeLength    int // frames of the cross-fade that are done, and of all of it

	h, norm, hidden, neck []float32 // scratch
	heard                 []float32 // scratch, nil where the encoder hears all bands
	zeros                 []float32 // one frame of input and controls, for Flush
}

// NewGenerator packs G's weights for a look-ahead of 0 to Config.StemFuture frames. SetStyle must be called before
// the first frame.
func NewGenerator(m *Model, lookAhead int) (*Generator, error) {
	net, err := newNetwork(m.Config, lookAhead, m.Tensor)
	if err != nil {
		return nil, err
	}
	return newGenerator(net), nil
}

func newGenerator(net *network) *Generator {
	g := &Generator{net: net, warm: net.lookAhead}
	c := net.cfg
	g.past = make([]nn.Window, len(net.encoder)+len(net.decoder))
	g.arena = nn.NewArena(func(a *nn.Arena) {
		g.stem = nn.NewWindow(a, c.StemPast+net.lookAhead, blockFrames, c.HeardMels())
		if c.HeardMels() < c.NMels {
			g.heard = a.Take(blockFrames * c.HeardMels())
		}
		g.controls = nn.NewWindow(a, net.lookAhead, blockFrames, Controls)
		for i := range net.encoder {
			g.past[i] = net.encoder[i].window(a, blockFrames)
		}
		for i, b := range net.decoder {
			g.past[len(net.encoder)+i] = b.window(a, blockFrames)
		}
		g.ada = a.Take(len(net.ada) * 2 * c.decoderChannels())
		g.adaFrom = a.Take(len(net.ada) * 2 * c.decoderChannels())
		g.adaTo = a.Take(len(net.ada) * 2 * c.decoderChannels())
		width, hidden := c.scratch(blockFrames)
		g.h, g.norm, g.hidden = a.Take(width), a.Take(width), a.Take(hidden)
		g.neck = a.Take(blockFrames * (c.Bottleneck + Controls))
		g.zeros = a.Take(max(c.NMels, Controls))
	})
	return g
}

// Fork gives a stream of its own over the same weights: fresh, but with g's style. It does not look at what g's
// stream holds, so it may run beside g.
func (g *Generator) Fork() *Generator {
	f := newGenerator(g.net)
	f.styled = g.styled
	final := g.ada
	if g.fading() {
		final = g.adaTo
	}
	copy(f.ada, final)
	return f
}

// Latency is the look-ahead in frames: the output of a frame comes when that many more have been given.
func (g *Generator) Latency() int { return g.net.lookAhead }

// Reset forgets the stream and ends a cross-fade. The style stays.
func (g *Generator) Reset() {
	g.stem.Reset()
	g.controls.Reset()
	for i := range g.past {
		g.past[i].Reset()
	}
	g.warm = g.net.lookAhead
	if g.fading() {
		copy(g.ada, g.adaTo)
		g.fade, g.fadeLength = 0, 0
	}
}

// SetStyle makes all further output take on the style, [styleDim], from the next output frame on. It does not
// allocate and does not keep the slice.
func (g *Generator) SetStyle(style []float32) {
	g.adaOf(g.ada, style)
	g.styled, g.fade, g.fadeLength = true, 0, 0
}

// FadeStyle moves from the style of now to another one over the next frames of output, linearly in the style, so
// that the change makes no click. A fade under way goes on from where it stands. Like everything else the fade does
// not depend on how the input is cut. It costs about three times the time per frame while it lasts.
func (g *Generator) FadeStyle(style []float32, frames int) {
	if frames <= 0 || !g.styled {
		g.SetStyle(style)
		return
	}
	copy(g.adaFrom, g.ada)
	g.adaOf(g.adaTo, style)
	g.fade, g.fadeLength = 0, frames
}

func (g *Generator) fading() bool { return g.fade < g.fadeLength }

// adaOf computes every decoder block's gain 1+gamma and bias beta.
func (g *Generator) adaOf(dst, style []float32) {
	if len(style) != g.net.cfg.StyleDim {
		panic(fmt.Sprintf("gan: style of %d numbers, want %d", len(style), g.net.cfg.StyleDim))
	}
	w := g.net.cfg.decoderChannels()
	for i, linear := range g.net.ada {
		ada := dst[i*2*w : (i+1)*2*w]
		linear.Forward(ada, style, 1)
		for j := range w {
			ada[j]++
		}
	}
}

// stepFade moves the cross-fade on by one frame. Gain and bias are linear in the style, so mixing them is mixing
// styles.
func (g *Generator) stepFade() {
	g.fade++
	if !g.fading() {
		copy(g.ada, g.adaTo)
		return
	}
	a := float32(g.fade) / float32(g.fadeLength)
	for i, from := range g.adaFrom {
		g.ada[i] = from + float32(a*(g.adaTo[i]-from))
	}
}

// Process takes any number of frames, logMel [frames, nMels] normalised and controls [frames, Controls] as
// AppendControls makes them, and appends every output frame that is now complete to dst: [frames, nMels],
// normalised. It does not allocate where dst has room. dst must not overlap the inputs. Numbers that are not finite
// spread to the output for as long as they are in the network's memory; whoever reads them from outside takes them
// out first.
func (g *Generator) Process(dst, logMel, controls []float32) []float32 {
	nMels, frames := g.net.cfg.NMels, g.frames(logMel, controls)
	if !g.styled {
		panic("gan: no style set")
	}
	for done := 0; done < frames; {
		n := min(frames-done, blockFrames)
		if g.fading() {
			n = 1
		}
		dst = g.run(dst, logMel[done*nMels:(done+n)*nMels], controls[done*Controls:(done+n)*Controls], n)
		done += n
	}
	return dst
}

// frames is the number of frames in both inputs.
func (g *Generator) frames(logMel, controls []float32) int {
	nMels := g.net.cfg.NMels
	frames := len(logMel) / nMels
	if len(logMel) != frames*nMels || len(controls) != frames*Controls {
		panic(fmt.Sprintf("gan: %d log-mels and %d controls, want multiples of %d and %d for the same frames",
			len(logMel), len(controls), nMels, Controls))
	}
	return frames
}

// Flush appends the output of the last frames, those that wait for their look-ahead, as if zeros followed. The
// stream is then as after Reset.
func (g *Generator) Flush(dst []float32) []float32 {
	if !g.styled {
		panic("gan: no style set")
	}
	for range g.net.lookAhead {
		dst = g.run(dst, g.zeros[:g.net.cfg.NMels], g.zeros[:Controls], 1)
	}
	g.Reset()
	return dst
}

// run takes up to blockFrames frames through the network.
func (g *Generator) run(dst, logMel, controls []float32, frames int) []float32 {
	c, net := g.net.cfg, g.net
	if n := c.HeardMels(); n < c.NMels {
		for t := range frames {
			copy(g.heard[t*n:(t+1)*n], logMel[t*c.NMels:])
		}
		logMel = g.heard[:frames*n]
	}
	mels := g.stem.Push(logMel, frames)
	ctrl := g.controls.Push(controls, frames)
	skip := min(g.warm, frames) // these complete frames before the first, which do not exist
	g.warm -= skip
	n := frames - skip
	if n == 0 {
		g.stem.Drop(frames)
		g.controls.Drop(frames)
		return dst
	}
	if g.fading() {
		g.stepFade()
	}

	h, norm := g.h[:n*c.Width], g.norm[:n*c.Width]
	net.stem.ForwardStrided(h, c.Width, mels[skip*c.HeardMels():], c.HeardMels(), n)
	for i := range net.encoder {
		b := &net.encoder[i]
		b.forward(h, n, b.gain, b.bias, &g.past[i], norm, g.hidden)
	}

	joined := c.Bottleneck + Controls
	neck := g.neck[:n*joined]
	nn.LayerNorm(norm, h, net.neckGain, net.neckBias, n)
	net.neckDown.ForwardStrided(neck, joined, norm, c.Width, n)
	for t := range n {
		copy(neck[t*joined+c.Bottleneck:(t+1)*joined], ctrl[(skip+t)*Controls:])
	}

	w, rows := c.decoderChannels(), n*c.decoderBands()
	h, norm = g.h[:rows*w], g.norm[:rows*w]
	net.neckUp.Forward(h, neck, n)
	for i, b := range net.decoder {
		ada := g.ada[i*2*w : (i+1)*2*w]
		b.forward(h, n, ada[:w], ada[w:], &g.past[len(net.encoder)+i], norm, g.hidden)
	}
	nn.LayerNorm(norm, h, net.outGain, net.outBias, rows)
	have := len(dst)
	dst = grow(dst, n*c.NMels)
	net.out.Forward(dst[have:], norm, rows)

	g.stem.Drop(frames)
	g.controls.Drop(frames)
	return dst
}
