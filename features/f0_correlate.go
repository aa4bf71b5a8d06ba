package features

import "math"

// The windows of the normalised cross-correlation, and its weights.
const (
	f0ShortSec   = 0.010 // the short window; one period where that is longer
	f0LongSec    = 0.020 // the long window, for all periods
	f0OctaveCost = 0.03  // taken off the correlation per octave of the lag, so that a period wins over its multiples

	// Noise added to the power of both windows, so that what is weaker does not correlate.
	f0NoiseDB         = -80.0 // dBFS
	f0RelativeNoiseDB = -41.0 // the same, relative to the loudest that was heard lately

	f0LevelBlocks = 10    // blocks whose levels the voicing decision sees: 25 ms
	f0LoudestDB   = -50.0 // dBFS, the least that counts as the loudest
	f0LoudestFall = 0.02  // dB per frame
)

// f0Levels are powers in dB: of the last f0LevelBlocks blocks, then of each pair of blocks, the last first.
type f0Levels [1 + f0LevelBlocks/2]float64

// f0Correlator correlates the decimated signal with its own past. Every product is formed once, as part of a block's
// sum; the windows are made of whole blocks.
type f0Correlator struct {
	front *f0Front

	minLag, maxLag int // decimated samples, with f0Margin beyond the range of F0
	lags           int

	ring      int       // blocks remembered
	total     int       // blocks since the beginning of the signal
	product   []float64 // [lags, ring] sums of x(n) x(n-lag)
	past      []float64 // [lags, ring] sums of x(n-lag)^2
	present   []float64 // [ring] sums of x(n)^2
	wide, low []float64 // [ring] power of the signal before the low-pass filters, and of its low band

	// Of the current frame.
	wideLevels, lowLevels f0Levels
	loudest               float64   // running maximum of the wide level, dB
	noise                 float64   // power
	short, long           []float64 // [lags] the correlations, less the cost
	cost                  []float64 // [lags]
}

// init sizes the correlator, which remembers extra blocks beyond what the frame at hand takes.
func (c *f0Correlator) init(cfg Config, front *f0Front, extra int) {
	c.front = front
	c.minLag = max(1, int(front.rate/cfg.F0MaxHz)-f0Margin)
	c.maxLag = int(math.Ceil(front.rate/math.Max(cfg.F0MinHz, f0LowestHz))) + f0Margin
	c.maxLag = max(c.maxLag, c.minLag+2*f0Margin)
	c.lags = c.maxLag - c.minLag + 1
	block := float64(front.block)
	window := math.Max(f0LongSec*front.rate, float64(c.maxLag))
	ahead := float64(cfg.WinLength/2) / float64(front.decimation)
	c.ring = max(int(window/block)+int(ahead/block)+4, f0LevelBlocks) + extra
	c.product = make([]float64, c.ring*c.lags)
	c.past = make([]float64, c.ring*c.lags)
	c.present = make([]float64, c.ring)
	c.wide = make([]float64, c.ring)
	c.low = make([]float64, c.ring)
	c.short = make([]float64, c.lags)
	c.long = make([]float64, c.lags)
	c.cost = make([]float64, c.lags)
	for i := range c.cost {
		c.cost[i] = f0OctaveCost * math.Log2(float64(c.minLag+i)/float64(c.minLag))
	}
	c.reset()
}

func (c *f0Correlator) reset() {
	c.total, c.loudest = 0, f0LoudestDB
	clear(c.product)
	clear(c.past)
	clear(c.present)
	clear(c.wide)
	clear(c.low)
}

// endBlock adds the block that the front end has just filled.
func (c *f0Correlator) endBlock() {
	all := c.front.decimated.last(c.front.block + c.maxLag)
	x := all[c.maxLag:]
	slot := c.total % c.ring
	c.total++
	c.present[slot] = dot(x, x)
	c.wide[slot], c.low[slot] = c.front.widePower, c.front.lowPower

	start := c.maxLag - c.minLag
	energy := dot(all[start:][:len(x)], all[start:][:len(x)])
	for i := range c.lags {
		y := all[start-i:][:len(x)]
		c.product[i*c.ring+slot] = dot(x, y)
		c.past[i*c.ring+slot] = math.Max(energy, 0)
		if start > i {
			first, last := all[start-i-1], y[len(y)-1]
			energy += first*first - last*last
		}
	}
}

func dot(x, y []float64) float64 {
	y = y[:len(x)]
	var s, t float64
	i := 0
	for ; i+1 < len(x); i += 2 {
		s += x[i] * y[i]
		t += x[i+1] * y[i+1]
	}
	if i < len(x) {
		s += x[i] * y[i]
	}
	return s + t
}

// correlate describes the frame whose centre is given in decimated samples and whose last block has just ended.
func (c *f0Correlator) correlate(centre float64) {
	c.wideLevels.measure(c.wide, c.total)
	c.lowLevels.measure(c.low, c.total)
	c.loudest = max(c.wideLevels[0], c.loudest-f0LoudestFall, f0LoudestDB)
	c.noise = math.Pow(10, math.Max(f0NoiseDB, c.loudest+f0RelativeNoiseDB)/10)

	c.around(centre, f0LongSec)
}

// around fills short and long for a frame whose centre may lie further back. longSec is the length of the long window.
func (c *f0Correlator) around(centre, longSec float64) {
	block := c.front.block
	shortest := int(math.Round(f0ShortSec * c.front.rate))
	long := max(1, int(math.Round(longSec*c.front.rate/float64(block))))
	for i := range c.short {
		short := (max(c.minLag+i, shortest) + block - 1) / block
		c.short[i] = c.window(i, short, centre) - c.cost[i]
		c.long[i] = c.window(i, long, centre) - c.cost[i]
	}
}

// window is the correlation at lag number i between two windows of so many blocks, which together lie around the centre,
// or as near to it as the samples reach.
func (c *f0Correlator) window(i, blocks int, centre float64) float64 {
	block := c.front.block
	slot := c.total - 1
	if beyond := float64(c.total*block) - centre - float64(blocks*block+c.minLag+i)/2; beyond > 0 {
		slot -= int(beyond / float64(block))
	}
	if slot %= c.ring; slot < 0 {
		slot += c.ring
	}
	product, past, present := c.product[i*c.ring:][:c.ring], c.past[i*c.ring:][:c.ring], c.present[:c.ring]
	var xy, xx, yy float64
	for range blocks {
		xy += product[slot]
		yy += past[slot]
		xx += present[slot]
		if slot--; slot < 0 {
			slot = c.ring - 1
		}
	}
	return xy / (math.Sqrt(xx*yy) + float64(blocks*block)*c.noise)
}

// measure takes the levels of the blocks up to number total, kept in a ring.
func (l *f0Levels) measure(power []float64, total int) {
	const floor = 1e-10
	var sum float64
	for i := range f0LevelBlocks / 2 {
		var pair float64
		for j := range 2 {
			slot := (total - 1 - 2*i - j) % len(power)
			if slot < 0 {
				slot += len(power)
			}
			pair += power[slot]
		}
		l[1+i] = 10 * math.Log10(pair/2+floor)
		sum += pair
	}
	l[0] = 10 * math.Log10(sum/f0LevelBlocks+floor)
}
