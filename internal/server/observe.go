package server

import (
	"crypto/rand"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what /metrics tells.
type metrics struct {
	registry    *prometheus.Registry
	requests    *prometheus.CounterVec
	seconds     *prometheus.HistogramVec
	conversions *prometheus.CounterVec
	converted   prometheus.Counter
	converting  prometheus.Counter
	streamed    prometheus.Counter
	dropped     prometheus.Counter
	late        prometheus.Counter
	refused     *prometheus.CounterVec
	chunk       prometheus.Histogram
	queue       prometheus.Histogram
}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vc_http_requests_total", Help: "Requests by route, method and code."},
			[]string{"route", "method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "vc_http_request_seconds", Help: "Time to answer.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 10)}, []string{"route"}),
		conversions: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vc_conversions_total", Help: "Conversions by how they ended."},
			[]string{"result"}),
		converted:  prometheus.NewCounter(prometheus.CounterOpts{Name: "vc_converted_seconds_total", Help: "Seconds of sound that were converted."}),
		converting: prometheus.NewCounter(prometheus.CounterOpts{Name: "vc_converting_seconds_total", Help: "Seconds that converting it took."}),
		streamed:   prometheus.NewCounter(prometheus.CounterOpts{Name: "vc_stream_seconds_total", Help: "Seconds of live sound that were converted."}),
		dropped:    prometheus.NewCounter(prometheus.CounterOpts{Name: "vc_stream_dropped_seconds_total", Help: "Seconds of live sound that were dropped."}),
		late:       prometheus.NewCounter(prometheus.CounterOpts{Name: "vc_stream_late_chunks_total", Help: "Chunks that took longer than they last."}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vc_refused_total", Help: "Requests that were refused, by code."},
			[]string{"code"}),
		chunk: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "vc_stream_chunk_seconds", Help: "Time to convert one chunk of live sound.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 10)}),
		queue: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "vc_stream_queue_seconds", Help: "Age of the oldest live sound that waits, each second's most.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 10)}),
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	locked := func(value func(c *capacity) float64) func() float64 {
		return func() float64 {
			s.capacity.mu.Lock()
			defer s.capacity.mu.Unlock()
			return value(s.capacity)
		}
	}
	m.registry.MustRegister(m.requests, m.seconds, m.conversions, m.converted, m.converting, m.streamed, m.dropped, m.late, m.refused, m.chunk, m.queue,
		gauge("vc_streams", "Live streams under way.", locked(func(c *capacity) float64 { return float64(c.streams) })),
		gauge("vc_streams_most", "Live streams that there is room for.", locked(func(c *capacity) float64 { return float64(c.most.streams) })),
		gauge("vc_conversions", "Conversions under way.", locked(func(c *capacity) float64 { return float64(c.conversions) })),
		gauge("vc_conversions_waiting", "Requests that wait for a core.", locked(func(c *capacity) float64 { return float64(c.waiting) })),
		gauge("vc_cores_used", "Processor cores that are given to work.", locked(func(c *capacity) float64 { return c.used })),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// logged writes a line for each request, and counts it. A panic in a handler becomes an answer.
func (s *Server) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		id := strings.ToLower(rand.Text()[:12])
		h := w.Header()
		h.Set("request-id", id) // as ElevenLabs names it
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		seen := &seenWriter{ResponseWriter: w}
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler {
					panic(v)
				}
				s.log.Error("panic", "id", id, "path", r.URL.Path, "what", v)
				if seen.code == 0 {
					asProblem(nil).write(seen)
				}
			}
			// The deadline of an earlier answer on this connection must not end this one.
			http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writePatience))
			took := time.Since(start)
			route := r.Pattern
			if _, path, ok := strings.Cut(route, " "); ok {
				route = path
			}
			if route == "" || route == "/" {
				route = "other"
			}
			code := seen.code
			if code == 0 && r.Context().Err() != nil {
				code = 499 // as nginx calls it
			}
			s.metrics.requests.WithLabelValues(route, method(r.Method), strconv.Itoa(code)).Inc()
			s.metrics.seconds.WithLabelValues(route).Observe(took.Seconds())
			if code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable || code == http.StatusForbidden || code == http.StatusUnauthorized {
				s.metrics.refused.WithLabelValues(strconv.Itoa(code)).Inc()
			}
			s.log.Info("request", "id", id, "client", clientOf(r), "method", r.Method, "path", r.URL.Path, "code", code,
				"bytes", seen.bytes, "ms", float64(took.Microseconds())/1000)
		}()
		next.ServeHTTP(seen, r)
	})
}

// method keeps what clients invent out of the metrics.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

type seenWriter struct {
	http.ResponseWriter
	code  int
	bytes int64
}

func (w *seenWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *seenWriter) WriteHeader(code int) {
	if w.code == 0 {
		w.code = code
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *seenWriter) Write(p []byte) (int, error) {
	if w.code == 0 {
		w.code = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
