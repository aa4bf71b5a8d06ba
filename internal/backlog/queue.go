// Package backlog keeps live sound from growing old: it holds what waits to be converted, finds out whether it comes in real time, and
// says how much of it should be dropped so that it is heard no later than it need be.
package backlog

import (
	"math"
	"sync"
	"time"
)

// Queue is sound that was read and is not converted yet. One goroutine puts, another takes.
type Queue struct {
	mu    sync.Mutex
	rate  int
	most  int       // samples
	x     []float32 // the first of them, as many as head says, are taken
	head  int
	err   error // what reading ended with, io.EOF at the end
	pace  Pace
	clock arrivalClock
	More  chan struct{} // has one when something came
	Space chan struct{} // has one when something was taken
}

const (
	// readAhead is how much sound may wait. A source that has so much ready at once is a file: PulseAudio keeps 44 s of 16-bit
	// sound at 48000 Hz for its recorders, and the others keep less.
	readAhead = time.Minute
	// fileAhead is enough for what is known to be a file.
	fileAhead = time.Second
	// cutFade is the length of the cross-fade where sound is dropped.
	cutFade = 8 * time.Millisecond
)

// New is an empty queue of sound at rate, in Hz, of which so much is known beforehand.
func New(rate int, p Pace) *Queue {
	p.rate = float64(rate)
	ahead := readAhead
	if p.Fixed && !p.Live {
		ahead = fileAhead
	}
	return &Queue{
		rate: rate, most: Samples(ahead, rate), pace: p,
		More: make(chan struct{}, 1), Space: make(chan struct{}, 1),
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

// Samples is how many samples last so long, to the nearest one.
func Samples(d time.Duration, rate int) int { return int(math.Round(d.Seconds() * float64(rate))) }

// Lasting is how long so many samples last.
func Lasting(samples, rate int) time.Duration {
	return time.Duration(float64(samples) / float64(rate) * float64(time.Second))
}

func signalOne(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Put adds what was read, with how long the read took, and the error that came with it.
func (q *Queue) Put(now time.Time, waited time.Duration, x []float32, err error) {
	q.mu.Lock()
	q.pace.arrived(now, waited, len(x))
	if err != nil {
		q.pace.ended()
	}
	if q.head > len(q.x)/2 {
		q.x, q.head = q.x[:copy(q.x, q.x[q.head:])], 0
	}
	q.x, q.err = append(q.x, x...), err
	q.clock.arrived(now, Lasting(int(q.pace.total), q.rate))
	q.mu.Unlock()
	signalOne(q.More)
}

// HasRoom tells whether there is room for n samples; where there is none, Space will say when to ask again.
func (q *Queue) HasRoom(n int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count()+n <= q.most {
		return true
	}
	q.pace.refused()
	return false
}

func (q *Queue) count() int { return len(q.x) - q.head }

// Taken is a piece of what waited.
type Taken struct {
	X       []float32
	Left    int       // samples that wait still
	Last    time.Time // when the last sample came that waits, or that was taken, if nothing had held it up
	Dropped int       // samples
	Err     error     // what reading ended with, once nothing is left
}

// Take moves n samples to dst, which has room for them, once there are so many, or the last ones. ok is false while there are too
// few. Where cut is above 0, so many samples are dropped first, and the sound goes on behind them by a cross-fade; at the
// end of the input, where that is not possible any more, nothing is dropped.
func (q *Queue) Take(dst []float32, n, cut int) (t Taken, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	need := n
	if cut > 0 {
		need = cut + max(n, Samples(cutFade, q.rate))
	}
	if q.count() < need && q.err == nil {
		return Taken{}, false
	}
	if cut > 0 && q.count() >= need {
		q.drop(cut)
		t.Dropped = cut
	}
	n = min(n, q.count())
	t.X = append(dst[:0], q.x[q.head:q.head+n]...)
	q.head += n
	t.Left, t.Last = q.count(), q.clock.came(Lasting(int(q.pace.total), q.rate))
	if t.Left == 0 {
		t.Err = q.err
	}
	signalOne(q.Space)
	return t, true
}

// drop takes out n samples: what would have come next fades out while what comes after them fades in.
func (q *Queue) drop(n int) {
	x, fade := q.x[q.head:], Samples(cutFade, q.rate)
	for i := range fade {
		part := float32(i+1) / float32(fade+1)
		x[n+i] = (1-part)*x[i] + part*x[n+i]
	}
	q.head += n
}

// State tells whether what comes is live, and the longest gap in it lately.
func (q *Queue) State(now time.Time) (live bool, gap time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.pace.Live, q.pace.gap(now)
}

// Undecided tells whether it is not known yet whether what comes is live.
func (q *Queue) Undecided() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.pace.undecided()
}

// Clear drops all that waits, and an end that was put. It returns how many samples that were.
func (q *Queue) Clear() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.count()
	q.x, q.head, q.err = q.x[:0], 0, nil
	signalOne(q.Space)
	return n
}

// Waits is how many samples wait.
func (q *Queue) Waits() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count()
}
