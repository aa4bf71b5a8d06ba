package audio

import (
	"fmt"
	"math"
	"math/bits"
)

// Layout is a set of loudspeaker positions with the bits of WAVEFORMATEXTENSIBLE's dwChannelMask. Channels come
// in the order of the bits. 0 means that the positions are not known.
type Layout uint32

// LowFrequency reports whether a channel, counted from 0, of several is that of the low frequencies, which holds no voice.
func (m Layout) LowFrequency(channel, channels int) bool {
	at := m.positions(channels)
	return at != nil && at[channel] == lowFrequency
}

const (
	frontLeft Layout = 1 << iota
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
func (m Layout) positions(channels int) []Layout {
	if bits.OnesCount32(uint32(m)) != channels {
		return nil
	}
	var at []Layout
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
func stereoWeights(at []Layout) (left, right []float32) {
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
func monoWeights(channels int, mask Layout) []float32 {
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

// channelSink takes the interleaved frames of a recording, makes two sides of them or one, or leaves them as they are, and hands
// these to a receiver. It holds back what may still be cut.
type channelSink struct {
	rate, channels int
	to             *receiver
	frames         int64 // taken so far
	hold           int   // frames at the end that may still be cut

	kept    bool         // each channel is a side
	weights [2][]float32 // of a downmix to stereo, nil for none
	held    [][]float32  // back, of each side
	sides   sideStats

	notes []string
}

func newChannelSink(rate, channels int, layout Layout, to *receiver) *channelSink {
	s := &channelSink{rate: rate, channels: channels, to: to, held: make([][]float32, 1)}
	switch {
	case channels <= 2 || to.apart && channels <= to.channels:
		s.kept, s.held = true, make([][]float32, channels)
		if to.layout = 0; layout.positions(channels) != nil {
			to.layout = layout
		} else if channels > 2 {
			s.notes = append(s.notes, fmt.Sprintf("the places of the %d channels are not known", channels))
		}
		return s
	}
	if s.weights[0], s.weights[1] = stereoWeights(layout.positions(channels)); s.weights[0] == nil {
		s.notes = append(s.notes, fmt.Sprintf("%d channels, whose places are not known, were averaged", channels))
		return s
	}
	s.held = make([][]float32, 2)
	dropped := ""
	if layout&lowFrequency != 0 {
		dropped = ", without the low-frequency channel"
	}
	s.notes = append(s.notes, fmt.Sprintf("%d channels were mixed by their places%s", channels, dropped))
	return s
}

// add takes interleaved samples, whole frames.
func (s *channelSink) add(x []float32) error {
	n := len(x) / s.channels
	start := len(s.held[0])
	if s.frames+int64(n) > s.to.most {
		return tooLong(s.rate, s.to.most)
	}
	s.frames += int64(n)
	for side := range s.held {
		s.held[side] = grow(s.held[side], n)
		out := s.held[side][start:]
		switch {
		case s.kept && s.channels == 1:
			copy(out, x)
		case s.kept:
			for i := range out {
				out[i] = x[i*s.channels+side]
			}
		case s.weights[0] != nil:
			for i := range out {
				out[i] = weighted(x[i*s.channels:], s.weights[side])
			}
		default:
			scale := 1 / float32(s.channels)
			for i := range out {
				var sum float32
				for _, v := range x[i*s.channels : (i+1)*s.channels] {
					sum += v
				}
				out[i] = sum * scale
			}
		}
	}
	if len(s.held[0]) >= s.hold+leastPiece {
		return s.release(s.hold)
	}
	return nil
}

// leastPiece is how many frames a receiver gets at once, but for the last.
const leastPiece = 4096

// release hands out all but the last keep frames.
func (s *channelSink) release(keep int) error {
	n := len(s.held[0]) - keep
	if n <= 0 {
		return nil
	}
	piece := make([][]float32, len(s.held))
	for side, x := range s.held {
		piece[side] = x[:n]
	}
	s.sides.add(piece)
	if err := s.to.take(s.rate, piece); err != nil {
		return err
	}
	for side, x := range s.held {
		s.held[side] = x[:copy(x, x[n:])]
	}
	return nil
}

// cut keeps the first n frames, as far as the others are held back.
func (s *channelSink) cut(n int64) {
	drop := int(min(max(s.frames-n, 0), int64(len(s.held[0]))))
	s.frames -= int64(drop)
	for side, x := range s.held {
		s.held[side] = x[:len(x)-drop]
	}
}

// cutFront drops n frames from frame at on, as far as they are held back.
func (s *channelSink) cutFront(at, n int64) {
	released := s.frames - int64(len(s.held[0]))
	from := max(at-released, 0)
	n = min(n-(released+from-at), int64(len(s.held[0]))-from)
	if n <= 0 {
		return
	}
	for side, x := range s.held {
		s.held[side] = append(x[:from], x[from+n:]...)
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

// clip ends the recording, and says how it was mixed to one channel. The samples are with the receiver.
func (s *channelSink) clip() (Clip, error) {
	if err := s.release(0); err != nil {
		return Clip{}, err
	}
	c := Clip{Rate: s.rate, Warnings: s.notes}
	s.to.sides, s.to.frames = len(s.held), s.frames
	if s.to.apart {
		for side := range s.held {
			c.Warnings = append(c.Warnings, s.sides.clipNotes(Side(side))...)
		}
		return c, nil
	}
	side, note := s.sides.judge(s.rate)
	if note != "" {
		c.Warnings = append(c.Warnings, note)
	}
	s.to.mono = side
	c.Warnings = append(c.Warnings, s.sides.clipNotes(side)...)
	return c, nil
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
