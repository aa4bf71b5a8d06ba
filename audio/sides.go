package audio

import "fmt"

// Side is what of a recording of two sides is used.
type Side int

const (
	Left Side = iota // also the only side of a recording that has one
	Right
	Both // their average
)

// Mix appends to dst what a side gives, clipped to [-1, 1]. right is nil where the recording has one side.
func (s Side) Mix(dst, left, right []float32) []float32 {
	switch {
	case s == Both && right != nil:
		for i, l := range left {
			dst = append(dst, clip((l+right[i])*0.5))
		}
		return dst
	case s == Right && right != nil:
		left = right
	}
	for _, v := range left {
		dst = append(dst, clip(v))
	}
	return dst
}

// sideStats is what is known of the sides of a recording before they are mixed.
type sideStats struct {
	two               bool
	left, right, both energy
	over              [3]int     // samples beyond full scale, by Side
	peak              [3]float32 // the furthest
}

func (s *sideStats) count() int {
	if s.two {
		return 2
	}
	return 1
}

func (s *sideStats) add(left, right []float32) {
	if right == nil {
		for _, v := range left {
			s.left.n++
			s.watch(Left, v)
		}
		return
	}
	s.two = true
	for i, l := range left {
		r := right[i]
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
	most  int64 // frames that are accepted
	apart bool  // the sides are not mixed to one
	take  func(rate int, left, right []float32) error
	// restart, if not nil, is called when what came is void.
	restart func()

	// Set at the end:
	sides  int
	mono   Side
	frames int64
}

// wholeSound keeps all.
type wholeSound struct{ left, right []float32 }

func (w *wholeSound) take(_ int, left, right []float32) error {
	w.left = append(w.left, left...)
	w.right = append(w.right, right...)
	return nil
}

// mix gives one channel, in memory that was there already.
func (w *wholeSound) mix(side Side) []float32 {
	var right []float32
	if len(w.right) > 0 {
		right = w.right
	}
	return side.Mix(w.left[:0], w.left, right)
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
