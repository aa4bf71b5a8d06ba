package features

import "math"

// The windows of the normalised cross-correlation, and its weights.
const (
	f0ShortSec   = 0.010 // the short window; one period where that is longer
	f0LongSec    = 0.020 // the long window, for all periods
	f0NoiseRMS   = 2e-4  // added to the energies: what is weaker than this (-74 dBFS) does not correlate
	f0OctaveCost = 0.01  // taken off the correlation per octave of the lag, so that a period wins over its multiples
)

// f0Correlator correlates the decimated signal with its own past. Every product is formed once, as part of a block's
// sum; the windows are made of whole blocks.
type f0Correlator struct {
	front *f0Front

	minLag, maxLag int // decimated samples, with f0Margin beyond the range of F0
	lags           int

	ring    int       // blocks remembered
	total   int       // blocks since the beginning of the signal
	product []float64 // [ring*lags] sums of x(n) x(n-lag)
	past    []float64 // [ring*lags] sums of x(n-lag)^2
	present []float64 // [ring] sums of x(n)^2
	wide    []float64 // [ring] energy per sample
	low     []float64 // [ring] the same of the low band

	cost        []float64 // [lags] f0OctaveCost
	short, long []float64 // [lags] the correlations of the current frame, less the cost
}

func (c *f0Correlator) init(cfg Config, front *f0Front) {
	c.front = front
	c.minLag = max(1, int(front.rate/cfg.F0MaxHz)-f0Margin)
	c.maxLag = int(math.Ceil(front.rate/math.Max(cfg.F0MinHz, f0LowestHz))) + f0Margin
	c.maxLag = max(c.maxLag, c.minLag+2*f0Margin)
	c.lags = c.maxLag - c.minLag + 1
	block := float64(front.block)
	window := math.Max(f0LongSec*front.rate, float64(c.maxLag))
	ahead := float64(cfg.WinLength/2) / float64(front.decimation)
	c.ring = int(window/block) + int(ahead/block) + 4
	c.ring = max(c.ring, f0LevelBlocks+1)
	c.product = make([]float64, c.ring*c.lags)
	c.past = make([]float64, c.ring*c.lags)
	c.present = make([]float64, c.ring)
	c.wide = make([]float64, c.ring)
	c.low = make([]float64, c.ring)
	c.cost = make([]float64, c.lags)
	c.short = make([]float64, c.lags)
	c.long = make([]float64, c.lags)
	for i := range c.cost {
		c.cost[i] = f0OctaveCost * math.Log2(float64(c.minLag+i)/float64(c.minLag))
	}
}

func (c *f0Correlator) reset() {
	c.total = 0
	clear(c.product)
	clear(c.past)
	clear(c.present)
	clear(c.wide)
	clear(c.low)
}

// endBlock adds the block that the front end has just filled.
func (c *f0Correlator) endBlock() {
	n := c.front.block
	all := c.front.dec.last(n + c.maxLag)
	x := all[c.maxLag:]
	slot := c.total % c.ring
	c.total++
	var e float64
	for _, v := range x {
		e += v * v
	}
	c.present[slot], c.wide[slot], c.low[slot] = e, c.front.wideBlk, c.front.lowBlk
	product := c.product[slot*c.lags : (slot+1)*c.lags]
	past := c.past[slot*c.lags : (slot+1)*c.lags]
	e = 0
	for _, v := range all[c.maxLag-c.minLag:][:n] {
		e += v * v
	}
	for i := range product {
		at := c.maxLag - c.minLag - i
		y := all[at:][:len(x)]
		var s0, s1 float64
		j := 0
		for ; j+1 < len(x) && j+1 < len(y); j += 2 {
			s0 += x[j] * y[j]
			s1 += x[j+1] * y[j+1]
		}
		if j < len(x) {
			s0 += x[j] * y[j]
		}
		product[i] = s0 + s1
		past[i] = math.Max(e, 0)
		if at > 0 {
			e += all[at-1]*all[at-1] - y[n-1]*y[n-1]
		}
	}
}

// correlate fills short and long for the frame whose centre is given in decimated samples.
func (c *f0Correlator) correlate(centre float64) {
	block := c.front.block
	shortest := int(math.Round(f0ShortSec * c.front.rate))
	longBlocks := int(math.Round(f0LongSec * c.front.rate / float64(block)))
	for i := range c.short {
		lag := c.minLag + i
		c.short[i] = c.window(i, (max(lag, shortest)+block-1)/block, centre) - c.cost[i]
		c.long[i] = c.window(i, longBlocks, centre) - c.cost[i]
	}
}

// window is the correlation at a lag between two windows of so many blocks, which together lie around the centre, or
// as near as the samples reach.
func (c *f0Correlator) window(i, blocks int, centre float64) float64 {
	block := c.front.block
	beyond := float64(c.total*block) - centre - float64(blocks*block+c.minLag+i)/2
	last := c.total - 1
	if beyond > 0 {
		last -= int(beyond / float64(block))
	}
	slot := last % c.ring
	if slot < 0 {
		slot += c.ring
	}
	var xy, xx, yy float64
	for range blocks {
		xy += c.product[slot*c.lags+i]
		yy += c.past[slot*c.lags+i]
		xx += c.present[slot]
		if slot--; slot < 0 {
			slot = c.ring - 1
		}
	}
	return xy / (math.Sqrt(xx*yy) + float64(blocks*block)*f0NoiseRMS*f0NoiseRMS)
}

// peak is the place and height of the largest local maximum of r, the first of the largest values where none is.
func peak(r []float64) (int, float64) {
	best := -1
	for i := f0Margin; i+f0Margin < len(r); i++ {
		if r[i] >= r[i-1] && r[i] > r[i+1] && (best < 0 || r[i] > r[best]) {
			best = i
		}
	}
	if best < 0 {
		best = f0Margin
		for i := range r[f0Margin : len(r)-f0Margin] {
			if r[f0Margin+i] > r[best] {
				best = f0Margin + i
			}
		}
	}
	return best, r[best]
}
