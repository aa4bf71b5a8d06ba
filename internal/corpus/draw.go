package corpus

import (
	"encoding/binary"
	"math/rand/v2"
	"sort"
)

// dice is a random source of its own for each purpose of each step, so that no draw depends on how many others were
// made before.
type dice = rand.Rand

// Purposes of random numbers.
const (
	forTraining   uint64 = 1 << 8
	forValidation uint64 = 1 << 9

	forCrops   uint64 = 1
	forLatents uint64 = 2
	forNoise   uint64 = 3
	forAugment uint64 = 4

	forDisturbance uint64 = 5
)

func newDice(seed uint64, step int, purpose uint64) *dice {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[0:], seed)
	binary.LittleEndian.PutUint64(key[8:], uint64(int64(step)))
	binary.LittleEndian.PutUint64(key[16:], purpose)
	return rand.New(rand.NewChaCha8(key))
}

// draw is the index of an utterance, in proportion to the frames; never other, unless there is no second one.
func (v *voice) draw(r *dice, other int) int {
	total, begin, length := v.ends[len(v.ends)-1], 0, 0
	if other >= 0 && len(v.takes) > 1 {
		length = v.takes[other].u.Frames.Len()
		begin = v.ends[other] - length
	}
	at := r.IntN(total - length)
	if length > 0 && at >= begin {
		at += length
	}
	return sort.SearchInts(v.ends, at+1)
}

// How crops avoid silence.
const (
	cropTries   = 4
	silentTaken = 0.2 // chance that a crop is taken although less than half of it is speech
)

// likelyStart is the frame at which a crop of n frames starts, evenly drawn but for the silent crops, most of which are
// drawn again. In an utterance of fewer frames it is, with padding, a place before the beginning that keeps the whole
// utterance in the crop, and without, any frame.
func (b *Batcher) likelyStart(r *dice, p take, n int, padding bool) int {
	spare := p.u.Frames.Len() - n
	switch {
	case spare < 0 && padding:
		return -r.IntN(-spare + 1)
	case spare < 0:
		return r.IntN(p.u.Frames.Len())
	}
	start := 0
	for range cropTries {
		start = r.IntN(spare + 1)
		speech := activeFrames(p.u.Frames.LogEnergy[start:start+n], p.limit)
		if 2*speech >= n || r.Float64() < silentTaken {
			break
		}
	}
	return start
}

// fillDraws fills in what does not depend on the recordings.
func (b *Batcher) fillDraws(batch *Batch, purpose uint64) {
	seed := b.seed
	if purpose == forValidation {
		seed = 0
	}
	r := newDice(seed, batch.Step, purpose|forLatents)
	fillNormal(r, batch.Z1)
	fillNormal(r, batch.Z2)
	fillNormal(newDice(seed, batch.Step, purpose|forNoise), batch.Noise)

	r = newDice(seed, batch.Step, purpose|forAugment)
	t, m := b.cfg.CropFrames, b.mels
	for i := range b.cfg.Size {
		batch.AugGain[i] = float32((2*r.Float64() - 1) * MaxAugGain)
		batch.AugShift[i] = int32(r.IntN(2*MaxAugShift+1) - MaxAugShift)
		fillMask(r, batch.AugMask[i*t*m:(i+1)*t*m], t, m)
	}
}

// fillMask sets a [t*m] mask to 1 but for a stretch of frames and a range of mels.
func fillMask(r *dice, mask []float32, t, m int) {
	for j := range mask {
		mask[j] = 1
	}
	if from, to := maskRange(r, t, t*MaxMaskPercent/100); to > from {
		clear(mask[from*m : to*m])
	}
	if from, to := maskRange(r, m, min(MaxMaskBands, m/4)); to > from {
		for f := range t {
			clear(mask[f*m+from : f*m+to])
		}
	}
}

// maskRange draws, half of the time, a range of 1 to most out of n, and else an empty one. It makes the same number of
// calls to r in every case.
func maskRange(r *dice, n, most int) (from, to int) {
	wanted := r.Float64() < maskChance
	width := 1 + r.IntN(max(most, 1))
	from = r.IntN(max(n-width, 0) + 1)
	if !wanted || most < 1 {
		return 0, 0
	}
	return from, from + width
}

func fillNormal(r *dice, x []float32) {
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
}
