// Package mark puts a mark that cannot be heard into converted speech, and finds it again: cells of 4 frames by 4 mel bands, from
// 150 Hz to 5 kHz, go up or down by 1 dB before the vocoder, by a pattern that repeats every 2.56 s and says which voice it is. The
// pattern is no secret. It is patchwork (Bender et al., "Techniques for data hiding", 1996), and messages are patterns of which one is
// there (spread spectrum, Cox et al. 1997).
package mark

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/starvc/vc/audio"
)

// Finding is what was found of a mark.
type Finding struct {
	Found bool `json:"found"`
	Info  Info `json:"info"` // of the stretch where it is clearest; the zero value where nothing was found
	// FalseAlarm bounds how probable it is that a recording as long as this one, without a mark, looks as much like one.
	FalseAlarm float64 `json:"falseAlarm"`
	Speed      float64 `json:"speed"` // by which the recording was played faster than it was made, 1 for as it was
	Spans      []Span  `json:"spans"` // where it is, in order
}

// Span is a part of a recording.
type Span struct {
	From time.Duration `json:"from"`
	To   time.Duration `json:"to"`
	Info Info          `json:"info"`
}

const (
	foundBelow = 1e-8 // false alarms
	spanBelow  = 1e-3 // of a window, where the recording is known to have a mark

	frameTime    = 10 * time.Millisecond
	windowFrames = 1000
	windowHop    = 500

	speedStep  = 0.005
	speedSteps = 6 // in either direction
	speedTime  = 10 * time.Minute
)

// A Reader gives the samples of a recording, mono, in pieces of any length, to take; it may be called again, and then begins anew. An
// error of take ends it.
type Reader func(take func(rate int, x []float32) error) error

// Detect looks for the mark of converted speech in a recording: at the speed at which it is, and if there is none, at others within 3
// per cent, in the first ten minutes. Errors are those of read and of ctx, and that of a rate that cannot be resampled.
func Detect(ctx context.Context, read Reader) (Finding, error) {
	f, err := detectAt(ctx, read, 1, math.MaxInt64)
	for k := 1; k <= speedSteps && err == nil && !f.Found; k++ {
		for _, way := range []float64{1, -1} {
			var g Finding
			if g, err = detectAt(ctx, read, 1+way*float64(k)*speedStep, speedTime); err != nil || g.Found {
				return g, err
			}
			f.FalseAlarm = min(f.FalseAlarm, g.FalseAlarm)
		}
	}
	return f, err
}

// DetectClip is Detect for a recording in memory.
func DetectClip(ctx context.Context, clip audio.Clip) (Finding, error) {
	return Detect(ctx, func(take func(int, []float32) error) error { return take(clip.Rate, clip.Samples) })
}

// errEnough ends reading, by readers that may wrap it.
var errEnough = errors.New("enough was heard")

func detectAt(ctx context.Context, read Reader, speed float64, most time.Duration) (Finding, error) {
	var s *sight
	var heard, all int64
	err := read(func(rate int, x []float32) (err error) {
		if s == nil {
			if s, err = newSight(rate, 1/speed); err != nil {
				return err
			}
			all = int64(min(most.Seconds(), math.MaxInt32) * float64(rate))
		}
		for len(x) > 0 && heard < all {
			if err := ctx.Err(); err != nil {
				return err
			}
			n := int(min(int64(len(x)), 1<<14, all-heard))
			s.write(x[:n])
			x, heard = x[n:], heard+int64(n)
		}
		if heard >= all {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return Finding{}, err
	}
	if s == nil {
		return Finding{FalseAlarm: 1, Speed: 1}, nil
	}
	s.finish()
	return s.finding(ctx, speed)
}

// finding looks at all of it, and at windows, of which each may have its own voice.
func (s *sight) finding(ctx context.Context, speed float64) (Finding, error) {
	folded := make([]float32, blockFrames*groups)
	whole := s.search(folded, 0, s.frames())
	var windows []match
	for from := 0; s.frames() > windowFrames && from < s.frames()-windowHop; from += windowHop {
		if err := ctx.Err(); err != nil {
			return Finding{}, err
		}
		windows = append(windows, s.search(folded, from, from+windowFrames))
	}
	best := whole
	for _, m := range windows {
		if m.z > best.z {
			best = m
		}
	}
	chances := tries * float64(1+len(windows)) * (1 + 2*speedSteps)
	f := Finding{FalseAlarm: falseAlarm(best.z, chances), Speed: speed}
	if f.Found = f.FalseAlarm < foundBelow; !f.Found {
		return f, nil
	}
	f.Info = best.info
	at := func(frame int) time.Duration {
		return time.Duration(float64(min(frame, s.frames())) * float64(frameTime) / speed)
	}
	for i, m := range windows {
		from, to := i*windowHop, i*windowHop+windowFrames
		if falseAlarm(m.z, tries) >= spanBelow {
			continue
		}
		if n := len(f.Spans); n > 0 && f.Spans[n-1].Info == m.info && f.Spans[n-1].To >= at(from) {
			f.Spans[n-1].To = at(to)
		} else {
			f.Spans = append(f.Spans, Span{at(from), at(to), m.info})
		}
	}
	if len(f.Spans) == 0 {
		f.Spans = []Span{{0, at(s.frames()), f.Info}}
	}
	return f, nil
}

// falseAlarm bounds how probable so good a match is by chance, among so many.
func falseAlarm(z, chances float64) float64 { return min(1, chances*math.Erfc(z/math.Sqrt2)/2) }
