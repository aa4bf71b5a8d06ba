package server

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/coder/websocket"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/internal/livesound"
	"golang.org/x/time/rate"
)

const (
	textsPerSec, textsAtOnce   = 50, 200
	framesPerSec, framesAtOnce = 2000, 4000
	ahead                      = 3 * time.Second // by so much sound may come faster than it is spoken

	minMaxDelay, maxMaxDelay, usualMaxDelay = 20, 5000, 200 // ms
	minStreamRate, maxStreamRate            = 8000, 192000  // Hz
)

// open reads the first message, which says what the stream is to be.
func (ss *session) open(ctx context.Context, c *converter) error {
	ss.conn.SetReadLimit(longestText)
	watch := time.AfterFunc(startPatience, func() {
		ss.end(closeWith(websocket.StatusPolicyViolation, "nothing came for %v after the connection was made", startPatience))
	})
	defer watch.Stop()
	ended := context.AfterFunc(ctx, func() {
		c := ss.asClosing(context.Cause(ctx))
		ss.conn.Close(c.code, c.reason)
	})
	defer ended()
	kind, text, err := ss.conn.Read(context.Background()) // ends with the connection
	if err != nil {
		return err
	}
	m := &ss.start
	switch {
	case kind != websocket.MessageText:
		return closeWith(websocket.StatusProtocolError, "the first message is sound: say {\"type\":\"start\", ...} first")
	case json.Unmarshal(text, m) != nil:
		return closeWith(websocket.StatusInvalidFramePayloadData, "the first message is not the JSON that is wanted: see docs/api.md")
	case m.Type != "start":
		return closeWith(websocket.StatusProtocolError, "the first message is of the type %q, want start", oneLine(m.Type, 20))
	case m.Format != "f32le" && m.Format != "s16le":
		return closeWith(closeBadStart, "format is %q, want f32le or s16le", oneLine(m.Format, 20))
	case m.SampleRate < minStreamRate || m.SampleRate > maxStreamRate:
		return closeWith(closeBadStart, "sample_rate is %d, want %d to %d", m.SampleRate, minStreamRate, maxStreamRate)
	}
	if m.MaxDelay == 0 {
		m.MaxDelay = usualMaxDelay
	}
	if !(m.MaxDelay >= minMaxDelay && m.MaxDelay <= maxMaxDelay) {
		return closeWith(closeBadStart, "max_delay_ms is %g, want %d to %d", m.MaxDelay, minMaxDelay, maxMaxDelay)
	}
	ok := false
	if ss.latency, ok = livesound.Find(cmp.Or(m.Latency, livesound.Normal)); !ok {
		return closeWith(closeBadStart, "latency is %q, want low, normal or high", oneLine(m.Latency, 20))
	}
	ss.rate, ss.format = m.SampleRate, audio.F32LE
	if m.Format == "s16le" {
		ss.format = audio.S16LE
	}
	var p *problem
	if c.set, p = (liveSettings{settings: usualSettings(), Wet: 1}).with(m.Settings); p != nil {
		return closeWith(closeBadStart, "%s", p.Error())
	}
	if c.voice, p = ss.s.voices.choose(m.Voice, m.Mix); p != nil {
		if p.code == 404 {
			return closeWith(closeNoVoice, "%s", p.Error())
		}
		return closeWith(closeBadStart, "%s", p.Error())
	}
	ss.conn.SetReadLimit(int64(max(longestText, ss.rate*ss.format.BytesPerSample())))
	return nil
}

// read takes the client's messages until the stream ends. The error says why it should.
func (ss *session) read(ctx context.Context) error {
	idle := ss.s.c.Limits.IdleStream
	watch := time.AfterFunc(idle, func() {
		ss.end(closeWith(websocket.StatusPolicyViolation, "nothing came for %v: send silence, or a ping now and then", idle))
	})
	defer watch.Stop()
	texts := rate.NewLimiter(textsPerSec, textsAtOnce)
	frames := rate.NewLimiter(framesPerSec, framesAtOnce)
	began := time.Now()
	var x []float32
	muted := false
	for {
		asked := time.Now()
		// Not ctx: where that ends, the client is still told why, which is not possible on a connection whose reading was broken off.
		kind, b, err := ss.conn.Read(context.Background())
		if err != nil {
			return err
		}
		now := time.Now()
		watch.Reset(idle)
		if kind == websocket.MessageBinary {
			ok := false
			if x, ok = samplesOf(x[:0], b, ss.format); !ok {
				return closeWith(websocket.StatusInvalidFramePayloadData, "%d bytes are no whole samples of %s, or not all are numbers", len(b), ss.start.Format)
			}
			ss.mu.Lock()
			ss.received += int64(len(x))
			heard := time.Duration(float64(ss.received) / float64(ss.rate) * float64(time.Second))
			ss.mu.Unlock()
			if !frames.Allow() {
				return closeWith(websocket.StatusPolicyViolation, "more than %d frames a second", framesPerSec)
			}
			if heard > now.Sub(began)+now.Sub(began)/100+ahead || !ss.queue.HasRoom(len(x)) {
				return closeWith(websocket.StatusPolicyViolation, "sound comes faster than it is spoken: for recordings there is POST /v1/speech-to-speech")
			}
			if muted {
				clear(x)
			}
			ss.queue.Put(now, now.Sub(asked), x, nil)
			continue
		}
		if !texts.Allow() {
			return closeWith(websocket.StatusPolicyViolation, "more than %d messages a second", textsPerSec)
		}
		if len(b) > longestText {
			return closeWith(websocket.StatusMessageTooBig, "a text message has more than %d bytes", longestText)
		}
		var m struct {
			Type string          `json:"type"`
			ID   json.RawMessage `json:"id"`
			On   bool            `json:"on"`
			setMessage
		}
		if err := json.Unmarshal(b, &m); err != nil {
			return closeWith(websocket.StatusInvalidFramePayloadData, "a text message is not the JSON that is wanted: see docs/api.md")
		}
		switch m.Type {
		case "ping":
			received, sent := ss.counts()
			err = ss.sendJSON(ctx, pongMessage{Type: "pong", ID: m.ID, Received: received, Sent: sent})
		case "set":
			err = give(ctx, ss.wishes, m.setMessage)
		case "mute":
			muted = m.On
		case "reset":
			err = give(ctx, ss.orders, order{reset: true})
		case "flush", "stop":
			if err = ss.flush(ctx); err == nil && m.Type == "stop" {
				return closeWith(websocket.StatusNormalClosure, "the stream was ended as asked")
			}
		case "start":
			return closeWith(websocket.StatusProtocolError, "start came twice: change a stream with set")
		default:
			return closeWith(websocket.StatusProtocolError, "a message is of the type %q, which is not known", oneLine(m.Type, 20))
		}
		if err != nil {
			return err
		}
	}
}

// flush has all that waits converted, and waits until it was sent.
func (ss *session) flush(ctx context.Context) error {
	ss.queue.Put(time.Now(), 0, nil, io.EOF)
	select {
	case <-ss.flushed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func give[T any](ctx context.Context, to chan<- T, v T) error {
	select {
	case to <- v:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// findVoices finds the voices that are asked for, beside the sound, which goes on in the old voice until then.
func (ss *session) findVoices(ctx context.Context, v *voice, set liveSettings) {
	for {
		var m setMessage
		select {
		case m = <-ss.wishes:
		case <-ctx.Done():
			return
		}
		next, p := set.with(m.Settings)
		to := v
		if p == nil && (m.Voice != "" || len(m.Mix) > 0) {
			to, p = ss.s.voices.choose(m.Voice, m.Mix)
		}
		o := order{voice: to, set: next, answer: setAnswer{Type: "set", Seq: m.Seq, Settings: next}}
		if p == nil {
			o.answer.Voice = to.id
			if err := o.make(v, ss); err != nil {
				ss.s.log.Error("stream", "stream", ss.id, "why", err)
				p = asProblem(err)
			}
		}
		if p != nil {
			if err := ss.sendJSON(ctx, errorMessage{Type: "error", Seq: m.Seq, Status: p.status(), Message: p.Error()}); err != nil {
				return
			}
			continue
		}
		v, set = to, next
		if give(ctx, ss.orders, o) != nil {
			return
		}
	}
}
