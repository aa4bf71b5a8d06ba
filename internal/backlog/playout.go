package backlog

import (
	"cmp"
	"time"
)

// Playout follows how much later than need be a live stream is heard. It imagines a player that begins with the first sound,
// plays in real time, and waits where there is none: what it still has to play when a chunk comes, together with what waits to be
// converted, and is never used up, is delay for nothing.
type Playout struct {
	Rate     int // Hz
	MaxDelay time.Duration
	Kept     time.Duration // so much is left in place, against chunks that are a little late; 0 stands for 3 ms
	Told     bool          // the player says itself what it has to play: none needs to be imagined

	ends  time.Time // when the imagined player will have played all that it was given; zero before it has begun
	begun time.Time // the first look since the last cut
	lows  [lowCount]low
}

// low is the least that was waiting during a part of the time.
type low struct {
	from            time.Time
	input, playable time.Duration
}

const (
	lowLasts = 250 * time.Millisecond
	lowCount = 20

	// What is left in place where the player is imagined.
	keptDelay = 3 * time.Millisecond
	// The imagined player is this much too fast, so that the clocks of sound cards, which differ, do not look like delay.
	playFaster = 1.0005
)

// surplusRules say what delay is for nothing: more than that, and never less for so long.
var surplusRules = [...]struct {
	least time.Duration
	lasts int // lows
}{{60 * time.Millisecond, 4}, {8 * time.Millisecond, lowCount}}

// Look takes note at a time when a chunk goes out: input is how much sound waits to be converted, unplayed how much the
// player's pipe is known to hold. It returns the age of the oldest sound that waits for its turn, and how long the player has had
// nothing to play.
func (p *Playout) Look(now time.Time, input, unplayed time.Duration) (age, dry time.Duration) {
	playable := unplayed
	if !p.Told && !p.ends.IsZero() {
		playable = max(playable, p.ends.Sub(now))
		dry = max(0, now.Sub(p.ends))
	}
	if p.begun.IsZero() {
		p.begun = now
	}
	last := &p.lows[lowCount-1]
	if last.from.IsZero() || now.Sub(last.from) >= lowLasts {
		copy(p.lows[:], p.lows[1:])
		*last = low{now, input, playable}
	}
	last.input, last.playable = min(last.input, input), min(last.playable, playable)
	return input + playable, dry
}

// Played is told of n samples that went out.
func (p *Playout) Played(now time.Time, n int) {
	if p.ends.Before(now) {
		p.ends = now
	}
	p.ends = p.ends.Add(time.Duration(float64(Lasting(n, p.Rate)) / playFaster))
}

// Ahead is how much the imagined player still has to play.
func (p *Playout) Ahead(now time.Time) time.Duration {
	if p.ends.IsZero() {
		return 0
	}
	return max(0, p.ends.Sub(now))
}

// Surplus is how much sound should be dropped, 0 for none. age is what Look has returned, gap the longest gap in the input lately.
func (p *Playout) Surplus(now time.Time, age, gap time.Duration) time.Duration {
	kept := cmp.Or(p.Kept, keptDelay)
	more := kept - keptDelay // than where the player is imagined
	if age > p.MaxDelay+more+gap {
		return age - gap - kept
	}
	for _, rule := range surplusRules {
		over := time.Duration(rule.lasts) * lowLasts
		if now.Sub(p.begun) < over {
			continue
		}
		input, playable := time.Duration(1<<62), time.Duration(1<<62)
		for _, l := range p.lows {
			if now.Sub(l.from) < over+lowLasts && !l.from.IsZero() {
				input, playable = min(input, l.input), min(playable, l.playable)
			}
		}
		if s := input + playable; s > rule.least+more && s < 1<<61 {
			return s - kept
		}
	}
	return 0
}

// Dropped is told of what was dropped: it came neither to the player nor to the input.
func (p *Playout) Dropped() { p.begun, p.lows = time.Time{}, [lowCount]low{} }
