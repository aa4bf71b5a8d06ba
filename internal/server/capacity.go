package server

import (
	"context"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/starvc/vc"
	"github.com/starvc/vc/internal/backlog"
	"github.com/starvc/vc/internal/livesound"
)

// capacity shares out the cores: what runs must be able to run in time, and what does not fit is refused.
type capacity struct {
	mu          sync.Mutex
	freed       chan struct{} // closed and made anew when something ends
	total       float64       // cores
	used        float64
	streamCost  float64 // cores that one live stream is given
	convertCost float64
	streams     int
	conversions int
	most        struct{ streams, conversions int }
	waiting     int
	limits      Limits
	seconds     [strainSeconds]strain // of late, by the second
}

// strain is how the live streams fared in a second.
type strain struct {
	second       int64 // since 1970
	chunks, late int
}

// Where more than this part of the chunks of the last seconds were late, the cores have other work too, and no stream is added.
const (
	strainSeconds = 5
	strainChunks  = 50
	strainLate    = 0.02
)

// note is told of every chunk of live sound, and whether it came out later than it should.
func (c *capacity) note(now time.Time, late bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	second := now.Unix()
	s := &c.seconds[second%strainSeconds]
	if s.second != second {
		*s = strain{second: second}
	}
	s.chunks++
	if late {
		s.late++
	}
}

// strained tells whether the streams that run do not run in time.
func (c *capacity) strained(now time.Time) bool {
	chunks, late := 0, 0
	for _, s := range c.seconds {
		if now.Unix()-s.second < strainSeconds {
			chunks, late = chunks+s.chunks, late+s.late
		}
	}
	return chunks >= strainChunks && float64(late) > strainLate*float64(chunks)
}

// measureStream is how many cores one live stream of a model takes on this computer.
func measureStream(m *vc.Model, v vc.Voice) (float64, error) {
	const rate, pieces, times = 48000, 5, 20
	usual, _ := livesound.Find(livesound.Normal)
	s, err := m.NewStream(v, usual.Options(m, rate))
	if err != nil {
		return 0, err
	}
	piece := backlog.Samples(usual.Chunk, rate)
	x, y := make([]float32, piece), make([]float32, 0, 4*piece)
	for i := range x { // not silence, which would be spared work
		x[i] = 0.1 * float32(i%200-100) / 100
	}
	for range 5 {
		y = s.Process(y[:0], x)
	}
	// The quickest of many: what others at work took does not belong to it.
	best := time.Duration(1 << 62)
	for range times {
		start := time.Now()
		for range pieces {
			y = s.Process(y[:0], x)
		}
		best = min(best, time.Since(start))
	}
	return best.Seconds() / (float64(pieces*piece) / rate), nil
}

func newCapacity(l Limits, streamCores float64) *capacity {
	cores := float64(runtime.GOMAXPROCS(0))
	c := &capacity{freed: make(chan struct{}), total: cores, limits: l, streamCost: streamCores / l.StreamsShare, convertCost: 1}
	if cores == 1 {
		c.convertCost = 0.5 // beside which some streams run
	}
	c.most.streams = l.Streams
	if c.most.streams == 0 {
		c.most.streams = max(1, int(c.total/c.streamCost))
	}
	c.most.conversions = l.Conversions
	if c.most.conversions == 0 {
		c.most.conversions = max(1, int(cores)-1) // one core is left for live sound
	}
	return c
}

// busy is the refusal of what does not fit.
func busy(what string, retry time.Duration) *problem {
	return later(http.StatusServiceUnavailable, "busy", retry, "all cores are in use, so there is no room for %s: try again in a few seconds", what)
}

func (c *capacity) roomForStream() bool {
	return c.streams < c.most.streams && (c.used+c.streamCost <= c.total+1e-9 || c.used == 0) && (c.streams == 0 || !c.strained(time.Now()))
}

// hasRoomForStream is a guess at whether startStream would do.
func (c *capacity) hasRoomForStream() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.roomForStream()
}

// startStream takes the place of a live stream, until end is called.
func (c *capacity) startStream() (end func(), p *problem) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.roomForStream() {
		return nil, busy("another live stream", 10*time.Second)
	}
	c.streams++
	c.used += c.streamCost
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.streams--
		c.release(c.streamCost)
	}), nil
}

func (c *capacity) release(cores float64) {
	c.used -= cores
	close(c.freed)
	c.freed = make(chan struct{})
}

func (c *capacity) tryConversion() (end func(), freed <-chan struct{}) {
	if c.conversions >= c.most.conversions || c.used+c.convertCost > c.total+1e-9 && c.used > 0 {
		return nil, c.freed
	}
	c.conversions++
	c.used += c.convertCost
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.conversions--
		c.release(c.convertCost)
	}), nil
}

// startConversion takes the place of a conversion. A request waits for one as long as the limits say, and no more requests than
// they say wait.
func (c *capacity) startConversion(ctx context.Context) (end func(), err error) {
	c.mu.Lock()
	end, _ = c.tryConversion()
	if end != nil {
		c.mu.Unlock()
		return end, nil
	}
	if c.waiting >= c.limits.Waiting {
		c.mu.Unlock()
		return nil, busy("another conversion", 15*time.Second)
	}
	c.waiting++
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.waiting--
		c.mu.Unlock()
	}()
	wait, cancel := context.WithTimeout(ctx, c.limits.Patience)
	defer cancel()
	if end, err = c.awaitConversion(wait); err != nil && ctx.Err() == nil {
		return nil, busy("another conversion", 15*time.Second)
	}
	return end, err
}

// awaitConversion waits for as long as ctx lasts.
func (c *capacity) awaitConversion(ctx context.Context) (end func(), err error) {
	for {
		c.mu.Lock()
		end, freed := c.tryConversion()
		c.mu.Unlock()
		if end != nil {
			return end, nil
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
