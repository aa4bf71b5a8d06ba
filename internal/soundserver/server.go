// Package soundserver records, plays and makes virtual microphones through a sound server that speaks the protocol of PulseAudio:
// PulseAudio itself, or PipeWire with its pulse server. It is pure Go over a socket; sound is one channel of float32.
//
// What counts here is delay. A Recorder asks for small fragments. A Player is a timeline that never stops: a sample written is
// heard at a fixed time after the one before it, and what comes too late is lost rather than heard later, so that the delay is the
// caller's to choose, by Ahead and Silence, and never grows by itself. Both say what the server grants them.
package soundserver

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jfreymuth/pulse/proto"
)

// requestTimeout is long, since a server on a busy machine takes its time to load a module.
const requestTimeout = 5 * time.Second

// ErrNoServer says that nothing answers where a sound server is expected.
var ErrNoServer = errors.New("no sound server answers")

// ErrClosed says that the server has closed the connection.
var ErrClosed = errors.New("the sound server has closed the connection")

// Server is a connection to a sound server. Its methods may be used by several goroutines.
type Server struct {
	conn   net.Conn
	client *proto.Client
	id     string // of this connection, unlike that of any other
	closed chan struct{}

	mu        sync.Mutex
	recorders map[uint32]*Recorder
	players   map[uint32]*Player
}

// idProperty marks the connection of a program that owns virtual microphones, and the modules which these are made of.
const idProperty = "vc.owner"

// Dial connects to the server that the environment names in PULSE_SERVER, or the user's own. name is what mixers show.
func Dial(name string, getenv func(string) string) (*Server, error) {
	addresses := serverAddresses(getenv)
	var failed error
	for _, a := range addresses {
		s, err := dial(a, name, getenv)
		if err == nil {
			return s, nil
		}
		failed = errors.Join(failed, fmt.Errorf("%s: %w", a.path, err))
	}
	return nil, fmt.Errorf("%w: %w", ErrNoServer, failed)
}

type address struct{ network, path string }

// serverAddresses are where a server may listen, as libpulse finds it, but for servers that X11 names.
func serverAddresses(getenv func(string) string) []address {
	var found []address
	for _, word := range strings.Fields(getenv("PULSE_SERVER")) {
		if strings.HasPrefix(word, "{") { // {machine}address
			_, word, _ = strings.Cut(word, "}")
		}
		network, path, ok := strings.Cut(word, ":")
		switch {
		case strings.HasPrefix(word, "/"):
			found = append(found, address{"unix", word})
		case ok && network == "unix":
			found = append(found, address{"unix", path})
		case ok && (network == "tcp" || network == "tcp4" || network == "tcp6"):
			found = append(found, address{network, withPort(path)})
		case word != "":
			found = append(found, address{"tcp", withPort(word)})
		}
	}
	if len(found) > 0 {
		return found
	}
	if dir := getenv("PULSE_RUNTIME_PATH"); dir != "" {
		found = append(found, address{"unix", filepath.Join(dir, "native")})
	}
	dir := getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = fmt.Sprintf("/run/user/%d", os.Getuid())
	}
	return append(found, address{"unix", filepath.Join(dir, "pulse", "native")})
}

func withPort(host string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), "4713")
}

func dial(a address, name string, getenv func(string) string) (*Server, error) {
	conn, err := net.DialTimeout(a.network, a.path, requestTimeout)
	if err != nil {
		var cause *net.OpError
		if errors.As(err, &cause) {
			err = cause.Err
		}
		return nil, err
	}
	s := &Server{
		conn: conn, client: &proto.Client{}, closed: make(chan struct{}),
		id:        strconv.Itoa(os.Getpid()) + "-" + strconv.FormatInt(time.Now().UnixNano(), 36),
		recorders: map[uint32]*Recorder{}, players: map[uint32]*Player{},
	}
	s.client.Callback = s.receive
	s.client.SetTimeout(requestTimeout)
	s.client.Open(&watchedConn{Conn: conn, lost: sync.OnceFunc(s.lose)})
	cookie, err := readCookie(getenv)
	if err != nil {
		conn.Close()
		return nil, err
	}
	var auth proto.AuthReply
	if err := s.client.Request(&proto.Auth{Version: s.client.Version(), Cookie: cookie}, &auth); err != nil {
		conn.Close()
		return nil, fmt.Errorf("the server does not let us in: %w", err)
	}
	s.client.SetVersion(auth.Version)
	props := proto.PropList{
		"application.name":           proto.PropListString(name),
		"application.icon_name":      proto.PropListString("audio-input-microphone"),
		"application.process.id":     proto.PropListString(strconv.Itoa(os.Getpid())),
		"application.process.binary": proto.PropListString(filepath.Base(os.Args[0])),
		idProperty:                   proto.PropListString(s.id),
	}
	if err := s.client.Request(&proto.SetClientName{Props: props}, &proto.SetClientNameReply{}); err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

const cookieBytes = 256

// readCookie reads what proves to a server that it is the same user's. A server on a socket of the user's own asks for none.
func readCookie(getenv func(string) string) ([]byte, error) {
	paths := []string{filepath.Join(getenv("HOME"), ".config", "pulse", "cookie"), filepath.Join(getenv("HOME"), ".pulse-cookie")}
	if dir := getenv("XDG_CONFIG_HOME"); dir != "" {
		paths = append([]string{filepath.Join(dir, "pulse", "cookie")}, paths...)
	}
	if path := getenv("PULSE_COOKIE"); path != "" {
		paths = []string{path}
	}
	for _, path := range paths {
		cookie, err := os.ReadFile(path)
		if err == nil && len(cookie) == cookieBytes {
			return cookie, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return nil, fmt.Errorf("cookie: %w", err)
		}
	}
	return make([]byte, cookieBytes), nil
}

// watchedConn notices that the connection has ended, which package proto says only at times.
type watchedConn struct {
	net.Conn
	lost func()
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.lost()
	}
	return n, err
}

func (s *Server) lose() {
	close(s.closed)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.recorders {
		r.end(ErrClosed)
	}
	for _, p := range s.players {
		p.end(ErrClosed)
	}
}

// Close ends the connection, and with it recorders and players. Virtual microphones stay until they are closed themselves, or
// until RemoveStale.
func (s *Server) Close() error {
	err := s.conn.Close()
	<-s.closed
	return err
}

// Name says what the server is, such as "pulseaudio 16.1".
func (s *Server) Name() (string, error) {
	var info proto.GetServerInfoReply
	if err := s.request(&proto.GetServerInfo{}, &info); err != nil {
		return "", err
	}
	return info.PackageName + " " + info.PackageVersion, nil
}

func (s *Server) request(r proto.RequestArgs, reply proto.Reply) error {
	err := s.client.Request(r, reply)
	select {
	case <-s.closed:
		if err != nil {
			return ErrClosed
		}
	default:
	}
	return err
}

// receive is called for all that the server sends of itself.
func (s *Server) receive(message any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch m := message.(type) {
	case *proto.DataPacket:
		if r := s.recorders[m.StreamIndex]; r != nil {
			r.receive(m.Data)
		}
	case *proto.RecordStreamKilled:
		if r := s.recorders[m.StreamIndex]; r != nil {
			r.end(errors.New("the recording device has gone"))
		}
	case *proto.PlaybackStreamKilled:
		if p := s.players[m.StreamIndex]; p != nil {
			p.end(errors.New("the playing device has gone"))
		}
	case *proto.Underflow:
		if p := s.players[m.StreamIndex]; p != nil {
			p.underruns.Add(1)
		}
	}
}
