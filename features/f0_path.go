package features

import "math"

// The path over candidates. Correlations lie in [-1, 1], and so do the scores that these prices are taken from.
const (
	f0Candidates = 8
	f0Margin     = 4   // lags beyond the range of F0 on either side, which the interpolation sees
	f0SincSteps  = 4   // interpolated places on either side of a lag, to half way to the next
	f0Mix        = 0.3 // share of the short window in a score; the rest is the long one's

	// The price of a jump per octave, and how much of a path's lead over its rivals lasts to the next frame: while there
	// is a voice, and while there is none.
	f0JumpCost, f0Lead               = 0.35, 0.7
	f0JumpCostUnvoiced, f0LeadPauses = 0.05, 0.5

	// The octave guard: a price per octave on what is further than f0Range from the middle of what this voice did in its
	// last f0Memory voiced frames. It rises with the frames heard, half of it after f0Trust, and fades in pauses, when the
	// speaker may change. Only frames whose best candidate reaches f0Sure on its own, before the guard and the path,
	// move the middle: otherwise the guard could confirm its own error for ever.
	f0StrangeCost = 0.12
	f0Range       = 0.6 // octaves
	f0Memory      = 100.0
	f0Trust       = 30.0
	f0Fade        = 0.98 // per frame
	f0Sure        = 0.7
)

type f0Candidate struct {
	lag   float64 // decimated samples
	score float64
	total float64 // of the best path that ends here, less that of the best of all
}

// f0Path follows the most likely sequence of periods: the Viterbi recursion without its way back.
type f0Path struct {
	sinc [2*f0SincSteps + 1][2 * f0Margin]float64
	mix  []float64 // [lags]

	now, was       [f0Candidates]f0Candidate
	nowLen, wasLen int

	middle float64 // of log2 of the lags of this voice
	heard  float64 // frames that made it
}

func (p *f0Path) init(c *f0Correlator) {
	p.mix = make([]float64, c.lags)
	for s := range p.sinc {
		for j := range p.sinc[s] {
			// A sinc under a Hann window a little wider than the taps.
			x := float64(s-f0SincSteps)/(2*f0SincSteps) - float64(j-f0Margin+1)
			p.sinc[s][j] = 0.5 + 0.5*math.Cos(math.Pi*x/(f0Margin+0.5))
			if x != 0 {
				p.sinc[s][j] *= math.Sin(math.Pi*x) / (math.Pi * x)
			}
		}
	}
}

func (p *f0Path) reset() {
	p.nowLen, p.wasLen = 0, 0
	p.middle, p.heard = 0, 0
}

// step takes the frame that c describes and gives the lag at the end of the best path, in decimated samples, or 0 where
// nothing correlates. voiced says whether the frame before had a voice.
func (p *f0Path) step(c *f0Correlator, voiced bool) float64 {
	p.was, p.wasLen = p.now, p.nowLen
	p.gather(c)
	jump, lead := f0JumpCost, f0Lead
	if !voiced {
		jump, lead = f0JumpCostUnvoiced, f0LeadPauses
		p.heard *= f0Fade
	}
	top := math.Inf(-1)
	for i := range p.now[:p.nowLen] {
		to := &p.now[i]
		reach := 0.0
		for j := range p.was[:p.wasLen] {
			from := &p.was[j]
			way := lead*from.total - jump*math.Abs(math.Log2(to.lag/from.lag))
			if j == 0 || way > reach {
				reach = way
			}
		}
		to.total = to.score + reach - p.strange(to.lag)
		top = math.Max(top, to.total)
	}
	best := 0.0
	for i := range p.now[:p.nowLen] {
		if p.now[i].total == top && best == 0 {
			best = p.now[i].lag
		}
		p.now[i].total -= top
	}
	return best
}

// gather finds the candidates of the frame that c describes.
func (p *f0Path) gather(c *f0Correlator) {
	p.nowLen = 0
	for i := range p.mix {
		p.mix[i] = f0Mix*c.short[i] + (1-f0Mix)*c.long[i]
	}
	for i := f0Margin; i+f0Margin < len(p.mix); i++ {
		if r := p.mix[i]; r > 0 && r >= p.mix[i-1] && r > p.mix[i+1] {
			shift, height := p.summit(i)
			p.insert(f0Candidate{lag: float64(c.minLag+i) + shift, score: height})
		}
	}
}

// summit is the place of the maximum near the local maximum number i, from -0.5 to 0.5 off it, and its height. What a
// band-limited signal correlates to is band-limited too, so a sinc interpolates it (Boersma 1993, equation 22); on the
// bare lags a multiple of the period often looks better than the period.
func (p *f0Path) summit(i int) (shift, height float64) {
	var r [2*f0SincSteps + 1]float64
	x := p.mix[i-f0Margin+1:][:2*f0Margin]
	best := 0
	for s := range r {
		for j, w := range &p.sinc[s] {
			r[s] += w * x[j]
		}
		if r[s] > r[best] {
			best = s
		}
	}
	var off float64
	height = r[best]
	if best > 0 && best < len(r)-1 {
		off, height = parabola(r[best-1], r[best], r[best+1])
	}
	return (float64(best-f0SincSteps) + off) / (2 * f0SincSteps), height
}

// parabola is the vertex of the one through three neighbours whose middle one is the largest.
func parabola(a, b, c float64) (at, height float64) {
	curve := a - 2*b + c
	if curve >= 0 {
		return 0, b
	}
	at = 0.5 * (a - c) / curve
	return at, b - 0.25*(a-c)*at
}

// insert keeps the candidates with the highest scores.
func (p *f0Path) insert(q f0Candidate) {
	if p.nowLen < f0Candidates {
		p.now[p.nowLen] = q
		p.nowLen++
		return
	}
	worst := 0
	for i := range p.now {
		if p.now[i].score < p.now[worst].score {
			worst = i
		}
	}
	if q.score > p.now[worst].score {
		p.now[worst] = q
	}
}

// strange is the price of a lag far from what this voice has done so far.
func (p *f0Path) strange(lag float64) float64 {
	far := math.Abs(math.Log2(lag)-p.middle) - f0Range
	return f0StrangeCost * math.Max(far, 0) * p.heard / (p.heard + f0Trust)
}

// learn moves the middle of the voice by the current frame, which has one.
func (p *f0Path) learn() {
	var lag, top float64
	for _, q := range p.now[:p.nowLen] {
		if q.score > top {
			lag, top = q.lag, q.score
		}
	}
	if top < f0Sure {
		return
	}
	p.heard = math.Min(p.heard+1, f0Memory)
	p.middle += (math.Log2(lag) - p.middle) / p.heard
}
