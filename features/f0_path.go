package features

import "math"

// The path over candidates.
const (
	f0Candidates = 8
	f0Margin     = 4    // lags beyond the range of F0 on either side, which interpolation sees
	f0SincSteps  = 4    // interpolated places on either side of a sample, to half way
	f0JumpCost   = 0.35 // per octave from one frame to the next, as in Boersma (1993)
	f0Forget     = 0.9  // how much of a path's lead over its rivals lasts to the next frame while there is a voice
)

type f0Candidate struct {
	lag   float64 // decimated samples
	score float64
	total float64 // of the best path that ends here
}

// f0Path follows the most likely sequence of periods with no look-ahead.
type f0Path struct {
	mix      []float64 // [lags]
	sinc     [2*f0SincSteps + 1][2 * f0Margin]float64
	now, was [f0Candidates]f0Candidate
	n, m     int // candidates in now and was
}

func (p *f0Path) init(c *f0Correlator) {
	p.mix = make([]float64, c.lags)
	for s := range p.sinc {
		for j := range p.sinc[s] {
			x := float64(s-f0SincSteps)/(2*f0SincSteps) - float64(j-f0Margin+1)
			// A Hann window over the sinc, as wide as the taps.
			p.sinc[s][j] = sinc(x) * (0.5 + 0.5*math.Cos(math.Pi*x/(f0Margin+0.5)))
		}
	}
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// summit is the place of the maximum near the local maximum i, from -0.5 to 0.5 off it, and its height, by
// interpolation: the correlation of a band-limited signal is band-limited too (Boersma 1993, eq. 22).
func (p *f0Path) summit(i int) (shift, height float64) {
	var r [2*f0SincSteps + 1]float64
	best := 0
	for s := range r {
		var sum float64
		x := p.mix[i-f0Margin+1:][:2*f0Margin]
		for j, w := range &p.sinc[s] {
			sum += w * x[j]
		}
		r[s] = sum
		if sum > r[best] {
			best = s
		}
	}
	if best == 0 || best == len(r)-1 {
		return float64(best-f0SincSteps) / (2 * f0SincSteps), r[best]
	}
	a, b, d := r[best-1], r[best], r[best+1]
	off := 0.5 * (a - d) / (a - 2*b + d)
	return (float64(best-f0SincSteps) + off) / (2 * f0SincSteps), b - 0.25*(a-d)*off
}

func (p *f0Path) reset() { p.n, p.m = 0, 0 }

// step gives the lag of the best path, in decimated samples, or 0 where there is no candidate. voiced says whether the
// frame before had a voice.
func (p *f0Path) step(c *f0Correlator, voiced bool) float64 {
	p.was, p.m = p.now, p.n
	p.n = 0
	for i := range p.mix {
		p.mix[i] = f0Mix*c.short[i] + (1-f0Mix)*c.long[i]
	}
	for i := f0Margin; i+f0Margin < len(p.mix); i++ {
		if b := p.mix[i]; b >= p.mix[i-1] && b > p.mix[i+1] && b > 0 {
			shift, height := p.summit(i)
			p.insert(f0Candidate{lag: float64(c.minLag+i) + shift, score: height})
		}
	}
	weight, jump := f0Forget, f0JumpCost
	if !voiced {
		weight, jump = f0ForgetUnvoiced, f0JumpUnvoiced
	}
	top := math.Inf(-1)
	for i := range p.now[:p.n] {
		q := &p.now[i]
		reach := math.Inf(-1)
		for j := range p.was[:p.m] {
			o := &p.was[j]
			reach = math.Max(reach, weight*o.total-jump*math.Abs(math.Log2(q.lag/o.lag)))
		}
		if p.m == 0 {
			reach = 0
		}
		q.total = q.score + reach
		top = math.Max(top, q.total)
	}
	for i := range p.now[:p.n] {
		p.now[i].total -= top
	}
	return p.best()
}

const (
	f0Mix            = 0.5
	f0ForgetUnvoiced = 0.5
	f0JumpUnvoiced   = 0.1
)

// insert keeps the candidates with the highest scores.
func (p *f0Path) insert(q f0Candidate) {
	if p.n < f0Candidates {
		p.now[p.n] = q
		p.n++
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

// refine finds the period near lag at the full rate, both in samples. centre is the middle of the frame, end the samples
// that are there.
func (f *f0Front) refine(lag float64, centre, end int) float64 {
	around := int(math.Round(lag))
	reach := f.decimation
	w := max(around, int(f0ShortSec*f.rate)*f.decimation)
	ahead := min(end, centre+(w+around)/2+1) // the end of the later window
	need := end - ahead + w + around + reach + 1
	x := f.full.last(min(need, f.full.keep))
	x = x[:len(x)-(end-ahead)]
	at := func(k int) float64 {
		a, b := x[len(x)-w:], x[len(x)-w-k:len(x)-k]
		b = b[:len(a)]
		var xy, xx, yy float64
		for i, v := range a {
			xy += v * b[i]
			xx += v * v
			yy += b[i] * b[i]
		}
		return xy / (math.Sqrt(xx*yy) + 1e-30)
	}
	best, top := around, math.Inf(-1)
	for k := max(2, around-reach); k <= around+reach; k++ {
		if r := at(k); r > top {
			best, top = k, r
		}
	}
	a, d := at(best-1), at(best+1)
	if top < a || top < d {
		return lag // a slope, not a peak
	}
	return float64(best) + 0.5*(a-d)/(a-2*top+d)
}

// best is the lag that step gave last.
func (p *f0Path) best() float64 {
	best := -1
	for i := range p.now[:p.n] {
		if best < 0 || p.now[i].total > p.now[best].total {
			best = i
		}
	}
	if best < 0 {
		return 0
	}
	return p.now[best].lag
}
