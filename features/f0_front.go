package features

import "math"

// The front end of the F0 tracker.
const (
	f0RateHz     = 8000   // the correlator's rate is the sample rate divided by a whole number, near this
	f0BlockSec   = 0.0025 // what the correlator sums up at once
	f0HighPassHz = 60     // removes DC and weakens hum; a voice below keeps its harmonics
	f0LowBandHz  = 1200   // voices have most of their energy below it, hisses above
	f0LowestHz   = 20     // no F0 below is looked for, which bounds the memory
)

// f0Front filters and decimates the signal and keeps what later steps look back at. Its filters are recursive: linear
// phase would cost delay, and a period survives any phase.
type f0Front struct {
	decimation int
	rate       float64 // decimated samples per second
	block      int     // decimated samples per block

	highPass  biquad
	antiAlias [3]biquad
	lowBand   biquad

	wide      history // after the high-pass filter
	smooth    history // after the low-pass filter too
	decimated history // every decimation-th sample of smooth

	phase  int // samples since the last decimated one
	filled int // decimated samples in the current block

	wideSum, lowSum     float64 // energy in the current block
	widePower, lowPower float64 // of the last complete block
}

func (f *f0Front) init(cfg Config) {
	fs := float64(cfg.SampleRate)
	f.decimation = max(1, int(math.Round(fs/f0RateHz)))
	f.rate = fs / float64(f.decimation)
	f.block = max(1, int(math.Round(f.rate*f0BlockSec)))
	f.highPass = newHighPass(fs, f0HighPassHz, math.Sqrt2/2)
	// A Butterworth low-pass of sixth order.
	for i, q := range []float64{0.51763809, 0.70710678, 1.93185165} {
		f.antiAlias[i] = newLowPass(fs, 0.4*f.rate, q)
	}
	f.lowBand = newLowPass(f.rate, math.Min(f0LowBandHz, 0.3*f.rate), math.Sqrt2/2)
	longest := int(fs/math.Max(cfg.F0MinHz, f0LowestHz)) + (f0Margin+1)*f.decimation
	keep := 3*longest + cfg.WinLength + 2*int(f0ShortSec*fs)
	f.wide.init(keep)
	f.smooth.init(keep)
	f.decimated.init(longest/f.decimation + 2*f.block + 2*f0Margin)
	f.reset()
}

func (f *f0Front) reset() {
	f.highPass.reset()
	for i := range f.antiAlias {
		f.antiAlias[i].reset()
	}
	f.lowBand.reset()
	f.wide.reset()
	f.smooth.reset()
	f.decimated.reset()
	f.phase, f.filled = 0, 0
	f.wideSum, f.lowSum, f.widePower, f.lowPower = 0, 0, 0, 0
}

// push takes a sample and says whether it ended a block.
func (f *f0Front) push(v float64) bool {
	if v-v != 0 {
		v = 0 // a NaN would stay in the filters for ever
	}
	v = f.highPass.filter(v)
	f.wide.push(v)
	f.wideSum += v * v
	for i := range f.antiAlias {
		v = f.antiAlias[i].filter(v)
	}
	f.smooth.push(v)
	if f.phase++; f.phase < f.decimation {
		return false
	}
	f.phase = 0
	f.decimated.push(v)
	u := f.lowBand.filter(v)
	f.lowSum += u * u
	if f.filled++; f.filled < f.block {
		return false
	}
	f.filled = 0
	f.widePower = f.wideSum / float64(f.block*f.decimation)
	f.lowPower = f.lowSum / float64(f.block)
	f.wideSum, f.lowSum = 0, 0
	f.highPass.settle()
	for i := range f.antiAlias {
		f.antiAlias[i].settle()
	}
	f.lowBand.settle()
	return true
}

// refine finds the period near lag, both in samples, and how well the wide band correlates there, with noise of that
// power added. centre is the middle of the frame, end the number of samples taken in.
func (f *f0Front) refine(lag float64, centre, end int, noise float64) (period, correlation float64) {
	around := int(math.Round(lag))
	reach := f.decimation
	w := max(around, int(f0ShortSec*f.rate)*f.decimation)
	late := max(0, end-centre-(w+around)/2-1) // samples after the later window
	need := late + w + around + reach + 1
	x := f.smooth.last(need)[:need-late]
	best, top := around, math.Inf(-1)
	for k := max(2, around-reach); k <= around+reach; k++ {
		if r := correlateAt(x, w, k, 0); r > top {
			best, top = k, r
		}
	}
	period = lag
	if a, b := correlateAt(x, w, best-1, 0), correlateAt(x, w, best+1, 0); a <= top && b <= top {
		shift, _ := parabola(a, top, b)
		period = float64(best) + shift
	}
	x = f.wide.last(need)[:need-late]
	for k := best - 1; k <= best+1; k++ {
		correlation = math.Max(correlation, correlateAt(x, w, k, noise))
	}
	return period, correlation
}

// correlateAt is the normalised correlation of the last w samples of x with those lag before.
func correlateAt(x []float64, w, lag int, noise float64) float64 {
	a, b := x[len(x)-w:], x[len(x)-w-lag:len(x)-lag]
	return dot(a, b) / (math.Sqrt(dot(a, a)*dot(b, b)) + float64(w)*noise + 1e-30)
}

// history is the end of a signal in one piece of memory, zeros before its beginning.
type history struct {
	buf  []float64
	keep int // samples at least
	end  int
}

func (h *history) init(keep int) {
	h.keep = keep
	h.buf = make([]float64, 4*keep)
	h.end = keep
}

func (h *history) reset() {
	clear(h.buf)
	h.end = h.keep
}

func (h *history) push(v float64) {
	if h.end == len(h.buf) {
		copy(h.buf, h.buf[h.end-h.keep:])
		h.end = h.keep
	}
	h.buf[h.end] = v
	h.end++
}

// last is the last n samples, at most keep.
func (h *history) last(n int) []float64 { return h.buf[h.end-n : h.end] }

// biquad is a recursive filter of second order (transposed direct form II, coefficients after Bristow-Johnson's cookbook).
type biquad struct {
	b0, b1, b2, a1, a2 float64
	s1, s2             float64
}

func newLowPass(rate, cutoffHz, q float64) biquad {
	w := 2 * math.Pi * cutoffHz / rate
	alpha, c := math.Sin(w)/(2*q), math.Cos(w)
	a0 := 1 + alpha
	return biquad{b0: (1 - c) / 2 / a0, b1: (1 - c) / a0, b2: (1 - c) / 2 / a0, a1: -2 * c / a0, a2: (1 - alpha) / a0}
}

func newHighPass(rate, cutoffHz, q float64) biquad {
	w := 2 * math.Pi * cutoffHz / rate
	alpha, c := math.Sin(w)/(2*q), math.Cos(w)
	a0 := 1 + alpha
	return biquad{b0: (1 + c) / 2 / a0, b1: -(1 + c) / a0, b2: (1 + c) / 2 / a0, a1: -2 * c / a0, a2: (1 - alpha) / a0}
}

func (f *biquad) filter(x float64) float64 {
	y := f.b0*x + f.s1
	f.s1 = f.b1*x - f.a1*y + f.s2
	f.s2 = f.b2*x - f.a2*y
	return y
}

func (f *biquad) reset() { f.s1, f.s2 = 0, 0 }

// settle ends a tail that nobody can hear before it turns into denormal numbers, which are slow.
func (f *biquad) settle() {
	if math.Abs(f.s1)+math.Abs(f.s2) < 1e-60 {
		f.reset()
	}
}
