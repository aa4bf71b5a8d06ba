package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"sync"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/vocoder"
)

// utterance is a recording beside its features: frame t is centred on sample t*hop of sound.
type utterance struct {
	speaker int
	path    string
	frames  features.Frames
	made    []float32 // log-mel of a MelMaker, like frames.LogMel; nil without one
	sound   []float32
}

// MelMaker gives the log-mel [frames*nMels] that a vocoder is to learn from beside a recording's own, such as a generator's
// rebuilding of it. It is called by several goroutines at once.
type MelMaker func(speaker string, f features.Frames) ([]float32, error)

// speech is what a vocoder learns from.
type speech struct {
	speakers     []corpus.SpeakerInfo
	train, valid []utterance
}

// readSpeech reads all recordings and their features.
func readSpeech(ctx context.Context, o Options, c Config, say *reporter) (*speech, error) {
	found, err := corpus.Scan(o.Speakers)
	if err != nil {
		return nil, err
	}
	options := corpus.PrepareOptions{
		ValidFraction: c.ValidFraction,
		Progress:      func(done, total int) { say.Count("reading recordings", done, total) },
	}
	if cache, err := os.UserCacheDir(); err == nil {
		options.CacheDir = filepath.Join(cache, "vc", "features")
	}
	set, _, err := corpus.Prepare(ctx, found, c.Net.Features, options)
	say.Finish()
	if err != nil {
		return nil, err
	}
	s := &speech{speakers: set.Speakers}
	for _, part := range []struct {
		to   *[]utterance
		from []corpus.Utterance
	}{{&s.train, set.Train}, {&s.valid, set.Valid}} {
		if *part.to, err = withSound(ctx, part.from, set, o.Mels, c); err != nil {
			return nil, err
		}
	}
	if s.longest() < c.CropFrames {
		return nil, fmt.Errorf("no recording is as long as a crop of %d frames (%.2f s): give longer ones, or --set cropFrames=%d", c.CropFrames,
			float64(c.CropFrames*c.Net.Features.Hop)/float64(c.Net.Features.SampleRate), c.minCrop())
	}
	return s, nil
}

func (s *speech) longest() int {
	n := 0
	for _, u := range s.train {
		n = max(n, u.frames.Len())
	}
	return n
}

// withSound reads the recordings of utterances again, at the rate of the features, and lets mels make their log-mels.
func withSound(ctx context.Context, us []corpus.Utterance, set *corpus.Set, mels MelMaker, c Config) ([]utterance, error) {
	cfg := c.Net.Features
	out, faults := make([]utterance, len(us)), make([]error, len(us))
	var wait sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := range next {
				out[i], faults[i] = soundOf(us[i], set, mels, cfg)
			}
		}()
	}
	for i := range us {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wait.Wait()
	return out, errors.Join(append(faults, ctx.Err())...)
}

func soundOf(u corpus.Utterance, set *corpus.Set, mels MelMaker, cfg features.Config) (utterance, error) {
	clip, err := audio.ReadFile(u.Path)
	if err != nil {
		return utterance{}, err
	}
	x := clip.Samples
	if clip.Rate != cfg.SampleRate {
		x = audio.Resample(x, clip.Rate, cfg.SampleRate)
	}
	sound := make([]float32, u.Frames.Len()*cfg.Hop)
	copy(sound, x[min(u.Start*cfg.Hop, len(x)):])
	own := utterance{speaker: u.Speaker, path: u.Path, frames: u.Frames, sound: sound}
	if mels != nil {
		if own.made, err = mels(set.Speakers[u.Speaker].Name, u.Frames); err != nil {
			return utterance{}, fmt.Errorf("%s: %w", u.Path, err)
		}
	}
	return own, nil
}

// batch is one step's input.
type batch struct {
	step             int
	input            []float32 // [batch, frames, inputs]
	harmonics, noise []float32 // [batch, frames, 2*bins]
	sound            []float32 // [batch, samples]
}

// batcher draws batches, a pure function of the seed and the step.
type batcher struct {
	cfg  Config
	us   []utterance
	ends []int // crops that fit into the utterances up to and with each
}

func newBatcher(c Config, us []utterance) *batcher {
	b := &batcher{cfg: c}
	end := 0
	for _, u := range us {
		if spare := u.frames.Len() - c.CropFrames; spare >= 0 {
			end += spare + 1
			b.us, b.ends = append(b.us, u), append(b.ends, end)
		}
	}
	return b
}

func (b *batcher) at(step int) *batch {
	c, cfg := b.cfg, b.cfg.Net.Features
	r := rand.New(rand.NewPCG(c.Seed^0x766f636f646572, uint64(step)))
	n, bins := c.CropFrames, cfg.Bins()
	out := &batch{
		step: step, input: make([]float32, c.Batch*n*c.Net.Inputs()), sound: make([]float32, c.Batch*samples(cfg, n)),
		harmonics: make([]float32, c.Batch*n*2*bins), noise: make([]float32, c.Batch*n*2*bins),
	}
	type crop struct {
		u        utterance
		from     int
		gain     float32
		seed     uint64
		made     bool // take the MelMaker's log-mel
		envelope bool // and no more than the envelope of either
		batchRow int
	}
	crops := make(chan crop, c.Batch)
	for i := range c.Batch {
		at := r.IntN(b.ends[len(b.ends)-1])
		k := sort.SearchInts(b.ends, at+1)
		u := b.us[k]
		p := crop{u: u, from: b.ends[k] - 1 - at, gain: float32((2*r.Float64() - 1) * c.GainDB * math.Ln10 / 20), seed: r.Uint64(), batchRow: i}
		p.made = u.made != nil && r.Float64() < c.MelsShare
		p.envelope = r.Float64() < c.EnvelopeShare
		crops <- p
	}
	close(crops)
	var wait sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), c.Batch) {
		wait.Add(1)
		go func() {
			defer wait.Done()
			source, err := vocoder.NewNetSource(cfg, 0)
			if err != nil {
				panic(err) // the configuration has been validated
			}
			s := newSteering(cfg, c.Steer)
			for p := range crops {
				mels := p.u.frames.LogMel
				if p.made {
					mels = p.u.made
				}
				source.EnvelopeOnly(p.envelope)
				b.crop(out, s, source, p.u, mels, p.from, p.gain, p.seed, p.batchRow)
			}
		}()
	}
	wait.Wait()
	return out
}

// crop fills row i with a stretch of u that is to be made of mels. Its level changes by gain nepers, in the sound and, exactly, in the log-mel.
func (b *batcher) crop(out *batch, s *steering, source *vocoder.NetSource, u utterance, mels []float32, from int, gain float32, seed uint64, i int) {
	c, cfg := b.cfg, b.cfg.Net.Features
	n, inputs, bins := c.CropFrames, c.Net.Inputs(), cfg.Bins()
	source.Restart(seed)
	s.begin(u.sound, from)
	mel := make([]float32, cfg.NMels)
	floor, shift := cfg.NormalizeMel(0), gain/float32(cfg.MelScale)
	for t := range n {
		f0 := u.frames.F0[from+t]
		for m, v := range mels[(from+t)*cfg.NMels : (from+t+1)*cfg.NMels] {
			mel[m] = floor
			if v > floor {
				mel[m] = max(v+shift, floor)
			}
		}
		row := i*n + t
		frame := vocoder.Frame{
			Input:     out.input[row*inputs : (row+1)*inputs],
			Harmonics: out.harmonics[row*2*bins : (row+1)*2*bins], Noise: out.noise[row*2*bins : (row+1)*2*bins],
		}
		source.Next(frame, mel, f0, s.at(t, float64(f0)))
	}
	length := samples(cfg, n)
	sound := out.sound[i*length : (i+1)*length]
	amplitude := float32(math.Exp(float64(gain)))
	for k, v := range u.sound[(from+1)*cfg.Hop:][:length] {
		sound[k] = amplitude * v
	}
}

// steering follows the phase of a recording's fundamental, so that the pulses that the network is given in training stand where
// the recording has its own, and it can learn how a voice shapes them. In conversion there is nothing to follow, and nothing to
// be in step with.
type steering struct {
	cfg    features.Config
	pull   float64 // 0 leaves the phase alone, 1 takes the recording's
	window []float64

	sound  []float32
	from   int
	voiced bool // the frame before
}

func newSteering(cfg features.Config, pull float64) *steering {
	return &steering{cfg: cfg, pull: pull, window: features.NewSTFT(cfg).Window()}
}

func (s *steering) begin(sound []float32, from int) { s.sound, s.from, s.voiced = sound, from, false }

// at is the steering of frame t of the crop, nil where there is nothing to follow.
func (s *steering) at(t int, f0 float64) func(turn float64) float64 {
	first := !s.voiced
	s.voiced = f0 > 0
	if f0 <= 0 || s.pull == 0 {
		return nil
	}
	want, clear := s.phase((s.from+t)*s.cfg.Hop, f0)
	if !clear {
		return nil
	}
	pull := s.pull
	if first {
		pull = 1
	}
	return func(turn float64) float64 {
		d := want - turn
		return turn + pull*(d-math.Floor(d+0.5))
	}
}

// phase is that of the fundamental around a sample, in turns, and whether there is one to speak of.
func (s *steering) phase(centre int, f0 float64) (turns float64, clear bool) {
	half := len(s.window) / 2
	var re, im, power, weight float64
	step := 2 * math.Pi * f0 / float64(s.cfg.SampleRate)
	for i, w := range s.window {
		k := centre - half + i
		if k < 0 || k >= len(s.sound) {
			continue
		}
		x := float64(s.sound[k]) * w
		sin, cos := math.Sincos(step * float64(i-half))
		re, im = re+x*cos, im-x*sin
		power, weight = power+x*x, weight+w*w
	}
	amplitude := re*re + im*im
	return math.Atan2(im, re) / (2 * math.Pi), amplitude > 1e-3*power*weight
}
