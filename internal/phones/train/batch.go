package train

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sort"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/cores"
	"github.com/starvc/vc/internal/corpus"
)

// batch is one step's input.
type batch struct {
	x         []float32 // [batch, cropFrames, nMels] normalised log-mel
	target    []float32 // [batch, cropFrames, phones], one-hot; zero where there is no label
	keep      []float32 // [batch, bottleneck] what the hidden layer is multiplied by
	teacher   []float32 // [batch, cropFrames, teacherDims], nil without a teacher
	taught    []float32 // [batch, cropFrames] 1 where it says something
	lookAhead int
	files     []string // [batch] where the crops are from
}

// batcher draws batches, a pure function of the seed and the step. It is not to be used by two goroutines at once.
type batcher struct {
	cfg     Config
	us      []labelled
	all     []labelled // babble is made of
	ends    []int      // frames of the utterances up to and with each
	workers []*phoneWorker
}

func newBatcher(cfg Config, us []labelled) *batcher {
	b := &batcher{cfg: cfg, us: us, all: us}
	end := 0
	for _, u := range us {
		end += u.frames.Len()
		b.ends = append(b.ends, end)
	}
	return b
}

func (b *batcher) at(step int) *batch {
	c := b.cfg
	r := rand.New(rand.NewPCG(c.Seed^0x70686f6e6573, uint64(step)))
	batch := &batch{
		x:         make([]float32, c.Batch*c.CropFrames*c.GAN.NMels),
		target:    make([]float32, c.Batch*c.CropFrames*corpus.PhoneCount),
		keep:      make([]float32, c.Batch*c.GAN.Bottleneck),
		lookAhead: drawLookAhead(r, c.GAN.StemFuture),
		files:     make([]string, c.Batch),
	}
	if c.TeacherDims > 0 {
		batch.teacher = make([]float32, c.Batch*c.CropFrames*c.TeacherDims)
		batch.taught = make([]float32, c.Batch*c.CropFrames)
	}
	for i := range batch.keep {
		if r.Float64() >= c.Dropout {
			batch.keep[i] = float32(1 / (1 - c.Dropout))
		}
	}
	for len(b.workers) < min(runtime.GOMAXPROCS(0), c.Batch) {
		b.workers = append(b.workers, newPhoneWorker(c, c.CropFrames))
	}
	cores.All(c.Batch, func(worker, item int) { b.fill(b.workers[worker], batch, step, item) })
	return batch
}

// drawLookAhead favours what streams use: all of it, half, and none.
func drawLookAhead(r *rand.Rand, most int) int {
	switch p := r.Float64(); {
	case p < 0.4:
		return most
	case p < 0.6:
		return most / 2
	case p < 0.8:
		return 0
	}
	return r.IntN(most + 1)
}

// fill makes one crop, which depends on the seed, the step and its place in the batch alone.
func (b *batcher) fill(w *phoneWorker, batch *batch, step, item int) {
	c := b.cfg
	r := rand.New(rand.NewPCG(c.Seed^0x63726f70, uint64(step)<<16|uint64(item)))
	u := b.us[sort.SearchInts(b.ends, 1+r.IntN(b.ends[len(b.ends)-1]))]
	batch.files[item] = u.path
	n, m, k, d := c.CropFrames, c.GAN.NMels, corpus.PhoneCount, c.TeacherDims
	x, target := batch.x[item*n*m:(item+1)*n*m], batch.target[item*n*k:(item+1)*n*k]

	speed, last := factor(r, c.SpeedRange), float64(u.frames.Len()-1)
	start := 0.0
	if spare := last - float64(n-1)*speed; spare > 0 {
		start = r.Float64() * (spare + 1)
		if u.sound == nil {
			start = math.Floor(start)
		}
		start = math.Floor(start*float64(c.Features.Hop)) / float64(c.Features.Hop)
	}
	length := 0
	for t := range n {
		at := start + float64(t)*speed
		if at > last {
			break
		}
		if p := u.phones[min(int(at+0.5), len(u.phones)-1)]; p != corpus.NoPhone {
			target[t*k+int(p)] = 1
		}
		if u.teacher != nil && d > 0 {
			seconds := (float64(u.start) + at) * float64(c.Features.Hop) / float64(c.Features.SampleRate)
			if u.teacher.at(batch.teacher[(item*n+t)*d:][:d], seconds) {
				batch.taught[item*n+t] = 1
			}
		}
		length++
	}
	x = x[:length*m]
	if u.sound == nil {
		stretch(u.frames, x, start, speed)
		disturbPhones(r, c, x)
		return
	}
	o := drawOutcome(r, c)
	w.render(r, b, u, x, (float64(u.start)+start)*float64(c.Features.Hop), speed, o)
	if o.codec {
		codec(r, c, x)
	}
	warpPhones(r, c, x, o.clean)
	if !o.clean {
		maskPhones(r, c, x)
	}
	raiseToFloor(c, x)
}

// stretch fills x with a stretch of frames at another tempo.
func stretch(frames features.Frames, x []float32, start, tempo float64) {
	m := frames.NMels
	for t := range len(x) / m {
		at := start + float64(t)*tempo
		low := int(at)
		part := float32(at - float64(low))
		row, next := frames.Mel(low), frames.Mel(min(low+1, frames.Len()-1))
		for k := range m {
			x[t*m+k] = row[k] + part*(next[k]-row[k])
		}
	}
}

// factor draws 1/(1+span) to 1+span, evenly in its logarithm.
func factor(r *rand.Rand, span float64) float64 {
	return math.Exp((2*r.Float64() - 1) * math.Log(1+span))
}

// disturbPhones makes another voice, microphone and room of x [frames, nMels], normalised log-mel without a waveform: another
// length of the vocal tract, another slope and bow of the spectrum, another level, noise, and a range of bands that is lost. Noise
// adds in power, and nothing falls below the floor of the logarithm, as if it had been recorded so.
func disturbPhones(r *rand.Rand, c Config, x []float32) {
	gain := float32((2*r.Float64() - 1) * c.GainDB * nepersPerDB / c.Features.MelScale)
	for i := range x {
		x[i] += gain
	}
	warpPhones(r, c, x, false)
	if r.Float64() < c.NoiseShare {
		addNoise(r, c, x)
	}
	maskPhones(r, c, x)
	raiseToFloor(c, x)
}

// warpPhones moves the bands of x, as a longer or shorter vocal tract does, and tilts them, unless warpOnly is set.
func warpPhones(r *rand.Rand, c Config, x []float32, warpOnly bool) {
	m := c.GAN.NMels
	warp := factor(r, c.WarpRange)
	slope, bow := (2*r.Float64()-1)*c.TiltRange, (2*r.Float64()-1)*c.TiltRange
	if warpOnly {
		slope, bow = 0, 0
	}
	low, part, tilt := make([]int, m), make([]float32, m), make([]float32, m)
	for k := range m {
		at := math.Min(float64(k)*warp, float64(m-1))
		low[k] = int(at)
		part[k] = float32(at - float64(low[k]))
		e := 2*float64(k)/float64(m-1) - 1
		tilt[k] = float32(slope*e + bow*(e*e-1.0/3))
	}
	row := make([]float32, m)
	for t := range len(x) / m {
		frame := x[t*m : (t+1)*m]
		copy(row, frame)
		for k := range frame {
			i := low[k]
			frame[k] = row[i] + part[k]*(row[min(i+1, m-1)]-row[i]) + tilt[k]
		}
	}
}

// maskPhones takes a range of bands from some crops.
func maskPhones(r *rand.Rand, c Config, x []float32) {
	m, floor := c.GAN.NMels, c.Features.NormalizeMel(0)
	if r.Float64() >= c.MaskShare {
		return
	}
	width := 1 + r.IntN(c.MaskBands)
	from := r.IntN(m - width + 1)
	for t := range len(x) / m {
		for k := from; k < from+width; k++ {
			x[t*m+k] = floor
		}
	}
}

func raiseToFloor(c Config, x []float32) {
	floor := c.Features.NormalizeMel(0)
	for i, v := range x {
		if v < floor || v != v {
			x[i] = floor
		}
	}
}

const nepersPerDB = math.Ln10 / 20

// addNoise adds noise of a random slope and signal-to-noise ratio. Its level is measured against the frames that only one in
// ten passes.
func addNoise(r *rand.Rand, c Config, x []float32) {
	m := c.GAN.NMels
	n := len(x) / m
	if n == 0 {
		return
	}
	mean, scale := c.Features.MelMean, c.Features.MelScale
	levels := make([]float64, n)
	for t := range levels {
		sum := 0.0
		for _, v := range x[t*m : (t+1)*m] {
			e := math.Exp(2 * (float64(v)*scale + mean))
			sum += e
		}
		levels[t] = sum / float64(m)
	}
	slices.Sort(levels)
	snr := c.MinSNRDB + r.Float64()*(c.MaxSNRDB-c.MinSNRDB)
	level := 0.5*math.Log(levels[n*9/10]+1e-30) - snr*nepersPerDB // ln of the noise's mean magnitude

	slope, bow := (2*r.Float64()-1)*1.5, (2*r.Float64()-1)*0.7 // nepers at the edges
	shape, power := make([]float64, m), 0.0
	for k := range shape {
		e := 2*float64(k)/float64(m-1) - 1
		shape[k] = slope*e + bow*(e*e-1.0/3)
		power += math.Exp(2*shape[k]) / float64(m)
	}
	for k := range shape {
		shape[k] += level - 0.5*math.Log(power)
	}
	for i, v := range x {
		// A band's magnitude wavers about as much as the bins that it holds let it: 0.35 nepers is that of a few bins.
		a, b := float64(v)*scale+mean, shape[i%m]+0.35*r.NormFloat64()
		hi, lo := max(a, b), min(a, b)
		x[i] = float32((hi + 0.5*math.Log1p(math.Exp(2*(lo-hi))) - mean) / scale)
	}
}
