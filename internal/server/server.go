package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Server serves one model. Close ends it.
type Server struct {
	c        Config
	log      *slog.Logger
	api      huma.API
	handler  http.Handler
	metrics  *metrics
	rates    *rates
	capacity *capacity
	streams  *streams
	delays   []stateLatency

	voices    *library
	jobs      *jobs    // nil without the studio
	trainings *trains  // nil without the studio
	data      string   // the data folder, whole
	temp      string   // folder of this session's sound
	root      *os.Root // the data folder, out of which no name leads

	stopping context.Context // ends when the server is asked to stop
	stop     context.CancelFunc
	work     context.Context // ends when patience with what is under way has ended
	quit     context.CancelFunc
	// abandoned is closed when the server waits no longer for trainings, which go on by themselves.
	abandoned chan struct{}
	closed    sync.Once
	begun     sync.WaitGroup // goroutines that the server waits for
}

// New makes a server, which measures this computer for a moment. The folder for its data is made where it is missing.
func New(c Config) (*Server, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s := &Server{c: c, log: c.logger(), abandoned: make(chan struct{})}
	var err error
	if s.data, err = filepath.Abs(c.Data); err == nil {
		err = os.MkdirAll(s.data, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("folder for the server's data: %w", err)
	}
	if s.root, err = os.OpenRoot(s.data); err != nil {
		return nil, fmt.Errorf("folder for the server's data: %w", err)
	}
	if s.temp, err = sessionFolder(s.data); err != nil {
		return nil, errors.Join(err, s.root.Close())
	}
	cost, err := measureStream(c.Model, c.Model.SpeakerVoice(0))
	if err != nil {
		return nil, errors.Join(err, s.root.Close(), os.RemoveAll(s.temp))
	}
	if s.delays, err = measureDelays(c.Model); err != nil {
		return nil, errors.Join(err, s.root.Close(), os.RemoveAll(s.temp))
	}
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.work, s.quit = context.WithCancel(context.Background())
	s.capacity = newCapacity(c.Limits, cost)
	s.log.Info("measured this computer", "stream_cores", cost, "streams", s.capacity.most.streams, "conversions", s.capacity.most.conversions)
	s.metrics = newMetrics(s)
	s.rates = newRates(c.Limits)
	s.streams = newStreams()
	if s.voices, err = openLibrary(s); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if c.Studio {
		s.jobs = newJobs(s)
		if s.trainings, err = openTrainings(s); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	s.routes()
	return s, nil
}

func (s *Server) studio() bool { return s.c.Studio }

// sessionFolder makes a folder for sound of this session, and removes those that servers left that were killed.
func sessionFolder(data string) (string, error) {
	dir := filepath.Join(data, "session")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("folder for the server's data: %w", err)
	}
	old, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("folder for the server's data: %w", err)
	}
	const forgotten = 48 * time.Hour
	for _, e := range old {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > forgotten {
			os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
	return os.MkdirTemp(dir, "")
}

func (s *Server) routes() {
	mux := http.NewServeMux()
	config := huma.DefaultConfig("vc", s.c.Version)
	config.Info.Description = "Changes voices: recordings, and sound that is still arriving. The live stream, a WebSocket, is described in docs/api.md."
	// No documentation that loads scripts from elsewhere, and no address of a schema in every answer.
	config.DocsPath, config.SchemasPath, config.CreateHooks = "", "", nil
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"key": {Type: "apiKey", In: "header", Name: "xi-api-key"}, "bearer": {Type: "http", Scheme: "bearer"},
	}
	if s.c.Token != "" {
		config.Security = []map[string][]string{{"key": {}}, {"bearer": {}}}
	}
	s.api = humago.New(mux, config)
	s.serviceRoutes(mux)
	s.speechRoutes()
	s.streamRoute()
	if s.c.Studio {
		s.voiceRoutes()
		s.jobRoutes()
		s.trainingRoutes()
		s.pageRoutes(mux)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(http.StatusNotFound, "not_found", "there is nothing at %s: /openapi.json lists what there is", r.URL.Path).write(w)
	})
	var h http.Handler = mux
	h = s.bounded(h)
	h = s.guard(h)
	h = s.rated(h)
	h = s.logged(h)
	s.handler = h
}

// Handler answers requests. Its connections need the timeouts that Serve sets.
func (s *Server) Handler() http.Handler { return s.handler }

const (
	headerPatience = 10 * time.Second
	idlePatience   = 2 * time.Minute
	maxHeader      = 32 << 10
	maxConnections = 2000
	// stopPatience is for what is under way when the server is asked to stop.
	stopPatience = 10 * time.Second
)

// Serve answers connections of l until ctx ends, and then tells those that are under way: live streams are closed, conversions
// may end within some seconds, trainings save. certificate is nil for connections that are not encrypted. l is closed.
func (s *Server) Serve(ctx context.Context, l net.Listener, certificate *tls.Certificate) error {
	h := &http.Server{
		Handler: s.handler, ReadHeaderTimeout: headerPatience, IdleTimeout: idlePatience, MaxHeaderBytes: maxHeader,
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // broken handshakes and the like
		BaseContext: func(net.Listener) context.Context { return s.work },
	}
	l = newBoundedListener(l, maxConnections)
	if certificate != nil {
		h.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*certificate}}
	}
	failed := make(chan error, 1)
	go func() {
		if certificate != nil {
			failed <- h.ServeTLS(l, "", "")
		} else {
			failed <- h.Serve(l)
		}
	}()
	select {
	case err := <-failed:
		return errors.Join(err, s.Close())
	case <-ctx.Done():
	}
	s.log.Info("stopping")
	s.stop()
	patience, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	err := h.Shutdown(patience)
	s.streams.wait(patience) // Shutdown knows nothing of WebSockets
	s.quit()
	if err != nil {
		err = h.Close()
	}
	<-failed
	return errors.Join(err, s.Close())
}

// Close ends all that is under way, trainings in order, and removes the sound of the session.
func (s *Server) Close() (err error) {
	s.closed.Do(func() {
		s.stop()
		s.quit()
		if s.trainings != nil {
			s.trainings.close()
		}
		close(s.abandoned)
		s.begun.Wait()
		err = errors.Join(os.RemoveAll(s.temp), s.root.Close())
	})
	return err
}
