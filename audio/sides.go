package audio

import "fmt"

// Side is what of a recording of two sides is used. Beyond Both it is the number of a channel, of more than two.
type Side int

const (
	Left Side = iota // also the only side of a recording that has one
	Right
	Both // their average
)

// Mix appends to dst what a side gives, clipped to [-1, 1].
func (s Side) Mix(dst []float32, sides [][]float32) []float32 {
	if s == Both && len(sides) == 2 {
		for i, l := range sides[0] {
			dst = append(dst, clip((l+sides[1][i])*0.5))
		}
		return dst
	}
	if int(s) >= len(sides) {
		s = Left
	}
	for _, v := range sides[s] {
		dst = append(dst, clip(v))
	}
	return dst
}

// MaxKept bounds the channels of a recording that [Pieces] leaves apart.
const MaxKept = 8

// sideStats is what is known of the sides of a recording before they are mixed.
type sideStats struct {
	two               bool
	left, right, both energy
	over              [MaxKept]int     // samples beyond full scale, by Side, or by channel where there are more than two
	peak              [MaxKept]float32 // the furthest
}

func (s *sideStats) add(sides [][]float32) {
	if len(sides) != 2 {
		s.left.n += len(sides[0])
		for i, x := range sides {
			for _, v := range x {
				s.watch(Side(i), v)
			}
		}
		return
	}
	s.two = true
	for i, l := range sides[0] {
		r := sides[1][i]
		s.left.add(l)
		s.right.add(r)
		s.both.add((l + r) / 2)
		s.watch(Left, l)
		s.watch(Right, r)
		s.watch(Both, (l+r)*0.5)
	}
}

func (s *sideStats) watch(side Side, v float32) {
	if v > 1 || v < -1 {
		s.over[side]++
		s.peak[side] = max(s.peak[side], v, -v)
	}
}

func (s *sideStats) clipNotes(side Side) []string {
	if s.over[side] == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d samples (%.2f %%) were beyond full scale (up to %.3g) and were clipped",
		s.over[side], 100*float64(s.over[side])/float64(s.left.n), s.peak[side])}
}

// judge says what is to be used for one channel: the average, unless one side is silent or they cancel each other. A constant
// offset is no sound. Less than a tenth of a second tells nothing. The note is for the user.
func (s *sideStats) judge(rate int) (side Side, note string) {
	if !s.two {
		return Left, ""
	}
	l, r, average := s.left.total(), s.right.total(), s.both.total()
	louder, name, other := Left, "left", "right"
	if r > l {
		louder, name, other = Right, "right", "left"
	}
	switch {
	case 10*s.left.n < rate || max(l, r) == 0:
	case min(l, r) <= silentSide*max(l, r):
		return louder, fmt.Sprintf("the %s side is silent: the %s side alone was used", other, name)
	case average < cancelledPart*(l+r)/2:
		return louder, fmt.Sprintf("left and right cancel each other (their average keeps %.1f %% of the sound): the %s side alone was used",
			100*average/((l+r)/2), name)
	}
	return Both, ""
}

// receiver takes what a decoder finds, and is told how it went.
type receiver struct {
	most     int64 // frames that are accepted
	apart    bool  // the sides are not mixed to one
	channels int   // if apart, the most that are not mixed to two
	take     func(rate int, sides [][]float32) error
	// restart, if not nil, is called when what came is void.
	restart func()

	layout Layout // of the sides, set before the first piece

	// Set at the end:
	sides  int
	mono   Side
	frames int64
}

// wholeSound keeps all.
type wholeSound struct{ sides [2][]float32 }

func (w *wholeSound) take(_ int, sides [][]float32) error {
	for i, x := range sides {
		w.sides[i] = append(w.sides[i], x...)
	}
	return nil
}

// mix gives one channel, in memory that was there already.
func (w *wholeSound) mix(side Side) []float32 {
	sides := w.sides[:]
	if len(sides[1]) == 0 {
		sides = sides[:1]
	}
	return side.Mix(sides[0][:0], sides)
}

// decodeWhole has decode give its sound to memory.
func decodeWhole(maxSamples int, decode func(to *receiver) (Clip, error)) (Clip, error) {
	w := &wholeSound{}
	to := &receiver{most: int64(maxSamples), take: w.take, restart: func() { *w = wholeSound{} }}
	clip, err := decode(to)
	if err != nil {
		return Clip{}, err
	}
	clip.Samples = w.mix(to.mono)
	return clip, nil
}
