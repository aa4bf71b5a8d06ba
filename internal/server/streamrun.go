package server

import (
	"context"
	"math"
	"time"

	"github.com/starvc/vc"
	"github.com/starvc/vc/internal/backlog"
	"github.com/starvc/vc/internal/livesound"
)

// converter makes the sound of a session.
type converter struct {
	*session
	voice *voice
	set   liveSettings

	model   *vc.Model
	stream  *vc.Stream
	pieces  vc.Pieces
	fresh   bool // nothing was taken yet, so that the pieces may still be cut another way
	playout backlog.Playout
	meter   *liveMeter
	delay   time.Duration
	// firstBest is the length of the first piece that makes the delay the shortest.
	firstBest int

	past  []float32  // the latest input, for a stream of another model
	old   *vc.Stream // whose sound is to fade out
	mixer livesound.Mixer
	cut   int // samples that are to be dropped
	y     []float32
	faded []float32
	b     []byte
}

// order is what the converter is to do between two pieces.
type order struct {
	reset  bool
	voice  *voice
	set    liveSettings
	model  *vc.Model
	found  vc.Voice
	stream *vc.Stream // of another model than before; nil for the one that runs
	answer setAnswer
}

// make finds what the order's voice takes, for a stream that runs in voice v.
func (o *order) make(v *voice, ss *session) (err error) {
	if o.model, o.found, err = o.voice.use(); err != nil {
		return err
	}
	if o.voice.space != v.space {
		o.stream, err = ss.newStream(o.model, o.found, o.set.settings)
	}
	return err
}

func (ss *session) newStream(m *vc.Model, v vc.Voice, set settings) (*vc.Stream, error) {
	return m.NewStream(v, set.streamOptions(m, ss.latency, ss.rate))
}

const (
	pastKept   = time.Second           // of the input
	engineFade = 10 * time.Millisecond // between streams of two models
)

// prepare makes what sound goes through.
func (c *converter) prepare() error {
	m, v, err := c.voice.use()
	if err != nil {
		return err
	}
	if c.stream, err = c.newStream(m, v, c.set.settings); err != nil {
		return err
	}
	c.model = m
	c.pieces = c.stream.Pieces(c.latency.Chunk)
	c.delay = c.stream.Delay(c.pieces)
	best := c.pieces
	c.firstBest = best.Next()
	c.queue = backlog.New(c.rate, backlog.Pace{Fixed: true, Live: true})
	c.playout = backlog.Playout{Rate: c.rate, MaxDelay: time.Duration(c.start.MaxDelay * float64(time.Millisecond))}
	c.meter = newLiveMeter(c.rate, c.latency.Chunk)
	c.past = make([]float32, 0, 2*backlog.Samples(pastKept, c.rate))
	c.mixer = livesound.NewMixer(c.set.factors())
	return nil
}

// ready says what the client may count on.
func (c *converter) ready() readyMessage {
	features := c.model.Features()
	seconds := func(samples int) time.Duration { return backlog.Lasting(samples, features.SampleRate) }
	inside := backlog.Lasting(c.stream.Latency(), c.rate)
	window := seconds(features.WinLength / 2)
	future := seconds(min(c.latency.LookAhead, c.model.Networks().Config.StemFuture) * features.Hop)
	parts := []delayPart{
		{"piece", milliseconds(c.delay - inside), "sound waits until a piece of it is complete"},
		{"window", milliseconds(window), "half of the stretch in which the sound is analysed"},
		{"look-ahead", milliseconds(future), "what comes next is heard before a sound is said"},
		{"vocoder", milliseconds(inside - window - future), "making sound of it, and bringing it to the rate that is wanted"},
	}
	sum := 0.0
	for _, p := range parts {
		sum += p.MS
	}
	return readyMessage{
		Type: "ready", ID: c.id, Voice: c.voice.id, Format: c.start.Format, SampleRate: c.rate, Latency: math.Round(100*sum) / 100,
		Chunk: milliseconds(c.latency.Chunk), ChunkSamples: backlog.Samples(c.latency.Chunk, c.rate), FirstSamples: c.firstBest, Parts: parts,
	}
}

// run takes what waits, piece by piece, and sends what becomes of it.
func (c *converter) run(ctx context.Context) error {
	stats := time.NewTicker(time.Second)
	defer stats.Stop()
	piece := make([]float32, 0, c.pieces.Longest())
	always := make(chan struct{})
	close(always)
	more := (<-chan struct{})(always)
	next := 0
	c.fresh = true
	for {
		var err error
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-stats.C:
			err = c.sendJSON(ctx, c.meter.line(c))
		case o := <-c.orders:
			err = c.obey(ctx, o)
		case <-more:
			if c.fresh {
				next = c.first()
			}
			t, ok := c.queue.Take(piece, next, c.cut)
			if !ok {
				more = c.queue.More
				continue
			}
			more = always
			c.fresh = false
			next = c.pieces.Next()
			if err = c.convert(ctx, t); err == nil && t.Err != nil {
				err = c.flushed(ctx)
			}
		}
		if err != nil {
			return err
		}
	}
}

func (c *converter) obey(ctx context.Context, o order) error {
	if o.reset {
		c.queue.Clear()
		c.stream.Reset()
		c.begin()
		return nil
	}
	c.voice, c.set = o.voice, o.set
	if o.stream != nil {
		o.stream.Process(nil, c.past)
		c.old, c.stream, c.model = c.stream, o.stream, o.model
	} else {
		set := o.set.settings
		for _, err := range []error{c.stream.SetVoice(o.found), c.stream.SetPitch(set.Pitch), c.stream.SetFormant(set.Formant),
			c.stream.SetStrength(set.Strength), c.stream.SetMelody(vc.Melody(set.Melody))} {
			if err != nil {
				return err // settings were checked, and the voice is of this model
			}
		}
	}
	return c.sendJSON(ctx, o.answer)
}

// begin forgets the sound that came.
func (c *converter) begin() {
	c.past, c.old, c.cut = c.past[:0], nil, 0
	c.mixer.Forget()
	c.playout.Dropped()
	c.fresh = true
}

// first is how long the first piece is to be. Where sound comes in frames that are no shorter than pieces are, these end where frames
// do, so that none waits for the next frame.
func (c *converter) first() int {
	piece := backlog.Samples(c.latency.Chunk, c.rate)
	c.pieces = c.stream.Pieces(c.latency.Chunk)
	if n := c.queue.Waits(); n >= piece/4 {
		c.pieces = vc.NewPieces(c.rate, min(n, piece), c.latency.Chunk)
	}
	return c.pieces.Next()
}

// convert converts a piece. At the mark of a flush all that is left inside comes too.
func (c *converter) convert(ctx context.Context, t backlog.Taken) error {
	if t.Dropped > 0 {
		c.cut = 0
		c.playout.Dropped()
		c.meter.drop(t.Dropped)
		c.s.metrics.dropped.Add(backlog.Lasting(t.Dropped, c.rate).Seconds())
	}
	began := time.Now()
	c.mixer.Take(t.X)
	c.process(t.X)
	if t.Err != nil {
		c.y = c.stream.Flush(c.y)
	}
	gain, wet := c.set.factors()
	c.mixer.Mix(c.y, gain, wet)
	for i, v := range c.y {
		c.y[i] = max(-1, min(1, v))
	}
	took := time.Since(began)
	if len(c.y) > 0 {
		var err error
		if c.b, err = c.sendSound(ctx, c.b, c.y); err != nil {
			return err
		}
		c.watchDelay(t.Left)
	}
	if len(t.X) > 0 {
		c.meter.chunk(t.X, c.y, took)
		c.s.metrics.chunk.Observe(took.Seconds())
		c.s.metrics.streamed.Add(backlog.Lasting(len(t.X), c.rate).Seconds())
		late := took > c.latency.Chunk
		if late {
			c.s.metrics.late.Inc()
		}
		c.s.capacity.note(time.Now(), late || t.Dropped > 0 || backlog.Lasting(t.Left, c.rate) > 3*c.latency.Chunk)
	}
	return nil
}

// process makes c.y of a piece. Where a stream of another model has begun, it comes while the sound of the old one goes.
func (c *converter) process(x []float32) {
	if keep := cap(c.past) / 2; len(x) <= keep {
		if len(c.past)+len(x) > cap(c.past) {
			c.past = c.past[:copy(c.past, c.past[len(c.past)-keep:])]
		}
		c.past = append(c.past, x...)
	}
	c.y = c.stream.Process(c.y[:0], x)
	if c.old == nil || len(c.y) == 0 {
		return
	}
	c.faded = c.old.Process(c.faded[:0], x)
	n := min(len(c.y), backlog.Samples(engineFade, c.rate))
	for i := range n {
		part := float32(i+1) / float32(n+1)
		c.y[i] *= part
		if i < len(c.faded) {
			c.y[i] += (1 - part) * c.faded[i]
		}
	}
	c.old = nil
}

// watchDelay sees how much sound has piled up, with so many samples waiting, and orders what is too much to be dropped.
func (c *converter) watchDelay(left int) {
	now := time.Now()
	waits := backlog.Lasting(left, c.rate)
	age, _ := c.playout.Look(now, waits, 0)
	_, gap := c.queue.State(now)
	if c.cut == 0 {
		c.cut = backlog.Samples(c.playout.Surplus(now, age, gap), c.rate)
	}
	c.meter.waits(waits, age-waits)
	c.playout.Played(now, len(c.y))
}

// flushed tells that all of the sound was sent.
func (c *converter) flushed(ctx context.Context) error {
	c.queue.Clear()
	c.begin()
	received, sent := c.counts()
	if err := c.sendJSON(ctx, flushedMessage{Type: "flushed", Received: received, Sent: sent, Dropped: c.meter.droppedInAll}); err != nil {
		return err
	}
	c.session.flushed <- struct{}{} // has room
	return nil
}
