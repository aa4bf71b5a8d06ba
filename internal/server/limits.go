package server

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// rates bounds the requests of each client.
type rates struct {
	mu      sync.Mutex
	limits  Limits
	clients map[string]*client
	swept   time.Time
}

type client struct {
	limiter *rate.Limiter
	streams int // live
	seen    time.Time
}

const (
	maxClients  = 10000
	clientLasts = 5 * time.Minute
)

func newRates(l Limits) *rates {
	return &rates{limits: l, clients: map[string]*client{}, swept: time.Now()}
}

// clientOf is who asks, as far as can be known. All of an IPv6 network of 64 bits is one: anybody has so many.
func clientOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		return ip.Mask(net.CIDRMask(64, 128)).String()
	}
	return host
}

func (s *rates) client(name string, now time.Time) *client {
	c := s.clients[name]
	if c != nil {
		c.seen = now
		return c
	}
	if now.Sub(s.swept) > clientLasts || len(s.clients) >= maxClients {
		s.swept = now
		for n, c := range s.clients {
			if c.streams == 0 && (now.Sub(c.seen) > clientLasts || len(s.clients) >= maxClients) {
				delete(s.clients, n)
			}
		}
	}
	c = &client{limiter: rate.NewLimiter(rate.Limit(s.limits.RequestsPerSec), s.limits.Burst), seen: now}
	s.clients[name] = c
	return c
}

// take is how long the client should wait, 0 where the request may be answered.
func (s *rates) take(name string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	reservation := s.client(name, now).limiter.ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait > 0 {
		reservation.CancelAt(now)
	}
	return wait
}

// startStream counts a live stream of a client, until end is called.
func (s *rates) startStream(name string) (end func(), p *problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.client(name, time.Now())
	if c.streams >= s.limits.StreamsPerHost {
		return nil, later(http.StatusTooManyRequests, "too_many_requests", 10*time.Second, "%d live streams from one address are the most", c.streams)
	}
	c.streams++
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		c.streams--
		c.seen = time.Now()
	}), nil
}

// rated refuses clients that ask too often.
func (s *Server) rated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if wait := s.rates.take(clientOf(r)); wait > 0 {
			later(http.StatusTooManyRequests, "too_many_requests", wait, "too many requests from one address: %g a second are the most",
				s.c.Limits.RequestsPerSec).write(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// bounded keeps bodies from being too long or too slow, and answers from waiting for a client that does not read.
func (s *Server) bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		most := s.c.Limits.UploadBytes
		if r.ContentLength > most {
			// What is on its way is not read.
			w.Header().Set("Connection", "close")
			asProblem(&http.MaxBytesError{Limit: most}).write(w)
			return
		}
		control := http.NewResponseController(w)
		body := &slowBody{ReadCloser: http.MaxBytesReader(w, r.Body, most), control: control, limits: s.c.Limits, began: time.Now()}
		r.Body = body
		next.ServeHTTP(&patientWriter{ResponseWriter: w, control: control}, r)
	})
}

// errTooSlow is an answer to a body that comes too slowly.
func errTooSlow() *problem {
	return fail(http.StatusRequestTimeout, "too_slow", "the request comes too slowly, so it was given up: send it again over a faster connection")
}

// slowBody is the body of a request, which must come in time.
type slowBody struct {
	io.ReadCloser
	control *http.ResponseController
	limits  Limits
	began   time.Time
	read    int64
}

func (b *slowBody) Read(p []byte) (int, error) {
	spent := time.Since(b.began)
	if spent > b.limits.SlowBody && float64(b.read) < float64(b.limits.BodyRate)*(spent-b.limits.SlowBody).Seconds() {
		return 0, errTooSlow()
	}
	// Where the connection knows no deadlines, as in tests without a network, there is nothing to be slow.
	b.control.SetReadDeadline(time.Now().Add(b.limits.SlowBody))
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errTooSlow()
	}
	if err == io.EOF {
		b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// writePatience is how long a client may read nothing of an answer.
const writePatience = 30 * time.Second

// patientWriter gives up on clients that do not read.
type patientWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *patientWriter) Write(p []byte) (int, error) {
	w.control.SetWriteDeadline(time.Now().Add(writePatience))
	return w.ResponseWriter.Write(p)
}

// boundedListener keeps connections below a number: those beyond are closed at once, so that they neither wait nor take memory.
type boundedListener struct {
	net.Listener
	mu   sync.Mutex
	open int
	most int
}

func newBoundedListener(l net.Listener, most int) *boundedListener {
	return &boundedListener{Listener: l, most: most}
}

func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		full := l.open >= l.most
		if !full {
			l.open++
		}
		l.mu.Unlock()
		if full {
			c.Close()
			continue
		}
		return &boundedConn{Conn: c, l: l}, nil
	}
}

type boundedConn struct {
	net.Conn
	l    *boundedListener
	once sync.Once
}

func (c *boundedConn) Close() error {
	c.once.Do(func() {
		c.l.mu.Lock()
		c.l.open--
		c.l.mu.Unlock()
	})
	return c.Conn.Close()
}
