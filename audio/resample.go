package audio

import (
	"fmt"
	"math"
)

// The filter: a sinc cut off between 90 % of the lower of the two Nyquist frequencies, up to which the signal passes
// unchanged, and that frequency itself, from which on everything is at least 80 dB down. Nothing folds back.
const (
	stopBandDB   = 90   // designed for, with room for float32 and for the bank's interpolation
	passBandEdge = 0.90 // of the lower Nyquist frequency
	// maxExactTaps is the largest bank (phases times taps) built with a phase for every position that can occur.
	// Ratios that need more, such as 44100 to 44101, interpolate between interpolatedPhases of them; linearly, the
	// error of which is (pi/phases)^2/8, or -118 dB.
	maxExactTaps       = 1 << 18
	interpolatedPhases = 1024
	resampleBlock      = 4096 // input samples per turn

	// Live filters last liveReachSeconds to each side, whatever the rates. So short a filter needs liveWidthHz from its pass
	// band to its stop band (Kaiser's estimate), and of that liveBeyond lies beyond the lower Nyquist frequency: what folds
	// back from there stays within the last few hundred hertz.
	liveReachSeconds = 0.002
	liveStopBandDB   = 83
	liveWidthHz      = (liveStopBandDB - 7.95) / (2.285 * 2 * math.Pi * 2 * liveReachSeconds)
	liveBeyond       = 0.3
	liveWidest       = 0.4 // of the lower Nyquist frequency; where that is less than liveWidthHz the filter gets longer
)

// lowPass is what a filter is designed for. The bands are parts of the lower Nyquist frequency.
type lowPass struct{ pass, stop, stopBandDB float64 }

func sharpLowPass() lowPass { return lowPass{passBandEdge, 1, stopBandDB} }

func liveLowPass(from, to int) lowPass {
	width := min(liveWidthHz/(float64(min(from, to))/2), liveWidest)
	return lowPass{1 - (1-liveBeyond)*width, 1 + liveBeyond*width, liveStopBandDB}
}

// Resampler converts the rate of a stream with a polyphase bank of a Kaiser-windowed sinc (Kaiser 1974; Crochiere and
// Rabiner, Multirate Digital Signal Processing, 1983). The stop band begins at the lower Nyquist frequency and is at
// least 80 dB down; the pass band ends at 90 % of it. The delay is zero: output sample k stands at k*from/to input
// samples, and the signal is taken to be zero outside of what was given.
//
// The output does not depend on how the input is cut into calls, to the last bit.
type Resampler struct {
	from, to int // as given
	up, down int // in lowest terms: up output samples for down input samples

	half int       // taps on each side of the position
	bank []float32 // [phases, 2*half]; one more phase for interpolation
	// phases is up for an exact bank; otherwise the bank is interpolated.
	phases int
	exact  bool

	buf     []float32 // input not yet passed, half-1 zeros before the first sample
	bufLen  int
	at      int // index in buf of the input sample at or just before the next output's position
	phase   int // the position is phase/up beyond it
	samples int64
	outputs int64
}

// NewResampler returns a resampler between two rates in Hz, each from [MinRate] to [MaxRate].
func NewResampler(from, to int) (*Resampler, error) {
	return newResampler(from, to, sharpLowPass())
}

// NewLiveResampler is NewResampler with a filter that waits for 2 ms only, at any rate from 6500 Hz on, in place of
// 3.6 ms (16 kHz) or 7.2 ms (8 kHz). The price is a pass band that ends 0.9 kHz below the lower Nyquist frequency and a
// stop band that begins 0.4 kHz above it, still 80 dB down: between 16 and 48 kHz, sound up to 7.1 kHz passes unchanged
// and only what lies between 7.6 and 8.4 kHz can fold.
func NewLiveResampler(from, to int) (*Resampler, error) {
	return newResampler(from, to, liveLowPass(from, to))
}

func newResampler(from, to int, f lowPass) (*Resampler, error) {
	if err := checkRate(int64(from)); err != nil {
		return nil, fmt.Errorf("resample: from: %w", err)
	}
	if err := checkRate(int64(to)); err != nil {
		return nil, fmt.Errorf("resample: to: %w", err)
	}
	g := gcd(from, to)
	r := &Resampler{from: from, to: to, up: to / g, down: from / g}
	if from != to {
		r.design(f)
		r.buf = make([]float32, 2*r.half+resampleBlock)
	}
	r.Reset()
	return r, nil
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// design computes the bank.
func (r *Resampler) design(f lowPass) {
	// In units of the input's sampling frequency; 0.5 is its Nyquist frequency.
	nyquist := 0.5 * min(1, float64(r.to)/float64(r.from))
	stop, pass := nyquist*f.stop, nyquist*f.pass
	cutoff := (pass + stop) / 2
	beta := 0.1102 * (f.stopBandDB - 8.7)
	taps := (f.stopBandDB-7.95)/(2.285*2*math.Pi*(stop-pass)) + 1
	r.half = int(math.Ceil(taps / 2))
	r.phases, r.exact = r.up, true
	rows := r.phases
	if r.up*2*r.half > maxExactTaps {
		// A filter that is slower than the input by some factor needs fewer phases by the same factor.
		r.phases = max(2, int(math.Ceil(interpolatedPhases*2*stop)))
		r.exact = false
		rows = r.phases + 1
	}
	n := 2 * r.half
	r.bank = make([]float32, rows*n)
	row := make([]float64, n)
	window := kaiser{beta: beta, scale: 1 / besselI0(beta), half: float64(r.half)}
	for p := range rows {
		frac := float64(p) / float64(r.phases)
		var sum float64
		for j := range row {
			t := float64(j-r.half+1) - frac // the tap's distance from the position
			row[j] = sinc(2*cutoff*t) * window.at(t)
			sum += row[j]
		}
		for j, v := range row { // every phase passes a constant unchanged
			r.bank[p*n+j] = float32(v / sum)
		}
	}
}

// kaiser is a Kaiser window that falls to its end value at distance half and is zero beyond.
type kaiser struct{ beta, scale, half float64 }

func (k kaiser) at(t float64) float64 {
	u := t / k.half
	if u <= -1 || u >= 1 {
		return 0
	}
	return besselI0(k.beta*math.Sqrt(1-u*u)) * k.scale
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// besselI0 is the modified Bessel function of the first kind and order zero, by its power series.
func besselI0(x float64) float64 {
	sum, term := 1.0, 1.0
	y := x * x / 4
	for k := 1.0; term > sum*1e-17; k++ {
		term *= y / (k * k)
		sum += term
	}
	return sum
}

// From is the rate of the input, in Hz.
func (r *Resampler) From() int { return r.from }

// Reset forgets the signal, as if the resampler were new.
func (r *Resampler) Reset() {
	r.samples, r.outputs = 0, 0
	r.phase = 0
	if r.half == 0 {
		return
	}
	clear(r.buf[:r.half-1])
	r.bufLen, r.at = r.half-1, r.half-1
}

// Latency returns by how many output samples the output lags at most: after n input samples in all, Process has
// given at least n*to/from - Latency().
func (r *Resampler) Latency() int {
	return (r.half*r.up + r.down - 1) / r.down
}

// Outputs returns how many samples Process has given in all after n samples since the beginning.
func (r *Resampler) Outputs(n int64) int64 {
	// Sample k stands at k*down/up and needs half more samples beyond the one at or before its position.
	if n -= int64(r.half); n <= 0 {
		return 0
	}
	whole, rest := n/int64(r.down), n%int64(r.down)
	return whole*int64(r.up) + (rest*int64(r.up)+int64(r.down)-1)/int64(r.down)
}

// Process appends to dst all output samples that src completes and returns the extended slice. With room in dst it
// does not allocate. dst and src must not overlap.
func (r *Resampler) Process(dst, src []float32) []float32 {
	r.samples += int64(len(src))
	if r.half == 0 {
		r.outputs += int64(len(src))
		return append(dst, src...)
	}
	for len(src) > 0 {
		n := copy(r.buf[r.bufLen:], src)
		src = src[n:]
		r.bufLen += n
		dst = r.drain(dst, math.MaxInt64)
	}
	return dst
}

// Flush appends the rest of the output, so that there are round(n*to/from) samples for n input samples in all, and
// resets the resampler.
func (r *Resampler) Flush(dst []float32) []float32 {
	total := resampledLen(r.samples, r.from, r.to)
	for r.outputs < total {
		n := min(len(r.buf)-r.bufLen, r.half)
		clear(r.buf[r.bufLen : r.bufLen+n])
		r.bufLen += n
		dst = r.drain(dst, total-r.outputs)
	}
	r.Reset()
	return dst
}

func resampledLen(n int64, from, to int) int64 {
	whole, rest := n/int64(from), n%int64(from)
	return whole*int64(to) + (2*rest*int64(to)+int64(from))/(2*int64(from))
}

// drain computes up to limit of the outputs for which the input is there, then drops the input that is not needed any
// more.
func (r *Resampler) drain(dst []float32, limit int64) []float32 {
	taps := 2 * r.half
	step, rest := r.down/r.up, r.down%r.up
	for ; r.at+r.half < r.bufLen && limit > 0; limit-- {
		x := r.buf[r.at-r.half+1 : r.at+r.half+1]
		var y float32
		if r.exact {
			y = dot(r.bank[r.phase*taps:(r.phase+1)*taps], x)
		} else {
			pos := int64(r.phase) * int64(r.phases)
			p := int(pos / int64(r.up))
			w := float32(pos%int64(r.up)) / float32(r.up)
			y = dot(r.bank[p*taps:(p+1)*taps], x)
			y += w * (dot(r.bank[(p+1)*taps:(p+2)*taps], x) - y)
		}
		dst = append(dst, y)
		r.outputs++
		r.at += step
		if r.phase += rest; r.phase >= r.up {
			r.phase -= r.up
			r.at++
		}
	}
	// When decimating strongly, at may already be beyond what is there; then all but the gap goes.
	if drop := min(r.at-r.half+1, r.bufLen); drop > 0 {
		copy(r.buf, r.buf[drop:r.bufLen])
		r.bufLen -= drop
		r.at -= drop
	}
	return dst
}

// dot is the inner product of two slices of the same even length, with four running sums.
func dot(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	for len(a) >= 8 && len(b) >= 8 {
		s0 += a[0]*b[0] + a[4]*b[4]
		s1 += a[1]*b[1] + a[5]*b[5]
		s2 += a[2]*b[2] + a[6]*b[6]
		s3 += a[3]*b[3] + a[7]*b[7]
		a, b = a[8:], b[8:]
	}
	for i, v := range a {
		s0 += v * b[i]
	}
	return (s0 + s1) + (s2 + s3)
}

// Resample converts a whole signal from one rate to another, both in Hz: the same samples as a [Resampler] gives, with
// zero delay. The result is new memory of length round(len(x)*to/from). The rates must lie within [MinRate] and
// [MaxRate]; others are the caller's bug and panic.
func Resample(x []float32, from, to int) []float32 {
	r, err := NewResampler(from, to)
	if err != nil {
		panic("audio: " + err.Error())
	}
	dst := make([]float32, 0, resampledLen(int64(len(x)), from, to))
	return r.Flush(r.Process(dst, x))
}
