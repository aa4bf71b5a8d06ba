package train

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/starvc/vc/features"
	"github.com/starvc/vc/internal/corpus"
)

// labelled is an utterance with a phone for each frame.
type labelled struct {
	path    string
	speaker int // index into phoneSpeech.speakers
	frames  features.Frames
	phones  []uint8 // per frame, corpus.NoPhone where unknown
	spoken  []uint8 // the phones in their order, without silence
}

// phoneSpeaker is a speaker of labelled speech.
type phoneSpeaker struct {
	Name, Part string
	HeldOut    bool
}

// phoneSpeech is what a phone network is trained on and scored with.
type phoneSpeech struct {
	speakers     []phoneSpeaker
	train, score []labelled
	converted    []labelled // train as other voices say it
	unlabelled   []string   // speakers without labels
}

// learnt is all that is trained on.
func (s *phoneSpeech) learnt() []labelled { return slices.Concat(s.train, s.converted) }

// seen tells whether the scored utterances are of speakers that are trained on.
func (s *phoneSpeech) seen() bool {
	return !slices.ContainsFunc(s.speakers, func(p phoneSpeaker) bool { return p.HeldOut })
}

// readPhoneSpeech reads the recordings that have labels. Without a held-out speaker a fraction of the utterances is scored.
func readPhoneSpeech(ctx context.Context, q phoneRequest, say *reporter) (*phoneSpeech, error) {
	cfg := q.Config
	all, err := corpus.Scan(q.Speakers)
	if err != nil {
		return nil, err
	}
	speech := &phoneSpeech{}
	var speakers []corpus.Speaker
	var labels []*corpus.PhoneLabels
	missing := 0
	for _, s := range all {
		l, err := corpus.FindPhoneLabels(q.Labels, s.Name)
		if err != nil {
			return nil, err
		}
		if l == nil {
			speech.unlabelled = append(speech.unlabelled, s.Name)
			continue
		}
		own := corpus.Speaker{Name: s.Name}
		for _, path := range s.Files {
			if len(l.Utterances[corpus.UtteranceName(path)]) > 0 {
				own.Files = append(own.Files, path)
			}
		}
		missing += len(s.Files) - len(own.Files)
		if len(own.Files) == 0 {
			return nil, fmt.Errorf("phone labels: %s names no recording of speaker %s (it has %q, the speaker %q): utterances are named like files, without the extension",
				l.Path, s.Name, anyKey(l.Utterances), filepath.Base(s.Files[0]))
		}
		speakers, labels = append(speakers, own), append(labels, l)
		speech.speakers = append(speech.speakers, phoneSpeaker{s.Name, l.Part, slices.Contains(q.HoldOut, s.Name)})
	}
	if len(speech.unlabelled) > 0 {
		say.Linef("no labels, not used: %s", strings.Join(speech.unlabelled, ", "))
	}
	if missing > 0 {
		say.Linef("no labels, not used: %d recordings of speakers who have some", missing)
	}
	if len(speakers) == 0 {
		return nil, fmt.Errorf("phone labels: none of %d speakers has labels: %s must hold a file SPEAKER.tsv, such as %s.tsv", len(all), q.Labels, all[0].Name)
	}
	for _, name := range q.HoldOut {
		if !slices.ContainsFunc(speech.speakers, func(p phoneSpeaker) bool { return p.Name == name }) {
			return nil, fmt.Errorf("--hold-out: %q is no speaker with labels", name)
		}
	}

	options := corpus.PrepareOptions{
		ValidFraction: cfg.ScoreFraction,
		Progress:      func(done, total int) { say.Count("reading recordings", done, total) },
	}
	if len(q.HoldOut) > 0 {
		options.ValidFraction = -1
	}
	if cache, err := os.UserCacheDir(); err == nil {
		options.CacheDir = filepath.Join(cache, "vc", "features")
	}
	set, _, err := corpus.Prepare(ctx, speakers, cfg.Features, options)
	say.Finish()
	if err != nil {
		return nil, err
	}
	take := func(u corpus.Utterance) labelled {
		segments := labels[u.Speaker].Utterances[corpus.UtteranceName(u.Path)]
		l := labelled{path: u.Path, speaker: u.Speaker, frames: u.Frames, phones: corpus.FramePhones(segments, cfg.Features, u)}
		for _, s := range segments {
			if s.Phone != corpus.Silence {
				l.spoken = append(l.spoken, s.Phone)
			}
		}
		return l
	}
	for _, u := range set.Train {
		if speech.speakers[u.Speaker].HeldOut {
			speech.score = append(speech.score, take(u))
		} else {
			speech.train = append(speech.train, take(u))
		}
	}
	for _, u := range set.Valid {
		speech.score = append(speech.score, take(u))
	}
	if len(speech.train) == 0 {
		return nil, fmt.Errorf("--hold-out: no speaker is left to train on")
	}
	return speech, nil
}

func anyKey(m map[string][]corpus.PhoneSegment) string {
	for k := range m {
		return k
	}
	return ""
}

// phoneBatch is one step's input.
type phoneBatch struct {
	x         []float32 // [batch, cropFrames, nMels] normalised log-mel
	target    []float32 // [batch, cropFrames, phones], one-hot; zero where there is no label
	keep      []float32 // [batch, bottleneck] what the hidden layer is multiplied by
	lookAhead int
	files     []string // [batch] where the crops are from
}

// phoneBatcher draws batches, a pure function of the seed and the step.
type phoneBatcher struct {
	cfg  PhoneConfig
	us   []labelled
	ends []int // frames of the utterances up to and with each
}

func newPhoneBatcher(cfg PhoneConfig, us []labelled) *phoneBatcher {
	b := &phoneBatcher{cfg: cfg, us: us}
	end := 0
	for _, u := range us {
		end += u.frames.Len()
		b.ends = append(b.ends, end)
	}
	return b
}

func (b *phoneBatcher) at(step int) *phoneBatch {
	c := b.cfg
	n, m := c.CropFrames, c.GAN.NMels
	r := rand.New(rand.NewPCG(c.Seed^0x70686f6e6573, uint64(step)))
	batch := &phoneBatch{
		x:         make([]float32, c.Batch*n*m),
		target:    make([]float32, c.Batch*n*corpus.PhoneCount),
		keep:      make([]float32, c.Batch*c.GAN.Bottleneck),
		lookAhead: r.IntN(c.GAN.StemFuture + 1),
	}
	for i := range batch.keep {
		if r.Float64() >= c.Dropout {
			batch.keep[i] = float32(1 / (1 - c.Dropout))
		}
	}
	for i := range c.Batch {
		u := b.us[sort.SearchInts(b.ends, 1+r.IntN(b.ends[len(b.ends)-1]))]
		batch.files = append(batch.files, u.path)
		b.crop(r, u, batch.x[i*n*m:(i+1)*n*m], batch.target[i*n*corpus.PhoneCount:(i+1)*n*corpus.PhoneCount])
	}
	return batch
}

// crop fills x and target with a stretch of u at another tempo, then disturbs x. A short utterance leaves zeros at the end.
func (b *phoneBatcher) crop(r *rand.Rand, u labelled, x, target []float32) {
	n, m := b.cfg.CropFrames, b.cfg.GAN.NMels
	tempo := factor(r, b.cfg.SpeedRange)
	last := float64(u.frames.Len() - 1)
	start := 0.0
	if spare := last - float64(n-1)*tempo; spare > 0 {
		start = math.Floor(r.Float64() * (spare + 1))
	}
	length := 0
	for t := range n {
		at := start + float64(t)*tempo
		if at > last {
			break
		}
		low := int(at)
		part := float32(at - float64(low))
		row, next := u.frames.Mel(low), u.frames.Mel(min(low+1, u.frames.Len()-1))
		for k := range m {
			x[t*m+k] = row[k] + part*(next[k]-row[k])
		}
		if p := u.phones[int(at+0.5)]; p != corpus.NoPhone {
			target[t*corpus.PhoneCount+int(p)] = 1
		}
		length++
	}
	disturbPhones(r, b.cfg, x[:length*m])
}

// factor draws 1/(1+span) to 1+span, evenly in its logarithm.
func factor(r *rand.Rand, span float64) float64 {
	return math.Exp((2*r.Float64() - 1) * math.Log(1+span))
}

// disturbPhones makes another voice, microphone and room of x [frames, nMels], normalised log-mel: another length of the
// vocal tract, another slope and bow of the spectrum, another level, noise, and a range of bands that is lost. Noise adds
// in power, and nothing falls below the floor of the logarithm, as if it had been recorded so.
func disturbPhones(r *rand.Rand, c PhoneConfig, x []float32) {
	m := c.GAN.NMels
	warp := factor(r, c.WarpRange)
	slope, bow := (2*r.Float64()-1)*c.TiltRange, (2*r.Float64()-1)*c.TiltRange
	gain := (2*r.Float64() - 1) * c.GainDB * nepersPerDB / c.Features.MelScale

	low, part, tilt := make([]int, m), make([]float32, m), make([]float32, m)
	for k := range m {
		at := math.Min(float64(k)*warp, float64(m-1))
		low[k] = min(int(at), m-2)
		part[k] = float32(at - float64(low[k]))
		e := 2*float64(k)/float64(m-1) - 1
		tilt[k] = float32(slope*e + bow*(e*e-1.0/3) + gain)
	}
	row := make([]float32, m)
	for t := range len(x) / m {
		frame := x[t*m : (t+1)*m]
		copy(row, frame)
		for k := range frame {
			i := low[k]
			frame[k] = row[i] + part[k]*(row[i+1]-row[i]) + tilt[k]
		}
	}
	if r.Float64() < c.NoiseShare {
		addNoise(r, c, x)
	}
	floor := c.Features.NormalizeMel(0)
	if r.Float64() < c.MaskShare {
		width := 1 + r.IntN(c.MaskBands)
		from := r.IntN(m - width + 1)
		for t := range len(x) / m {
			for k := from; k < from+width; k++ {
				x[t*m+k] = floor
			}
		}
	}
	for i, v := range x {
		if v < floor || v != v {
			x[i] = floor
		}
	}
}

const nepersPerDB = math.Ln10 / 20

// addNoise adds noise of a random slope and signal-to-noise ratio. Its level is measured against the frames that only one in
// ten passes.
func addNoise(r *rand.Rand, c PhoneConfig, x []float32) {
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
