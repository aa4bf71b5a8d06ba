package backlog

import (
	"math"
	"time"
)

// Pace finds out whether sound comes from a recorder, which gives a second of sound in a second, or from a file or a program,
// which gives it as fast as it is taken. Only what is recorded may be dropped when it piles up.
type Pace struct {
	rate   float64
	Fixed  bool // said beforehand, or because the sound can be no recording
	Live   bool
	known  bool  // whether it is live has been found out at least once
	total  int64 // samples that have come
	began  time.Time
	bursts []burst // the latest ones, the oldest first
	since  burst   // what had come when it was taken for live
}

// burst is sound that came without a wait inside of it.
type burst struct {
	at     time.Time     // when the wait before it ended
	waited time.Duration // before it
	total  int64         // samples that have come up to its end
}

const (
	paceWait   = time.Millisecond       // a shorter wait is none: the sound was there
	paceWindow = 2 * time.Second        // for so long sound must come in real time
	paceSlack  = 40 * time.Millisecond  // by so much it may come early or late within that
	paceExcess = 100 * time.Millisecond // what comes so much faster than real time comes from no recorder
	paceDrift  = 0.001                  // by which a sound card's clock may differ
	paceFaster = 1.1                    // so many times real time is no recorder, once what has piled up is through
	gapMemory  = 500 * time.Millisecond // how long a gap between bursts is thought of
	maxBursts  = 4096
)

// arrived is told of n samples that came at now after a wait.
func (p *Pace) arrived(now time.Time, waited time.Duration, n int) {
	p.total += int64(n)
	if p.began.IsZero() {
		p.began = now
	}
	if waited < paceWait && len(p.bursts) > 0 {
		p.bursts[len(p.bursts)-1].total = p.total
	} else {
		old := 0
		for old < len(p.bursts) && (now.Sub(p.bursts[old].at) > 2*paceWindow || len(p.bursts)-old >= maxBursts) {
			old++
		}
		p.bursts = append(p.bursts[:copy(p.bursts, p.bursts[old:])], burst{now, waited, p.total})
	}
	if p.Fixed {
		return
	}
	if !p.Live {
		if p.Live = p.inTime(now); p.Live {
			p.since = burst{at: now, total: p.total}
		}
		p.known = p.known || p.Live || p.faster(now)
		return
	}
	real := now.Sub(p.since.at)
	if p.seconds(p.total-p.since.total) > real.Seconds()*(1+paceDrift)+paceExcess.Seconds() {
		p.Live = false
		p.bursts = p.bursts[:0]
	}
}

// refused is told that there was no room for what would have come: its pace is then unknown, and nothing that is being recorded
// piles up so high.
func (p *Pace) refused() {
	p.known = true
	if !p.Live {
		p.bursts = p.bursts[:0]
	}
}

func (p *Pace) seconds(samples int64) float64 { return float64(samples) / p.rate }

// ended is told that nothing more will come.
func (p *Pace) ended() { p.known = true }

// undecided tells whether it may still turn out that the sound is live.
func (p *Pace) undecided() bool { return !p.Fixed && !p.known }

// before is the latest burst that ended paceWindow ago, or -1.
func (p *Pace) before(now time.Time) int {
	for i := len(p.bursts) - 2; i >= 0; i-- {
		if now.Sub(p.bursts[i].at) >= paceWindow {
			return i
		}
	}
	return -1
}

// faster tells whether sound comes faster than a recorder gives it, once it has had the time to give what had piled up.
func (p *Pace) faster(now time.Time) bool {
	i := p.before(now)
	if i < 0 || now.Sub(p.began) < 2*paceWindow {
		return false
	}
	return p.seconds(p.total-p.bursts[i].total) > paceFaster*now.Sub(p.bursts[i].at).Seconds()
}

// inTime tells whether all that came within the last paceWindow came in real time.
func (p *Pace) inTime(now time.Time) bool {
	first := p.before(now)
	if first < 0 {
		return false
	}
	from := p.bursts[first]
	for _, b := range p.bursts[first+1:] {
		if math.Abs(p.seconds(b.total-from.total)-b.at.Sub(from.at).Seconds()) > paceSlack.Seconds() {
			return false
		}
	}
	return true
}

// gap is the longest wait before a burst lately. A recorder that gives sound in large pieces makes one as long as they
// are, and what comes at once after it has not piled up.
func (p *Pace) gap(now time.Time) time.Duration {
	longest := time.Duration(0)
	for i := len(p.bursts) - 1; i >= 0 && now.Sub(p.bursts[i].at) <= gapMemory; i-- {
		longest = max(longest, p.bursts[i].waited)
	}
	return longest
}
