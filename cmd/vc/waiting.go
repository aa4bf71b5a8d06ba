package main

import (
	"math"
	"sync"
	"time"
)

// waiting is sound that was read and is not converted yet. One goroutine reads, another takes.
type waiting struct {
	mu    sync.Mutex
	rate  int
	most  int       // samples
	x     []float32 // the first of them, as many as head says, are taken
	head  int
	err   error // what reading ended with, io.EOF at the end
	pace  pace
	clock arrivalClock
	more  chan struct{} // has one when something came
	space chan struct{} // has one when something was taken
}

const (
	// readAhead is how much sound may wait. A source that has so much ready at once is a file.
	readAhead = 20 * time.Second
	// fileAhead is enough for what is known to be a file.
	fileAhead = time.Second
	// cutFade is the length of the cross-fade where sound is dropped.
	cutFade = 8 * time.Millisecond
)

func newWaiting(rate int, p pace) *waiting {
	p.rate = float64(rate)
	ahead := readAhead
	if p.fixed && !p.live {
		ahead = fileAhead
	}
	return &waiting{
		rate: rate, most: samplesIn(ahead, rate), pace: p,
		more: make(chan struct{}, 1), space: make(chan struct{}, 1),
	}
}

// arrivalClock knows when sound comes that nothing holds up: of what came within the last seconds, what came earliest says so.
type arrivalClock struct {
	since    time.Time // of now
	old, now time.Time // when the first sample of all would have come
}

const arrivalMemory = time.Second

// arrived is told that sound came, which makes so much since the beginning.
func (c *arrivalClock) arrived(at time.Time, total time.Duration) {
	begin := at.Add(-total)
	if c.since.IsZero() || at.Sub(c.since) >= arrivalMemory {
		c.since, c.old, c.now = at, c.now, begin
	}
	if begin.Before(c.now) {
		c.now = begin
	}
}

// came is when the sound came that ends at total.
func (c *arrivalClock) came(total time.Duration) time.Time {
	if !c.old.IsZero() && c.old.Before(c.now) {
		return c.old.Add(total)
	}
	return c.now.Add(total)
}

func samplesIn(d time.Duration, rate int) int { return int(math.Round(d.Seconds() * float64(rate))) }

func lasting(samples, rate int) time.Duration {
	return time.Duration(float64(samples) / float64(rate) * float64(time.Second))
}

func signalOne(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// put adds what was read, with how long the read took, and the error that came with it.
func (w *waiting) put(now time.Time, waited time.Duration, x []float32, err error) {
	w.mu.Lock()
	w.pace.arrived(now, waited, len(x))
	if w.head > len(w.x)/2 {
		w.x, w.head = w.x[:copy(w.x, w.x[w.head:])], 0
	}
	w.x, w.err = append(w.x, x...), err
	w.clock.arrived(now, lasting(int(w.pace.total), w.rate))
	w.mu.Unlock()
	signalOne(w.more)
}

// hasRoom tells whether there is room for n samples; where there is none, space will say when to ask again.
func (w *waiting) hasRoom(n int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count()+n <= w.most {
		return true
	}
	w.pace.refused()
	return false
}

func (w *waiting) count() int { return len(w.x) - w.head }

// taken is a piece of what waited.
type taken struct {
	x       []float32
	left    int       // samples that wait still
	last    time.Time // when the last sample came that waits, or that was taken, if nothing had held it up
	dropped int       // samples
	err     error     // what reading ended with, once nothing is left
}

// take moves n samples to dst, which has room for them, once there are so many, or the last ones. ok is false while there are too
// few. Where cut is above 0, so many samples are dropped first, and the sound goes on behind them by a cross-fade; at the
// end of the input, where that is not possible any more, nothing is dropped.
func (w *waiting) take(dst []float32, n, cut int) (t taken, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	need := n
	if cut > 0 {
		need = cut + max(n, samplesIn(cutFade, w.rate))
	}
	if w.count() < need && w.err == nil {
		return taken{}, false
	}
	if cut > 0 && w.count() >= need {
		w.drop(cut)
		t.dropped = cut
	}
	n = min(n, w.count())
	t.x = append(dst[:0], w.x[w.head:w.head+n]...)
	w.head += n
	t.left, t.last = w.count(), w.clock.came(lasting(int(w.pace.total), w.rate))
	if t.left == 0 {
		t.err = w.err
	}
	signalOne(w.space)
	return t, true
}

// drop takes out n samples: what would have come next fades out while what comes after them fades in.
func (w *waiting) drop(n int) {
	x, fade := w.x[w.head:], samplesIn(cutFade, w.rate)
	for i := range fade {
		part := float32(i+1) / float32(fade+1)
		x[n+i] = (1-part)*x[i] + part*x[n+i]
	}
	w.head += n
}

// state tells whether what comes is live, and the longest gap in it lately.
func (w *waiting) state(now time.Time) (live bool, gap time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pace.live, w.pace.gap(now)
}
