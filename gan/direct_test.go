package gan

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// The networks once more, slowly, in float64 and straight from their equations: one frame, one channel, one sum at a
// time. This is what the fast forward is compared with.

// odd is a configuration whose widths fit no vector.
func odd() Config {
	return Config{
		NMels: 20, Width: 23, Hidden: 41, Kernel: 5, StemPast: 3, StemFuture: 4, EncoderBlocks: 2, DecoderBlocks: 3,
		Bottleneck: 9, StyleDim: 7, LatentDim: 5, MapWidth: 11, MapLayers: 2, BodyWidths: []int{4, 6, 6, 9},
	}
}

// dilated is odd with an encoder whose taps lie apart.
func dilated() Config {
	c := odd()
	c.EncoderDilations = []int{3, 2}
	return c
}

// narrow has an encoder that does not hear the highest bands.
func narrow() Config {
	c := odd()
	c.EncoderMels = 17
	return c
}

func noise(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 7))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// input is a recording's log-mel and controls.
func input(c Config, seed uint64, frames int) (logMel, controls []float32) {
	return noise(seed, frames*c.NMels), noise(seed+1, frames*Controls)
}

type direct struct{ m *Model }

func (d direct) get(name string, i int) float64 { return float64(d.m.Tensor(name)[i]) }

func (d direct) linear(x []float64, name string, out int) []float64 {
	y := make([]float64, out)
	for o := range y {
		y[o] = d.get(name+".b", o)
		for i, v := range x {
			y[o] += v * d.get(name+".w", i*out+o)
		}
	}
	return y
}

func normalise(x []float64) []float64 {
	var mean, variance float64
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(len(x))
	}
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = (v - mean) / math.Sqrt(variance+1e-5)
	}
	return y
}

func (d direct) layerNorm(x []float64, name string) []float64 {
	y := normalise(x)
	for i := range y {
		y[i] = y[i]*d.get(name+".gain", i) + d.get(name+".bias", i)
	}
	return y
}

// generator computes G for a look-ahead.
func (d direct) generator(logMel, controls, style []float32, lookAhead int) []float64 {
	c := d.m.Config
	frames := len(logMel) / c.NMels
	h := make([][]float64, frames)
	for t := range h {
		h[t] = make([]float64, c.Width)
		for ch := range h[t] {
			v := d.get("gen.stem.b", ch)
			for k := -c.StemPast; k <= lookAhead; k++ {
				if t+k < 0 || t+k >= frames {
					continue
				}
				for i := range c.HeardMels() {
					v += float64(logMel[(t+k)*c.NMels+i]) * d.get("gen.stem.w", ((k+c.StemPast)*c.HeardMels()+i)*c.Width+ch)
				}
			}
			h[t][ch] = v
		}
	}
	s := make([]float64, c.StyleDim)
	for i := range s {
		s[i] = float64(style[i])
	}
	for i := range c.EncoderBlocks {
		h = d.block(h, fmt.Sprintf("gen.enc.%d", i), nil, max(1, append(c.EncoderDilations, make([]int, c.EncoderBlocks)...)[i]))
	}
	for t := range h {
		e := d.linear(d.layerNorm(h[t], "gen.neck.norm"), "gen.neck.down", c.Bottleneck)
		for i := range Controls {
			e = append(e, float64(controls[t*Controls+i]))
		}
		h[t] = d.linear(e, "gen.neck.up", c.decoderBands()*c.decoderChannels())
	}
	if c.DecoderBands > 0 {
		return d.decodeImage(h, s)
	}
	for i := range c.DecoderBlocks {
		h = d.block(h, fmt.Sprintf("gen.dec.%d", i), s, 1)
	}
	var out []float64
	for t := range h {
		out = append(out, d.linear(d.layerNorm(h[t], "gen.out.norm"), "gen.out", c.NMels)...)
	}
	return out
}

func (d direct) block(h [][]float64, name string, style []float64, dilation int) [][]float64 {
	c := d.m.Config
	next := make([][]float64, len(h))
	for t := range h {
		n := make([]float64, c.Width)
		for ch := range n {
			n[ch] = d.get(name+".dw.b", ch)
			for k := range c.Kernel {
				if from := t - (c.Kernel-1-k)*dilation; from >= 0 {
					n[ch] += h[from][ch] * d.get(name+".dw.w", k*c.Width+ch)
				}
			}
		}
		if style == nil {
			n = d.layerNorm(n, name+".norm")
		} else {
			ada := d.linear(style, name+".ada", 2*c.Width)
			n = normalise(n)
			for ch := range n {
				n[ch] = n[ch]*(1+ada[ch]) + ada[c.Width+ch]
			}
		}
		next[t] = d.feedForward(h[t], n, name, c.Hidden)
	}
	return next
}

// feedForward is the end of a block: h plus what the two linear layers make of n.
func (d direct) feedForward(h, n []float64, name string, hidden int) []float64 {
	u := d.linear(n, name+".up", hidden)
	for i, v := range u {
		u[i] = 0.5 * v * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(v+0.044715*v*v*v)))
	}
	y := d.linear(u, name+".down", len(h))
	for ch := range y {
		y[ch] += h[ch]
	}
	return y
}

// mapping computes F.
func (d direct) mapping(z []float32, y int) []float64 {
	c := d.m.Config
	h := make([]float64, len(z))
	for i, v := range z {
		h[i] = float64(v)
	}
	for i := range c.MapLayers {
		h = d.linear(h, fmt.Sprintf("map.shared.%d", i), c.MapWidth)
		for j := range h {
			h[j] = max(h[j], 0)
		}
	}
	return d.head(h, "map.head", y)
}

func (d direct) head(v []float64, name string, y int) []float64 {
	out := make([]float64, d.m.Config.StyleDim)
	for o := range out {
		out[o] = d.get(name+".b", y*len(out)+o)
		for i := range v {
			out[o] += v[i] * d.get(name+".w", (y*len(v)+i)*len(out)+o)
		}
	}
	return out
}

// picture is [frames][bands][channels].
type picture [][][]float64

func blank(frames, bands, channels int) picture {
	p := make(picture, frames)
	for t := range p {
		p[t] = make([][]float64, bands)
		for b := range p[t] {
			p[t][b] = make([]float64, channels)
		}
	}
	return p
}

// each makes a picture with f called for every number.
func each(frames, bands, channels int, f func(t, b, c int) float64) picture {
	p := blank(frames, bands, channels)
	for t := range p {
		for b := range p[t] {
			for c := range p[t][b] {
				p[t][b][c] = f(t, b, c)
			}
		}
	}
	return p
}

func slope(v float64) float64 {
	if v < 0 {
		return 0.2 * v
	}
	return v
}

func (p picture) activated() picture {
	return each(len(p), len(p[0]), len(p[0][0]), func(t, b, c int) float64 { return slope(p[t][b][c]) })
}

func (p picture) pooled() picture {
	return each(len(p)/2, len(p[0])/2, len(p[0][0]), func(t, b, c int) float64 {
		return (p[2*t][2*b][c] + p[2*t+1][2*b][c] + p[2*t][2*b+1][c] + p[2*t+1][2*b+1][c]) / 4
	})
}

func (d direct) conv(p picture, name string, out int) picture {
	in := len(p[0][0])
	return each(len(p), len(p[0]), out, func(t, b, o int) float64 {
		v := d.get(name+".b", o)
		for dt := range 3 {
			for db := range 3 {
				ft, fb := t+dt-1, b+db-1
				if ft < 0 || fb < 0 || ft >= len(p) || fb >= len(p[0]) {
					continue
				}
				for i := range in {
					v += p[ft][fb][i] * d.get(name+".w", ((dt*3+db)*in+i)*out+o)
				}
			}
		}
		return v
	})
}

// bodyMean computes the trunk of E for [frames, nMels].
func (d direct) bodyMean(logMel []float32, prefix string) []float64 {
	c := d.m.Config
	h := each(len(logMel)/c.NMels, c.NMels, 1, func(t, b, _ int) float64 { return float64(logMel[t*c.NMels+b]) })
	h = d.conv(h, prefix+".stem", c.BodyWidths[0])
	for i := range c.BodyBlocks() {
		name, in, out := fmt.Sprintf("%s.block.%d", prefix, i), c.BodyWidths[i], c.BodyWidths[i+1]
		r := d.conv(d.conv(h.activated(), name+".conv1", in).pooled().activated(), name+".conv2", out)
		if in != out {
			from := h
			h = each(len(h), len(h[0]), out, func(t, b, o int) float64 {
				var v float64
				for i := range in {
					v += from[t][b][i] * d.get(name+".skip.w", i*out+o)
				}
				return v
			})
		}
		s := h.pooled()
		h = each(len(r), len(r[0]), out, func(t, b, o int) float64 { return (r[t][b][o] + s[t][b][o]) / math.Sqrt2 })
	}
	h = h.activated()
	last := c.BodyWidths[c.BodyBlocks()]
	mean := make([]float64, last)
	for t := range h {
		var flat []float64
		for b := range h[t] {
			flat = append(flat, h[t][b]...)
		}
		for i, v := range d.linear(flat, prefix+".join", last) {
			mean[i] += slope(v) / float64(len(h))
		}
	}
	return mean
}

// near demands a relative error of at most tolerance, against the root mean square of what is wanted.
func near(t *testing.T, name string, got []float32, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) || len(got) == 0 {
		t.Fatalf("%s: %d numbers, want %d", name, len(got), len(want))
	}
	var power float64
	for _, v := range want {
		power += v * v
	}
	scale := math.Sqrt(power / float64(len(want)))
	for i, v := range got {
		if d := math.Abs(float64(v) - want[i]); !(d <= tolerance*scale) {
			t.Fatalf("%s: number %d is %g, want %g", name, i, v, want[i])
		}
	}
}
