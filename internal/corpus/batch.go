package corpus

import (
	"fmt"
	"slices"

	"github.com/starvc/vc/features"
)

// BatchConfig sizes a batch.
type BatchConfig struct {
	Size        int // B, items
	CropFrames  int // T, frames of X
	StyleFrames int // S, frames of Same, Ref and Ref2
	LatentDim   int // numbers in Z1 and Z2
	// MaxLookAhead is the largest look-ahead that a batch draws, in frames; 0 draws none.
	MaxLookAhead int
	// Sources are the speakers that X is drawn from, one that is named twice twice as often, and Targets those that
	// Target is drawn from; nil stands for all of the set. A speaker that is no source needs no recordings: Ref and
	// Ref2 of an item whose target has none are zeros.
	Sources, Targets []int
	// PairShare is the share of the items of a speaker who is the target of some of the set's pairs (see Set.Align) that are such
	// pairs: X is then what another speaker says at the same times as the wanted recording.
	PairShare float64
	// DisturbShare is the share of the items whose X and LogEnergy are those of the recording in noise, babble or a room, which Want
	// is without. Of a set with disturbed copies half of these are cut from such, with the pitch that is heard there.
	DisturbShare float64
	// Wants tells the steps that have pairs and disturbances; nil stands for none.
	Wants func(step int) bool
	// NarrowShare is the share of the style crops that lose their bands above features.SpeechHz, where the features have any, so
	// that a reference which ends there tells the rest of the voice as well.
	NarrowShare float64
}

// DefaultBatchConfig is a batch of 8 items of 1.92 s with style crops of the same length.
func DefaultBatchConfig() BatchConfig {
	return BatchConfig{Size: 8, CropFrames: 192, StyleFrames: 192, LatentDim: 16, MaxLookAhead: 4}
}

// Validate names the first field that cannot work.
func (c BatchConfig) Validate() error {
	for _, f := range []struct {
		name             string
		value, low, high int
	}{
		{"size", c.Size, 1, 4096},
		{"cropFrames", c.CropFrames, 1, 1 << 16},
		{"styleFrames", c.StyleFrames, 1, 1 << 16},
		{"latentDim", c.LatentDim, 1, 1 << 16},
		{"maxLookAhead", c.MaxLookAhead, 0, 1024},
	} {
		if f.value < f.low || f.value > f.high {
			return fmt.Errorf("batch: %s is %d, want %d to %d", f.name, f.value, f.low, f.high)
		}
	}
	for name, v := range map[string]float64{"pairShare": c.PairShare, "disturbShare": c.DisturbShare, "narrowShare": c.NarrowShare} {
		if !(v >= 0 && v <= 1) {
			return fmt.Errorf("batch: %s is %g, want 0 to 1", name, v)
		}
	}
	return nil
}

// The limits of what the discriminator's augmentation draws.
const (
	MaxAugGain     = 0.3 // normalised log-mel units, either way
	MaxAugShift    = 2   // mel bands, either way
	MaxMaskBands   = 8   // of AugMask, at most a quarter of the mels
	MaxMaskPercent = 10  // of T, frames of AugMask
	maskChance     = 0.5 // of either mask
)

// Batch is all that one training step draws. B is BatchConfig.Size, T CropFrames, S StyleFrames, L LatentDim and M the
// number of mels; every slice is flat with the last named axis running fastest, and the batch owns it.
//
// X is padded, Same, Ref and Ref2 are repeated where an utterance is too short. The padding is digital silence (the
// normalised log floor, no voice, log-energy ln 1e-5) before and after the utterance, as it stands around a recording;
// it would dilute a style, which is an average over time, so a style crop instead starts again at the utterance's
// beginning.
type Batch struct {
	Step      int
	LookAhead int // frames of future that G may see in this step, 0 to MaxLookAhead

	Y         []int32   // [B] speaker of X and Same; of a pair, of Want and Same
	X         []float32 // [B*T*M] normalised log-mel, a crop of an utterance of Y; of a pair, of another speaker's
	F0        []float32 // [B*T] Hz, 0 where unvoiced; of a pair, of Want
	LogEnergy []float32 // [B*T] natural logarithm of the RMS, of X
	Want      []float32 // [B*T*M] what X is in the voice of Y: of a pair the same frames as Y says them, else X. nil in other steps than those of Wants
	Paired    []bool    // [B] nil likewise
	Same      []float32 // [B*S*M] a crop of another utterance of Y, of the same one when Y has one alone

	Target []int32   // [B] speaker to convert to, never Y
	Ref    []float32 // [B*S*M] a crop of an utterance of Target
	Ref2   []float32 // [B*S*M] a crop of another utterance of Target
	Z1, Z2 []float32 // [B*L] standard normal

	Noise    []float32 // [B*T*M] standard normal, for the first-order R1 penalty
	AugGain  []float32 // [B] added to the log-mel, -0.3 to 0.3
	AugShift []int32   // [B] mel bands to shift by, -2 to 2
	AugMask  []float32 // [B*T*M] 1 keeps, 0 masks: a stretch of time and a range of mels, each in half of the items

	// Which items tell of the bands above features.SpeechHz: those whose Want, or X, has such frequencies, and those whose target
	// voice mostly has. Where an item does not, they are at the floor. nil where the features have no such bands.
	FullBand, TargetFullBand []bool // [B]

	Files [][]string // [B] the recordings that X, Same, Ref and Ref2 were cut from
}

// newBatch is an empty batch of a step of training, or of validation, which is -1.
func (b *Batcher) newBatch(step int) *Batch {
	c, mels := b.cfg, b.mels
	batch := newBatch(c, mels)
	if b.upper {
		batch.FullBand, batch.TargetFullBand = make([]bool, c.Size), make([]bool, c.Size)
	}
	if step >= 0 && c.Wants != nil && c.Wants(step) && c.PairShare+c.DisturbShare > 0 {
		batch.Want, batch.Paired = make([]float32, len(batch.X)), make([]bool, c.Size)
	}
	return batch
}

func newBatch(c BatchConfig, mels int) *Batch {
	b, t, s := c.Size, c.CropFrames, c.StyleFrames
	floats := func(n int) []float32 { return make([]float32, n) }
	return &Batch{
		Y: make([]int32, b), X: floats(b * t * mels), F0: floats(b * t), LogEnergy: floats(b * t), Same: floats(b * s * mels),
		Target: make([]int32, b), Ref: floats(b * s * mels), Ref2: floats(b * s * mels),
		Z1: floats(b * c.LatentDim), Z2: floats(b * c.LatentDim),
		Noise: floats(b * t * mels), AugGain: floats(b), AugShift: make([]int32, b), AugMask: floats(b * t * mels),
		Files: make([][]string, b),
	}
}

// Batcher draws batches from a set. Its methods may be called from several goroutines at once.
type Batcher struct {
	cfg     BatchConfig
	seed    uint64
	mels    int
	silence float32 // the normalised log floor
	train   []voice // per speaker
	valid   []take  // one utterance each, speakers taking turns
	sources []int   // speakers that X is drawn from
	targets [][]int // per speaker, those that it can be converted to

	features features.Config
	upper    bool     // the features have bands above features.SpeechHz
	narrow   []bool   // per speaker, most of whose utterances lack these
	all      []take   // the set's training utterances, as its pairs count them
	pairs    [][]pair // per speaker of the target
	disturb  *disturber
}

// voice is a speaker's utterances, drawn in proportion to their frames.
type voice struct {
	takes []take
	ends  []int // ends[i] is the number of frames of the takes up to and with i
}

// take is an utterance and the log-energy of its quietest speech.
type take struct {
	u      Utterance
	limit  float32         // see activeLimit
	narrow bool            // see features.Config.Narrow
	copy   features.Frames // see Set.Disturb
}

// NewBatcher prepares to draw from set, which must have two speakers or more, each source with a training utterance.
// Nothing may change the set afterwards. Equal seeds give equal batches.
func NewBatcher(set *Set, cfg BatchConfig, seed uint64) (*Batcher, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if n := len(set.Speakers); n < 2 {
		return nil, fmt.Errorf("batch: %s, want at least 2 to convert between; add a folder with another speaker's recordings", count(n, "speaker"))
	}
	b := &Batcher{
		cfg: cfg, seed: seed, mels: set.Features.NMels, silence: set.Features.NormalizeMel(0),
		train: make([]voice, len(set.Speakers)), sources: cfg.Sources,
		features: set.Features, upper: set.Features.HasUpper(),
		narrow: make([]bool, len(set.Speakers)), pairs: make([][]pair, len(set.Speakers)),
	}
	all := make([]int, len(set.Speakers))
	for i := range all {
		all[i] = i
	}
	if b.sources == nil {
		b.sources = all
	}
	targets := cfg.Targets
	if targets == nil {
		targets = all
	}
	for i, u := range set.Train {
		if u.Frames.Len() == 0 {
			return nil, fmt.Errorf("batch: %s has no frames", u.Path)
		}
		p := newTake(u, set.Features)
		if set.copies != nil {
			p.copy = set.copies[i]
		}
		b.train[u.Speaker].add(p)
		b.all = append(b.all, p)
	}
	if cfg.DisturbShare > 0 {
		var err error
		if b.disturb, err = newDisturber(set.Features); err != nil {
			return nil, err
		}
	}
	for y, v := range b.train {
		b.narrow[y] = v.narrow()
	}
	if cfg.PairShare > 0 {
		for _, p := range set.pairs {
			y := set.Train[p.target].Speaker
			b.pairs[y] = append(b.pairs[y], p)
		}
	}
	b.targets = make([][]int, len(set.Speakers))
	for _, y := range b.sources {
		if len(b.train[y].takes) == 0 {
			return nil, fmt.Errorf("batch: speaker %s has no training utterance", set.Speakers[y].Name)
		}
		b.targets[y] = slices.DeleteFunc(slices.Clone(targets), func(target int) bool { return target == y })
		if len(b.targets[y]) == 0 {
			return nil, fmt.Errorf("batch: speaker %s has no other voice to be converted to", set.Speakers[y].Name)
		}
	}
	b.valid = takeTurns(slices.DeleteFunc(slices.Clone(set.Valid), func(u Utterance) bool {
		return !slices.Contains(b.sources, u.Speaker)
	}), len(set.Speakers), set.Features)
	return b, nil
}

func newTake(u Utterance, cfg features.Config) take {
	limit := u.part.Limit
	if u.part.Sum == (digest{}) {
		limit = activeLimit(u.Frames)
	}
	return take{u: u, limit: limit, narrow: cfg.Narrow(u.Frames)}
}

// narrow tells whether most of a voice's utterances, counted by frames, end at features.SpeechHz.
func (v *voice) narrow() bool {
	frames := 0
	for _, p := range v.takes {
		if p.narrow {
			frames += 2 * p.u.Frames.Len()
		}
		frames -= p.u.Frames.Len()
	}
	return frames > 0
}

func (v *voice) add(p take) {
	end := p.u.Frames.Len()
	if n := len(v.ends); n > 0 {
		end += v.ends[n-1]
	}
	v.takes, v.ends = append(v.takes, p), append(v.ends, end)
}

// takeTurns orders utterances so that every speaker's first come before any speaker's second.
func takeTurns(us []Utterance, speakers int, cfg features.Config) []take {
	queues := make([][]Utterance, speakers)
	for _, u := range us {
		if u.Frames.Len() > 0 {
			queues[u.Speaker] = append(queues[u.Speaker], u)
		}
	}
	var turns []take
	for round := 0; ; round++ {
		before := len(turns)
		for _, q := range queues {
			if round < len(q) {
				turns = append(turns, newTake(q[round], cfg))
			}
		}
		if len(turns) == before {
			return turns
		}
	}
}

// At draws the batch of a training step, a function of the seed and the step alone. The caller owns the result.
//
// Speakers come evenly, not by minutes: every run of as many items as there are sources holds each source once, in
// random order, as far as the batch goes. Within a speaker utterances come in proportion to their length. Crops of X that
// are mostly silence come, but less often.
func (b *Batcher) At(step int) *Batch {
	batch := b.newBatch(step)
	batch.Step = step
	r := newDice(b.seed, step, forTraining|forCrops)
	batch.LookAhead = r.IntN(b.cfg.MaxLookAhead + 1)
	var order []int
	for i := range b.cfg.Size {
		n := len(b.sources)
		if i%n == 0 {
			order = r.Perm(n)
		}
		y := b.sources[order[i%n]]
		v := &b.train[y]
		chosen := -1 // the take that X is cut from, if it is one of v
		var source take
		var start int
		if batch.Paired != nil && len(b.pairs[y]) > 0 && r.Float64() < b.cfg.PairShare {
			source, start = b.fillPair(batch, i, b.pairs[y][r.IntN(len(b.pairs[y]))], r)
		} else {
			chosen = v.draw(r, -1)
			source = v.takes[chosen]
			start = b.likelyStart(r, source, b.cfg.CropFrames, true)
			b.fillSource(batch, i, source, start)
		}
		b.fillStyle(batch, batch.Same, i, r, v.takes[v.draw(r, chosen)])
		b.fillTarget(batch, i, y, r)
		b.disturbItem(batch, i, step, source, start)
	}
	b.fillDraws(batch, forTraining)
	return batch
}

// babblers is how many others speak in babble.
const babblers = 5

// copyShare is the share of the disturbed items that are cut from a disturbed copy of the recording, where there is one; the others are
// disturbed as log-mels, anew each time.
const copyShare = 0.5

// disturbItem puts X of an item, which was cut from source at start, into noise, babble or a room, or leaves it.
func (b *Batcher) disturbItem(batch *Batch, i, step int, source take, start int) {
	if batch.Want == nil || b.disturb == nil {
		return
	}
	r := newDice(b.seed, step, forTraining|forDisturbance|uint64(i)<<16)
	if r.Float64() >= b.cfg.DisturbShare {
		return
	}
	t, m := b.cfg.CropFrames, b.mels
	x, energy := batch.X[i*t*m:(i+1)*t*m], batch.LogEnergy[i*t:(i+1)*t]
	if source.copy.Len() > 0 && r.Float64() < copyShare {
		f0 := batch.F0[i*t : (i+1)*t]
		if batch.Paired[i] { // the melody is that of the voice that answers
			f0 = make([]float32, t)
		}
		disturbed := source
		disturbed.u.Frames = source.copy
		b.cut(x, f0, energy, disturbed, start)
		return
	}
	var others [][]float32
	for range babblers {
		p := b.all[r.IntN(len(b.all))]
		if f := p.u.Frames; f.Len() >= t {
			start := r.IntN(f.Len() - t + 1)
			others = append(others, f.LogMel[start*m:(start+t)*m])
		}
	}
	b.disturb.disturb(r, x, energy, activeLimit(features.Frames{NMels: m, LogMel: x, LogEnergy: energy}), others)
	if b.upper && !batch.FullBand[i] {
		b.features.SilenceUpper(x)
	}
}

// ValidBatches is how many calls of ValidAt, from 0, see every held-out utterance once: 0 when none is held out.
func (b *Batcher) ValidBatches() int { return (len(b.valid) + b.cfg.Size - 1) / b.cfg.Size }

// ValidAt draws validation batch i, which does not depend on the seed, so that runs can be compared. X comes from
// held-out utterances, one after the other, the speakers taking turns; after ValidBatches it begins again with other
// crops. Same, Ref and Ref2 come from the training utterances, as the references that a user would have. The look-ahead
// goes through all values in turn. It returns nil when nothing is held out.
func (b *Batcher) ValidAt(i int) *Batch {
	if len(b.valid) == 0 {
		return nil
	}
	batch := b.newBatch(-1)
	batch.Step = i
	batch.LookAhead = i % (b.cfg.MaxLookAhead + 1)
	r := newDice(0, i, forValidation|forCrops)
	for k := range b.cfg.Size {
		p := b.valid[(i*b.cfg.Size+k)%len(b.valid)]
		y := p.u.Speaker
		b.fillSource(batch, k, p, b.likelyStart(r, p, b.cfg.CropFrames, true))
		v := &b.train[y]
		b.fillStyle(batch, batch.Same, k, r, v.takes[v.draw(r, -1)])
		b.fillTarget(batch, k, y, r)
	}
	b.fillDraws(batch, forValidation)
	return batch
}

// fillSource cuts item i from p, from frame start on.
func (b *Batcher) fillSource(batch *Batch, i int, p take, start int) {
	t, m := b.cfg.CropFrames, b.mels
	batch.Y[i] = int32(p.u.Speaker)
	batch.Files[i] = append(batch.Files[i], p.u.Path)
	x := batch.X[i*t*m : (i+1)*t*m]
	b.cut(x, batch.F0[i*t:(i+1)*t], batch.LogEnergy[i*t:(i+1)*t], p, start)
	if b.upper {
		batch.FullBand[i] = !p.narrow
	}
	if batch.Want != nil {
		copy(batch.Want[i*t*m:(i+1)*t*m], x)
	}
}

// fillPair makes item i of a pair: X and its energy of the source, and as fillSource does the rest of the target, at the same times. It returns
// what X was cut from, and at which frame.
func (b *Batcher) fillPair(batch *Batch, i int, p pair, r *dice) (source take, start int) {
	t, m := b.cfg.CropFrames, b.mels
	source, target := b.all[p.source], b.all[p.target]
	start = b.likelyStart(r, source, t, true)
	b.fillSource(batch, i, target, start+source.u.Start-target.u.Start) // the ends of the two may have been trimmed unequally
	batch.Files[i] = append(batch.Files[i], source.u.Path)
	b.cut(batch.X[i*t*m:(i+1)*t*m], make([]float32, t), batch.LogEnergy[i*t:(i+1)*t], source, start)
	batch.Paired[i] = true
	return source, start
}

// cut copies the crop of p that starts at frame start; frames outside the utterance are silence, and so are bands that a narrow
// recording lacks. It is as long as f0 and energy.
func (b *Batcher) cut(x, f0, energy []float32, p take, start int) {
	m, f := b.mels, p.u.Frames
	from := min(max(-start, 0), len(f0))
	to := max(min(len(f0), f.Len()-start), from) // from here to there the utterance covers the crop
	if from > 0 || to < len(f0) {
		for j := range x {
			x[j] = b.silence
		}
		clear(f0)
		for j := range energy {
			energy[j] = floorLogRMS
		}
	}
	if to > from {
		copy(x[from*m:to*m], f.LogMel[(start+from)*m:])
		copy(f0[from:to], f.F0[start+from:])
		copy(energy[from:to], f.LogEnergy[start+from:])
	}
	if b.upper && p.narrow {
		b.features.SilenceUpper(x)
	}
}

// fillStyle copies a crop of p into item i of dst, [B*S*M].
func (b *Batcher) fillStyle(batch *Batch, dst []float32, i int, r *dice, p take) {
	s, m, f := b.cfg.StyleFrames, b.mels, p.u.Frames
	batch.Files[i] = append(batch.Files[i], p.u.Path)
	dst = dst[i*s*m : (i+1)*s*m]
	from := b.likelyStart(r, p, s, false)
	for t := 0; t < s; {
		n := copy(dst[t*m:], f.LogMel[from*m:]) / m
		t, from = t+n, 0
	}
	if b.upper && (p.narrow || r.Float64() < b.cfg.NarrowShare) {
		b.features.SilenceUpper(dst)
	}
}

// fillTarget draws another speaker for item i, and two of its utterances where it has any.
func (b *Batcher) fillTarget(batch *Batch, i, y int, r *dice) {
	target := b.targets[y][r.IntN(len(b.targets[y]))]
	batch.Target[i] = int32(target)
	if b.upper {
		batch.TargetFullBand[i] = !b.narrow[target]
	}
	v := &b.train[target]
	if len(v.takes) == 0 {
		return
	}
	first := v.draw(r, -1)
	b.fillStyle(batch, batch.Ref, i, r, v.takes[first])
	b.fillStyle(batch, batch.Ref2, i, r, v.takes[v.draw(r, first)])
}
