package audio

import "math"

// levelHistogram counts blocks of sound by their level, and tells from that how loud the speech among them is.
type levelHistogram struct {
	count [levelBins]float64
	power [levelBins]float64 // sum of the mean squares
}

// Levels are in dB relative to full scale. A bin is a dB wide, the first and the last hold what lies beyond.
const (
	levelBins   = 130
	lowestLevel = -110.0

	blocksPerSecond = 100 // of which two are measured together

	// A block is speech that is at most so far below the level of the speech: the margin of ITU-T P.56.
	activityMargin = 15.9
	// A block counts for no more than so much above the median of the speech, so that knocks do not count for a sentence.
	knockMargin = 10.0
	knockBlocks = 20.0 // and no more than
	knockShare  = 0.2  // of the blocks are knocks
	// Speech stands out of its background by so much. Where that is less than leastContrast there is no speech but a steady
	// sound, between the two it is doubtful.
	floorMargin   = 6.0
	leastContrast = 6.0
	fullContrast  = 10.0
	floorShare    = 0.1   // of the blocks of a recording are no louder than its background
	quietestBlock = -90.0 // dB; below it there is digital silence, which is nobody's background
)

func blockLength(rate int) int { return max(1, rate/blocksPerSecond) }

func powerLevel(power float64) float64 {
	return 10 * math.Log10(max(power, 1e-12)) // -120 dB
}

func (h *levelHistogram) add(power float64) {
	k := binOf(powerLevel(power))
	h.count[k]++
	h.power[k] += power
}

func binOf(level float64) int {
	return int(min(max(level-lowestLevel, 0), levelBins-1))
}

// fade makes all that was added count less.
func (h *levelHistogram) fade(by float64) {
	for k := range h.count {
		h.count[k] *= by
		h.power[k] *= by
	}
}

// quantile is the level that the given part of the blocks from bin first on does not pass, -Inf where there are none.
func (h *levelHistogram) quantile(first int, part float64) float64 {
	var total float64
	for _, c := range h.count[first:] {
		total += c
	}
	if total == 0 {
		return math.Inf(-1)
	}
	left := part * total
	for k, c := range h.count[first:] {
		if left <= c && c > 0 {
			return lowestLevel + float64(first+k) + left/c
		}
		left -= c
	}
	return lowestLevel + levelBins
}

// cut is the number of the blocks from bin first on and the sum of their powers, no block counting for more than most, in dB.
func (h *levelHistogram) cut(first int, most float64) (count, power float64) {
	limit := math.Pow(10, most/10)
	for k := first; k < levelBins; k++ {
		count += h.count[k]
		power += min(h.power[k], limit*h.count[k])
	}
	return count, power
}

// top is the level above which there are so few blocks that they may be knocks.
func (h *levelHistogram) top() float64 {
	var total float64
	for _, c := range h.count {
		total += c
	}
	left := min(knockBlocks, knockShare*total)
	k := levelBins - 1
	for ; k > 0 && h.count[k] <= left; k-- {
		left -= h.count[k]
	}
	return lowestLevel + float64(k+1)
}

// speech is the mean power, in dB, of the blocks that are speech: of those within activityMargin of that very level and above
// floor, loud knocks cut. -Inf where there are none.
func (h *levelHistogram) speech(floor float64) float64 {
	count, power := h.cut(0, h.top())
	if !(power > 0) {
		return math.Inf(-1)
	}
	level := powerLevel(power / count)
	for range 20 {
		first := binOf(math.Ceil(max(level-activityMargin, min(floor, level))))
		count, power = h.cut(first, h.quantile(first, 0.5)+knockMargin)
		if !(power > 0) {
			return level
		}
		next := powerLevel(power / count)
		if math.Abs(next-level) < 0.01 {
			return next
		}
		level = next
	}
	return level
}

// SpeechLevel returns the active speech level of x, a recording at rate Hz, in dB relative to full scale: the mean power of those
// of its 20 ms blocks, taken every 10 ms, that are speech. These are, in the spirit of ITU-T P.56, the blocks no more than 15.9 dB
// below that very level; besides they must stand out of the background, which a tenth of the blocks do not pass, and loud knocks
// are cut, so that pauses, noise and clicks change little. contrast is how far the speech is above the background, in dB: below 6
// there is hardly any speech but a steady sound. Silence, and an empty x, give -Inf and 0. An offset counts as sound: take it off
// first. Samples that are not finite count as 0.
func SpeechLevel(x []float32, rate int) (dB, contrast float64) {
	m := newSpeechMeter(rate)
	m.add(x)
	return m.level()
}

// speechMeter is SpeechLevel for a recording that comes piece by piece.
type speechMeter struct {
	h         levelHistogram
	block     int     // samples
	filled    int     // of the block that is being received
	sum       float64 // of their squares
	last      float64 // power of the block before it
	completed int     // blocks
}

func newSpeechMeter(rate int) *speechMeter { return &speechMeter{block: blockLength(rate)} }

func (m *speechMeter) add(x []float32) {
	for _, v := range x {
		if v-v == 0 {
			m.sum += float64(v) * float64(v)
		}
		if m.filled++; m.filled < m.block {
			continue
		}
		power := m.sum / float64(m.block)
		if m.completed > 0 {
			m.h.add((m.last + power) / 2)
		}
		m.last, m.sum, m.filled = power, 0, 0
		m.completed++
	}
}

// level is that of all that came. What is left at the end is no block, unless there is no other.
func (m *speechMeter) level() (dB, contrast float64) {
	h := m.h
	switch m.completed {
	case 0:
		h.add(m.sum / float64(max(1, m.filled)))
	case 1:
		h.add(m.last)
	}
	dB = h.speech(h.quantile(0, floorShare) + floorMargin)
	if math.IsInf(dB, -1) {
		return dB, 0
	}
	return dB, max(0, dB-h.quantile(binOf(quietestBlock), floorShare))
}
