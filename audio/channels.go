package audio

import (
	"fmt"
	"math"
	"math/bits"
)

// speakerMask is a set of loudspeaker positions with the bits of WAVEFORMATEXTENSIBLE's dwChannelMask. Channels come
// in the order of the bits. 0 means that the positions are not known.
type speakerMask uint32

const (
	frontLeft speakerMask = 1 << iota
	frontRight
	frontCentre
	lowFrequency
	backLeft
	backRight
	frontLeftOfCentre
	frontRightOfCentre
	backCentre
	sideLeft
	sideRight
	topCentre
	topFrontLeft
	topFrontCentre
	topFrontRight
	topBackLeft
	topBackCentre
	topBackRight
)

// positions lists the loudspeakers of a mask in the order of its channels, or nil unless there are as many.
func (m speakerMask) positions(channels int) []speakerMask {
	if bits.OnesCount32(uint32(m)) != channels {
		return nil
	}
	var at []speakerMask
	for b := frontLeft; len(at) < channels; b <<= 1 {
		if m&b != 0 {
			at = append(at, b)
		}
	}
	return at
}

// attenuated is the -3 dB of ITU-R BS.775-4, table 2.
const attenuated = math.Sqrt2 / 2

// stereoWeights gives each channel's part in the left and the right of a stereo downmix after ITU-R BS.775-4: front
// channels whole, centre and surround 3 dB down, low frequencies left out, divided by the sum so that nothing clips.
// It returns nil where the positions give nothing to mix.
func stereoWeights(at []speakerMask) (left, right []float32) {
	sums := [2]float64{}
	parts := make([][2]float64, len(at))
	for i, p := range at {
		switch p {
		case frontLeft, frontLeftOfCentre:
			parts[i][0] = 1
		case frontRight, frontRightOfCentre:
			parts[i][1] = 1
		case backLeft, sideLeft, topFrontLeft, topBackLeft:
			parts[i][0] = attenuated
		case backRight, sideRight, topFrontRight, topBackRight:
			parts[i][1] = attenuated
		case frontCentre:
			parts[i] = [2]float64{attenuated, attenuated}
		case lowFrequency:
		default: // the back and the top in the middle
			parts[i] = [2]float64{attenuated * attenuated, attenuated * attenuated}
		}
		sums[0] += parts[i][0]
		sums[1] += parts[i][1]
	}
	scale := max(sums[0], sums[1])
	if scale == 0 {
		return nil, nil
	}
	for _, p := range parts {
		left = append(left, float32(p[0]/scale))
		right = append(right, float32(p[1]/scale))
	}
	return left, right
}

// monoWeights is the same mixed to one channel, as streams need it. It is an average where the positions are unknown.
func monoWeights(channels int, mask speakerMask) []float32 {
	w := make([]float32, channels)
	left, right := stereoWeights(mask.positions(channels))
	for i := range w {
		if w[i] = 1 / float32(channels); channels > 2 && left != nil {
			w[i] = (left[i] + right[i]) / 2
		}
	}
	return w
}

const (
	// silentSide is the part of the louder side's energy (40 dB less) below which the other is taken for silent: the noise of
	// an input that nothing is connected to is, and a voice heard from the far side of a room is not.
	silentSide = 1e-4
	// cancelledPart is the part of the sides' energy below which their average has lost the sound: sides that have
	// nothing in common keep a half, and the same sound with one side inverted keeps nothing.
	cancelledPart = 0.1
)

// channelSink collects the interleaved frames of a whole recording and makes one channel of them at the end, when it is
// known which sides are live.
type channelSink struct {
	rate, channels int
	most           int   // frames that are accepted
	frames         int64 // taken so far

	weights     [2][]float32 // of a downmix to stereo, nil for none
	left, right []float32    // right stays empty for mono, and where there is nothing but an average

	notes []string
}

func newChannelSink(rate, channels int, mask speakerMask, most int) *channelSink {
	s := &channelSink{rate: rate, channels: channels, most: most}
	if channels <= 2 {
		return s
	}
	if s.weights[0], s.weights[1] = stereoWeights(mask.positions(channels)); s.weights[0] == nil {
		s.notes = append(s.notes, fmt.Sprintf("%d channels, whose places are not known, were averaged", channels))
		return s
	}
	dropped := ""
	if mask&lowFrequency != 0 {
		dropped = ", without the low-frequency channel"
	}
	s.notes = append(s.notes, fmt.Sprintf("%d channels were mixed by their places%s", channels, dropped))
	return s
}

// add takes interleaved samples, whole frames.
func (s *channelSink) add(x []float32) error {
	n := len(x) / s.channels
	start := len(s.left)
	if start+n > s.most {
		return tooLong(s.rate, s.most)
	}
	s.frames += int64(n)
	s.left = grow(s.left, n)
	left := s.left[start:]
	switch {
	case s.channels == 1:
		copy(left, x)
	case s.channels == 2:
		s.right = grow(s.right, n)
		right := s.right[start:]
		for i := range left {
			left[i], right[i] = x[2*i], x[2*i+1]
		}
	case s.weights[0] != nil:
		s.right = grow(s.right, n)
		right := s.right[start:]
		for i := range left {
			left[i], right[i] = weighted(x[i*s.channels:], s.weights[0]), weighted(x[i*s.channels:], s.weights[1])
		}
	default:
		scale := 1 / float32(s.channels)
		for i := range left {
			var sum float32
			for _, v := range x[i*s.channels : (i+1)*s.channels] {
				sum += v
			}
			left[i] = sum * scale
		}
	}
	return nil
}

// cut keeps the first n frames.
func (s *channelSink) cut(n int64) {
	s.frames, s.left = n, s.left[:n]
	if len(s.right) > 0 {
		s.right = s.right[:n]
	}
}

// cutFront drops n frames from frame at on.
func (s *channelSink) cutFront(at, n int64) {
	s.left = append(s.left[:at], s.left[at+n:]...)
	if len(s.right) > 0 {
		s.right = append(s.right[:at], s.right[at+n:]...)
	}
	s.frames -= n
}

func weighted(x, weights []float32) float32 {
	var sum float32
	for i, w := range weights {
		sum += w * x[i]
	}
	return sum
}

// clip gives what was collected as one channel in [-1, 1], and says how it was made.
func (s *channelSink) clip() Clip {
	c := Clip{Samples: s.left, Rate: s.rate, Warnings: s.notes}
	if len(s.right) > 0 {
		c.Samples = s.joinSides(&c.Warnings)
	}
	clipped, peak := 0, float32(0)
	for i, v := range c.Samples {
		if v > 1 || v < -1 {
			clipped++
			peak = max(peak, v, -v)
			c.Samples[i] = clip(v)
		}
	}
	if clipped > 0 {
		c.Warnings = append(c.Warnings, fmt.Sprintf("%d samples (%.2f %%) were beyond full scale (up to %.3g) and were clipped",
			clipped, 100*float64(clipped)/float64(len(c.Samples)), peak))
	}
	s.left, s.right = nil, nil
	return c
}

// joinSides averages left and right, unless one is silent or they cancel each other. A constant offset is no sound. Less than a
// tenth of a second tells nothing.
func (s *channelSink) joinSides(notes *[]string) []float32 {
	var left, right, both energy
	for i, l := range s.left {
		r := s.right[i]
		left.add(l)
		right.add(r)
		both.add((l + r) / 2)
	}
	l, r, average := left.total(), right.total(), both.total()
	louder, name, other := s.left, "left", "right"
	if r > l {
		louder, name, other = s.right, "right", "left"
	}
	switch {
	case 10*len(s.left) < s.rate || max(l, r) == 0:
	case min(l, r) <= silentSide*max(l, r):
		*notes = append(*notes, fmt.Sprintf("the %s side is silent: the %s side alone was used", other, name))
		return louder
	case average < cancelledPart*(l+r)/2:
		*notes = append(*notes, fmt.Sprintf("left and right cancel each other (their average keeps %.1f %% of the sound): the %s side alone was used",
			100*average/((l+r)/2), name))
		return louder
	}
	for i, r := range s.right {
		s.left[i] = (s.left[i] + r) * 0.5
	}
	return s.left
}

// energy sums up a signal.
type energy struct {
	n            int
	sum, squares float64
}

func (e *energy) add(v float32) {
	e.n++
	e.sum += float64(v)
	e.squares += float64(v) * float64(v)
}

// total is the energy without the constant part.
func (e *energy) total() float64 {
	t := e.squares - e.sum*e.sum/float64(e.n)
	if t < 1e-12*e.squares { // nothing but rounding
		return 0
	}
	return t
}
