package corpus

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/starvc/vc/features"
)

// A long recording is cut into utterances where its speaker pauses. A pause is quiet by the recording's own measure and, unless
// it is long, unvoiced. The closure of a stop inside a word lasts 0.15 s at most, so that a pause of minPauseFrames lies between
// words.
const (
	longFrames      = 2000 // recordings of more than these 20 s are cut
	longAlone       = 600  // where a speaker has but one
	leastPiece      = 300  // frames of a piece, where there are pauses enough
	mostPiece       = 1200 // likewise
	minPauseFrames  = 25
	surePauseFrames = 50               // a pause of so many frames may be voiced, as hum is
	pauseNats       = 30 * nepersPerDB // below the speech level
	pauseShare      = 0.3              // or this part of the way from the floor up to the speech level, where that is higher
	floorShare      = 0.05             // frames that are not louder than the floor
)

// span is a range of frames.
type span struct{ from, to int }

func (s span) frames() int { return s.to - s.from }

// pauses are the places where f may be cut, in order.
func pauses(f features.Frames) []span {
	sorted := slices.Sorted(slices.Values(f.LogEnergy))
	floor := float64(sorted[int(math.Round(floorShare*float64(len(sorted)-1)))])
	speech := speechLevel(f.LogEnergy)
	limit := float32(max(floor+pauseShare*(speech-floor), speech-pauseNats))
	var all []span
	for t := 0; t < f.Len(); {
		from, voiced := t, 0
		for t < f.Len() && f.LogEnergy[t] <= limit {
			if f.F0[t] > 0 {
				voiced++
			}
			t++
		}
		if n := t - from; n >= surePauseFrames || n >= minPauseFrames && voiced*10 <= n {
			all = append(all, span{from, t})
		}
		if t == from {
			t++
		}
	}
	return all
}

// cutAtPauses gives the pieces of f, in order: one, all of it, where it has at most long frames. A piece has leastPiece to mostPiece frames where
// the pauses allow it, and keepFrames of the pause at either end. Of the pauses that would do, the longest is taken.
func cutAtPauses(f features.Frames, long int) []span {
	whole := span{0, f.Len()}
	if whole.frames() <= long || len(f.LogEnergy) != f.Len() || len(f.F0) != f.Len() {
		return []span{whole}
	}
	var pieces []span
	start, gaps := 0, pauses(f)
	for len(gaps) > 0 {
		if gaps[0].from-start < leastPiece {
			if gaps[0].from-start < minPauseFrames { // what comes before it is next to nothing
				start = max(start, gaps[0].to-keepFrames)
			}
			gaps = gaps[1:]
			continue
		}
		near := 1 // how many of gaps would do
		for near < len(gaps) && gaps[near].from-start <= mostPiece {
			near++
		}
		longest := slices.MaxFunc(gaps[:near], func(a, b span) int { return cmp.Compare(a.frames(), b.frames()) })
		pieces = append(pieces, span{start, min(longest.from+keepFrames, longest.to)})
		start = max(longest.from, longest.to-keepFrames)
		gaps = slices.DeleteFunc(gaps[:len(gaps):len(gaps)], func(g span) bool { return g.to <= longest.to })
	}
	switch rest := whole.to - start; {
	case len(pieces) == 0, rest >= leastPiece:
		pieces = append(pieces, span{start, whole.to})
	case rest > 2*keepFrames:
		pieces[len(pieces)-1].to = whole.to
	}
	return pieces
}

// utterances are the pieces of a recording that are speech. What became of it is told to report.
func (r recording) utterances(speaker, long int, perFrame float64, report *SpeakerReport) []Utterance {
	var us []Utterance
	all, spoken := 0, 0 // frames
	pieces := cutAtPauses(r.frames, long)
	cut := CutFile{Path: r.path}
	for _, p := range pieces {
		u := Utterance{Speaker: speaker, Path: r.path, Start: r.part.From, Hash: r.hash, Frames: r.frames, part: r.part}
		if len(pieces) > 1 {
			u.Start += p.from
			u.Frames = r.frames.Slice(p.from, p.to)
			u.part = measure(u.Frames, 0, u.Frames.Len())
			u.part.From, u.part.To = u.Start, u.Start+u.Frames.Len()
			u.Hash = u.part.Sum // pieces of one file are held out each by itself
		}
		where := Piece{From: float64(u.Start) * perFrame, To: float64(u.Start+u.Frames.Len()) * perFrame, Fault: notSpeech(u.Frames)}
		if where.Fault == "" {
			spoken += u.Frames.Len()
		}
		all += u.Frames.Len()
		cut.Pieces = append(cut.Pieces, where)
		if where.Fault == "" || len(pieces) == 1 && where.Fault == hardlyMoves {
			us = append(us, u)
		}
		if where.Fault == "" {
			continue
		}
		detail := where.Fault
		if len(pieces) > 1 {
			detail = fmt.Sprintf("%s to %s: %s", clock(where.From), clock(where.To), where.Fault)
		}
		report.Problems = append(report.Problems, Problem{Path: r.path, Kind: NoSpeech, Detail: detail, Skipped: len(pieces) > 1 || where.Fault != hardlyMoves})
	}
	if len(pieces) == 1 {
		return us
	}
	if len(us) > 0 && 2*spoken < all {
		report.Problems = append(report.Problems, Problem{Path: r.path, Kind: NoSpeech, Detail: "most of it is music or noise, so all of it goes", Skipped: true})
		for i := range cut.Pieces {
			cut.Pieces[i].Fault = cmp.Or(cut.Pieces[i].Fault, "most of the recording is music or noise")
		}
		us = nil
	}
	report.Cut = append(report.Cut, cut)
	return us
}

// clock is a time in a recording as a player shows it.
func clock(seconds float64) string {
	return fmt.Sprintf("%d:%04.1f", int(seconds)/60, seconds-60*float64(int(seconds)/60))
}
