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
	"sync/atomic"

	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/corpus"
	"github.com/starvc/vc/internal/run"
	"github.com/starvc/vc/vocoder"
)

// utterance is a recording beside its features: frame t is centred on sample t*hop of sound.
type utterance struct {
	speaker int
	path    string
	frames  features.Frames
	made    []float32 // log-mel of a MelMaker, like frames.LogMel; nil without one
	sound   []float32
	phases  []float64 // of the fundamental at each frame's centre, in turns; NaN where there is none to speak of
}

// MelMaker gives the log-mel [frames*nMels] that a vocoder is to learn from beside a recording's own, such as a generator's
// rebuilding of it. It is called by several goroutines at once.
type MelMaker func(speaker string, f features.Frames) ([]float32, error)

// speech is what a vocoder learns from.
type speech struct {
	speakers     []corpus.SpeakerInfo
	train, valid []utterance
	lint         *corpus.Report
}

// readSpeech reads all recordings and their features, and lets mels, unless nil, make their log-mels.
func readSpeech(ctx context.Context, speakers string, mels MelMaker, c Config, quiet bool, say *run.Reporter) (*speech, error) {
	found, err := corpus.Scan(speakers)
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
	set, report, err := corpus.Prepare(ctx, found, c.Net.Features, options)
	say.Finish()
	if report != nil && !quiet {
		if _, werr := report.WriteTo(say); werr != nil && err == nil {
			err = werr
		}
	}
	if err != nil {
		return nil, err
	}
	s := &speech{speakers: set.Speakers, lint: report}
	for _, part := range []struct {
		to   *[]utterance
		from []corpus.Utterance
	}{{&s.train, set.Train}, {&s.valid, set.Valid}} {
		if *part.to, err = withSound(ctx, part.from, set, mels, c); err != nil {
			return nil, err
		}
	}
	if s.longest() < c.CropFrames {
		return nil, fmt.Errorf("no recording is as long as a crop of %d frames (%.2f s): give longer ones, or set cropFrames=%d", c.CropFrames,
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
	x := features.Level(cfg, clip).Samples // of which the features were made
	sound := make([]float32, u.Frames.Len()*cfg.Hop)
	copy(sound, x[min(u.Start*cfg.Hop, len(x)):])
	own := utterance{speaker: u.Speaker, path: u.Path, frames: u.Frames, sound: sound, phases: phases(cfg, sound, u.Frames.F0)}
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

// batcher draws batches, a pure function of the seed and the step. It must not be used by two goroutines at once.
type batcher struct {
	cfg     Config
	us      []utterance
	ends    []int // crops that fit into the utterances up to and with each
	sources []*vocoder.NetSource
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
	for range min(runtime.GOMAXPROCS(0), c.Batch) {
		source, err := vocoder.NewNetSource(c.Net.Features, 0)
		if err != nil {
			panic(err) // the configuration has been validated
		}
		b.sources = append(b.sources, source)
	}
	return b
}

// crop is a stretch of an utterance that is to be learnt from.
type crop struct {
	u        *utterance
	from     int     // frame
	gain     float32 // change of its level, nepers
	seed     uint64  // of the noise
	made     bool    // take the MelMaker's log-mel
	envelope bool    // and no more than the envelope of either
}

// crops draws those of a step.
func (b *batcher) crops(step int) []crop {
	c := b.cfg
	r := rand.New(rand.NewPCG(c.Seed^0x766f636f646572, uint64(step)))
	crops := make([]crop, c.Batch)
	for i := range crops {
		at := r.IntN(b.ends[len(b.ends)-1])
		k := sort.SearchInts(b.ends, at+1)
		u := &b.us[k]
		p := crop{u: u, from: b.ends[k] - 1 - at, gain: float32((2*r.Float64() - 1) * c.GainDB * math.Ln10 / 20), seed: r.Uint64()}
		p.made = u.made != nil && r.Float64() < c.MelsShare
		p.envelope = r.Float64() < c.EnvelopeShare
		crops[i] = p
	}
	return crops
}

// files are the recordings of a step.
func (b *batcher) files(step int) []string {
	var files []string
	for _, p := range b.crops(step) {
		files = append(files, p.u.path)
	}
	return files
}

func (b *batcher) newBatch() *batch {
	c, cfg := b.cfg, b.cfg.Net.Features
	rows, bins := c.Batch*c.CropFrames, cfg.Bins()
	return &batch{
		input: make([]float32, rows*c.Net.Inputs()), sound: make([]float32, c.Batch*samples(cfg, c.CropFrames)),
		harmonics: make([]float32, rows*2*bins), noise: make([]float32, rows*2*bins),
	}
}

// fill makes out, all of it, the batch of a step.
func (b *batcher) fill(out *batch, step int) {
	out.step = step
	crops := b.crops(step)
	var wait sync.WaitGroup
	var next atomic.Int64
	for _, source := range b.sources {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := int(next.Add(1) - 1); i < len(crops); i = int(next.Add(1) - 1) {
				b.crop(out, source, crops[i], i)
			}
		}()
	}
	wait.Wait()
}

// crop fills row i with the stretch p. Its level changes by its gain in the sound and, exactly, in the log-mel.
func (b *batcher) crop(out *batch, source *vocoder.NetSource, p crop, i int) {
	c, cfg, u := b.cfg, b.cfg.Net.Features, p.u
	n, inputs, bins := c.CropFrames, c.Net.Inputs(), cfg.Bins()
	source.Restart(p.seed)
	source.EnvelopeOnly(p.envelope)
	mels := u.frames.LogMel
	if p.made {
		mels = u.made
	}
	s := steering{pull: c.Steer, phases: u.phases[p.from:]}
	mel := make([]float32, cfg.NMels)
	floor, shift := cfg.NormalizeMel(0), p.gain/float32(cfg.MelScale)
	for t := range n {
		f0 := u.frames.F0[p.from+t]
		for m, v := range mels[(p.from+t)*cfg.NMels : (p.from+t+1)*cfg.NMels] {
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
	amplitude := float32(math.Exp(float64(p.gain)))
	for k, v := range u.sound[(p.from+1)*cfg.Hop:][:length] {
		sound[k] = amplitude * v
	}
}
