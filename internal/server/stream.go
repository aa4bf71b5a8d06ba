package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/danielgtaylor/huma/v2"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/internal/backlog"
	"github.com/starvc/vc/internal/livesound"
)

// Close codes of ours.
const (
	closeBadStart = websocket.StatusCode(4400)
	closeNoVoice  = websocket.StatusCode(4404)
)

const (
	startPatience = 10 * time.Second // for the first message
	readPatience  = 5 * time.Second  // with a client that does not read
	longestFrame  = time.Second
	longestText   = 16 << 10
)

// streams counts the live streams under way.
type streams struct {
	mu   sync.Mutex
	open int
	none chan struct{} // closed while there is none
}

func newStreams() *streams {
	s := &streams{none: make(chan struct{})}
	close(s.none)
	return s
}

func (s *streams) add(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == 0 {
		s.none = make(chan struct{})
	}
	if s.open += n; s.open == 0 {
		close(s.none)
	}
}

// wait waits until all have ended, or ctx has.
func (s *streams) wait(ctx context.Context) {
	s.mu.Lock()
	none := s.none
	s.mu.Unlock()
	select {
	case <-none:
	case <-ctx.Done():
	}
}

func (s *Server) streamRoute() {
	op := huma.Operation{OperationID: "stream", Method: "GET", Path: "/v1/stream", Summary: "Convert live sound, over a WebSocket", Tags: []string{"stream"},
		Description: "The messages are described in docs/api.md: JSON in text frames, mono samples in binary ones.",
		Responses:   map[string]*huma.Response{"101": {Description: "Switching Protocols"}}}
	huma.Register(s.api, op, func(ctx context.Context, in *struct{ Raw }) (*huma.StreamResponse, error) {
		if s.stopping.Err() != nil {
			return nil, stopping()
		}
		if !s.capacity.hasRoomForStream() {
			return nil, busy("another live stream", 10*time.Second)
		}
		leave, p := s.rates.startStream(clientOf(in.r))
		if p != nil {
			return nil, p
		}
		return &huma.StreamResponse{Body: func(huma.Context) {
			defer leave()
			s.streams.add(1)
			defer s.streams.add(-1)
			s.serveStream(in.w, in.r)
		}}, nil
	})
}

// closing is how a stream ends.
type closing struct {
	code   websocket.StatusCode
	reason string
}

func (c *closing) Error() string { return c.reason }

func closeWith(code websocket.StatusCode, format string, a ...any) *closing {
	reason := fmt.Sprintf(format, a...)
	const longest = 120 // bytes, of 123 that a close frame holds
	if len(reason) > longest {
		reason = oneLine(reason[:longest-4], longest) + "…"
	}
	return &closing{code, reason}
}

// session is one live stream. One goroutine reads messages, one finds the voices that are asked for, and the one that began it
// converts.
type session struct {
	s    *Server
	id   string
	conn *websocket.Conn
	end  context.CancelCauseFunc // of all of it, with a *closing

	start   startMessage
	latency livesound.Latency
	format  audio.Format
	rate    int // Hz

	queue   *backlog.Queue
	wishes  chan setMessage
	orders  chan order
	flushed chan struct{} // has one when a flush is done

	mu       sync.Mutex // for what follows
	received int64      // samples
	sent     int64
}

// counts are the samples that came and went.
func (ss *session) counts() (received, sent int64) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.received, ss.sent
}

// serveStream speaks with one client until either wants no more.
func (s *Server) serveStream(w http.ResponseWriter, r *http.Request) {
	// The guard has looked at the origin, and compression costs delay and gains nothing.
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		s.log.Debug("no WebSocket", "why", err)
		return
	}
	ctx, end := context.WithCancelCause(s.work)
	ss := &session{
		s: s, id: newID(""), conn: conn, end: end,
		wishes: make(chan setMessage, 64), orders: make(chan order, 1), flushed: make(chan struct{}, 1),
	}
	var helpers sync.WaitGroup
	helpers.Go(func() {
		select {
		case <-s.stopping.Done():
			end(closeWith(websocket.StatusGoingAway, "the server is stopping"))
		case <-ctx.Done():
		}
	})
	err = ss.run(ctx, &helpers)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	c := ss.asClosing(err)
	end(c)
	received, _ := ss.counts()
	s.log.Info("stream ended", "stream", ss.id, "client", clientOf(r), "code", int(c.code), "reason", c.reason,
		"seconds", float64(received)/float64(max(1, ss.rate)))
	conn.Close(c.code, c.reason)
	conn.CloseNow()
	helpers.Wait()
}

func (ss *session) asClosing(err error) *closing {
	var c *closing
	switch {
	case errors.As(err, &c):
		return c
	case ss.s.stopping.Err() != nil:
		return closeWith(websocket.StatusGoingAway, "the server is stopping")
	case websocket.CloseStatus(err) != -1:
		return closeWith(websocket.StatusNormalClosure, "the client closed the stream")
	case errors.Is(err, websocket.ErrMessageTooBig):
		return closeWith(websocket.StatusMessageTooBig, "a message is longer than one second of sound")
	case errors.Is(err, context.DeadlineExceeded):
		return closeWith(websocket.StatusPolicyViolation, "the client read nothing for %v", readPatience)
	}
	ss.s.log.Debug("stream", "stream", ss.id, "why", err)
	return closeWith(websocket.StatusInternalError, "the connection failed")
}

func (ss *session) run(ctx context.Context, helpers *sync.WaitGroup) error {
	first := &converter{session: ss}
	if err := ss.open(ctx, first); err != nil {
		return err
	}
	leave, p := ss.s.capacity.startStream()
	if p != nil {
		return closeWith(websocket.StatusTryAgainLater, "%s", p.Error())
	}
	defer leave()
	if err := first.prepare(); err != nil {
		ss.s.log.Error("stream", "stream", ss.id, "why", err)
		return closeWith(websocket.StatusInternalError, "the stream could not be made")
	}
	if err := ss.sendJSON(ctx, first.ready()); err != nil {
		return err
	}
	voice, set := first.voice, first.set
	helpers.Go(func() { ss.end(ss.read(ctx)) })
	helpers.Go(func() { ss.findVoices(ctx, voice, set) })
	return first.run(ctx)
}
