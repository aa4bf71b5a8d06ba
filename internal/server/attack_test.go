package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// The attacks of docs/notes/server.md, tried against a server that listens.

func TestHostAndOrigin(t *testing.T) {
	s := start(t, func(c *Config) { c.HostNames = []string{"studio.example"} })
	port := s.url[strings.LastIndexByte(s.url, ':'):]
	for _, c := range []struct {
		name    string
		path    string
		headers []string
		code    int
		status  string
	}{
		{"numbers", "/v1/voices", nil, 200, ""},
		{"localhost", "/v1/voices", []string{"Host", "localhost" + port}, 200, ""},
		{"IPv6", "/v1/voices", []string{"Host", "[::1]" + port}, 200, ""},
		{"own name", "/v1/voices", []string{"Host", "studio.example"}, 200, ""},
		{"rebound name", "/v1/voices", []string{"Host", "evil.example" + port}, 403, "host_not_allowed"},
		{"rebound name like ours", "/v1/voices", []string{"Host", "localhost.evil.example" + port}, 403, "host_not_allowed"},
		{"address of another computer", "/v1/voices", []string{"Host", "192.0.2.1" + port}, 403, "host_not_allowed"},
		{"rebound page", "/studio/", []string{"Host", "evil.example" + port}, 403, "host_not_allowed"},
		{"rebound health", "/healthz", []string{"Host", "evil.example"}, 403, "host_not_allowed"},
		{"own page", "/v1/voices", []string{"Origin", s.url}, 200, ""},
		{"foreign page", "/v1/voices", []string{"Origin", "https://evil.example"}, 403, "origin_not_allowed"},
		{"null page", "/v1/voices", []string{"Origin", "null"}, 403, "origin_not_allowed"},
		{"page on another port", "/v1/voices", []string{"Origin", "http://127.0.0.1:1"}, 403, "origin_not_allowed"},
		{"page by TLS", "/v1/voices", []string{"Origin", strings.Replace(s.url, "http", "https", 1)}, 403, "origin_not_allowed"},
		{"foreign picture", "/studio/api/voices/spk0/sample", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "audio"}, 403, "origin_not_allowed"},
		{"foreign frame", "/studio/", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 403, "origin_not_allowed"},
		{"link from elsewhere", "/studio/", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 200, ""},
		{"link to the API", "/studio/api/voices", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 403, "origin_not_allowed"},
		{"foreign stream", "/v1/stream", []string{"Origin", "https://evil.example", "Connection", "Upgrade", "Upgrade", "websocket",
			"Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}, 403, "origin_not_allowed"},
	} {
		if a := s.get(c.path, c.headers...); a.code != c.code || a.status() != c.status {
			t.Errorf("%s: %d %q, want %d %q", c.name, a.code, a.status(), c.code, c.status)
		}
	}
	// A page may post without asking first; what it posts is not looked at.
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"} {
		r := s.request("POST", "/studio/api/trainings", strings.NewReader(`{"name":"x"}`), "Content-Type", kind, "Origin", "https://evil.example")
		if a := s.do(r); a.code != 403 {
			t.Errorf("foreign post of %s: %d", kind, a.code)
		}
	}
}

func TestToken(t *testing.T) {
	const token = "correct-horse-battery"
	s := start(t, func(c *Config) { c.Token, c.Loopback = token, false })
	for _, c := range []struct {
		name, path string
		headers    []string
		code       int
	}{
		{"none", "/v1/voices", nil, 401},
		{"wrong", "/v1/voices", []string{"xi-api-key", token + "x"}, 401},
		{"key", "/v1/voices", []string{"xi-api-key", token}, 200},
		{"bearer", "/v1/voices", []string{"Authorization", "Bearer " + token}, 200},
		{"cookie", "/v1/voices", []string{"Cookie", tokenCookie + "=" + token}, 200},
		{"in the address of the API", "/v1/voices?token=" + token, nil, 401},
		{"health", "/healthz", nil, 200},
		{"metrics", "/metrics", nil, 401},
		{"description", "/openapi.json", nil, 401},
		{"stream", "/v1/stream", nil, 401},
		{"page", "/studio/", nil, 401},
		{"page with a wrong one", "/studio/?token=x", nil, 401},
	} {
		a := s.get(c.path, c.headers...)
		if a.code != c.code {
			t.Errorf("%s: %d %s, want %d", c.name, a.code, a.body, c.code)
		}
		if strings.Contains(string(a.body), token) {
			t.Errorf("%s: the answer holds the token", c.name)
		}
	}
	once := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res := must(once.Get(s.url + "/studio/?token=" + token + "&view=live"))
	res.Body.Close()
	c := res.Cookies()
	if res.StatusCode != 303 || res.Header.Get("Location") != "/studio/?view=live" || len(c) != 1 || !c[0].HttpOnly || c[0].SameSite != http.SameSiteStrictMode {
		t.Errorf("entering: %d %v", res.StatusCode, res.Header)
	}
}

func TestTooManyRequests(t *testing.T) {
	s := start(t, func(c *Config) { c.Limits.RequestsPerSec, c.Limits.Burst = 0.5, 3 })
	for i := range 4 {
		a := s.get("/v1/voices")
		if want := 200; i == 3 {
			if a.code != 429 || a.status() != "too_many_requests" || a.header.Get("Retry-After") != "2" {
				t.Errorf("%d %s %v", a.code, a.body, a.header)
			}
		} else if a.code != want {
			t.Errorf("request %d: %d", i, a.code)
		}
	}
}

// endless is a body that never ends, and counts what was taken of it.
type endless struct{ taken atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	e.taken.Add(int64(len(p)))
	return len(p), nil
}

func TestHugeBodies(t *testing.T) {
	s := start(t, func(c *Config) { c.Limits.UploadBytes = 1 << 20 })
	const path = "/v1/speech-to-speech/spk0"
	_, kind := formOf()
	head := "--" + strings.TrimPrefix(kind, "multipart/form-data; boundary=") + "\r\nContent-Disposition: form-data; name=\"audio\"; filename=\"x.wav\"\r\n\r\n"
	// Declared: refused before any of it is read.
	conn := must(net.Dial("tcp", s.Addr()))
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: 10737418240\r\n\r\n", path, kind)
	if got := readStatus(t, conn); got != "413" {
		t.Errorf("10 GB declared: %s", got)
	}
	// In chunks, without a length.
	e := &endless{}
	r := s.request("POST", path, io.MultiReader(strings.NewReader(head), e), "Content-Type", kind)
	r.ContentLength = -1
	if res, err := http.DefaultClient.Do(r); err == nil {
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != 413 || !strings.Contains(string(b), "body_too_large") {
			t.Errorf("endless: %d %s", res.StatusCode, b)
		}
	}
	if n := e.taken.Load(); n > 16<<20 {
		t.Errorf("%d bytes of an endless body were taken", n)
	}
	// A value in place of a file.
	if a := s.upload(path, formPart{"voice_settings", "", make([]byte, 100<<10)}); a.code != 422 {
		t.Errorf("long value: %d %s", a.code, a.body)
	}
	many := make([]formPart, 100)
	for i := range many {
		many[i] = formPart{fmt.Sprint("f", i), "", []byte("x")}
	}
	if a := s.upload(path, many...); a.code != 422 {
		t.Errorf("many parts: %d %s", a.code, a.body)
	}
	if a := s.do(s.request("POST", "/studio/api/voices/mix", io.LimitReader(e, 2<<20), "Content-Type", "application/json")); a.code != 413 {
		t.Errorf("long JSON: %d %s", a.code, a.body)
	}
	if left, _ := os.ReadDir(s.temp); len(left) > 0 {
		t.Errorf("%v left behind", left)
	}
}

// Addr is where the server listens.
func (s *testServer) Addr() string { return strings.TrimPrefix(s.url, "http://") }

func readStatus(t testing.TB, conn net.Conn) string {
	t.Helper()
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	b := make([]byte, 64)
	n, err := conn.Read(b)
	if err != nil {
		return err.Error()
	}
	_, rest, _ := strings.Cut(string(b[:n]), " ")
	code, _, _ := strings.Cut(rest, " ")
	return code
}

func TestSlowClients(t *testing.T) {
	s := start(t, func(c *Config) { c.Limits.SlowBody = 300 * time.Millisecond; c.Limits.BodyRate = 10 << 10 })
	body, kind := formOf(formPart{"audio", "x.wav", wavOf(t, tone(16000, 16000), 16000)})
	head := fmt.Sprintf("POST /v1/speech-to-speech/spk0 HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", kind, body.Len())
	silent := must(net.Dial("tcp", s.Addr()))
	io.WriteString(silent, head)
	if got := readStatus(t, silent); got != "408" {
		t.Errorf("a body that does not come: %s", got)
	}
	drip := must(net.Dial("tcp", s.Addr()))
	io.WriteString(drip, head)
	go func() {
		for range body.Bytes() {
			if _, err := drip.Write([]byte{'x'}); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	if got := readStatus(t, drip); got != "408" {
		t.Errorf("a body byte by byte: %s", got)
	}
	if a := s.get("/healthz"); a.code != 200 {
		t.Errorf("healthz: %d", a.code)
	}
}

// TestPathTricks: no name of a client's leads anywhere.
func TestPathTricks(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.MkdirAll(filepath.Join(secret, "ann"), 0o700); err != nil {
		t.Fatal(err)
	}
	recordings := t.TempDir()
	if err := os.MkdirAll(filepath.Join(recordings, "ann"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(recordings, "out")); err != nil && runtime.GOOS != "windows" {
		t.Fatal(err)
	}
	s := start(t, func(c *Config) { c.Recordings = recordings })
	for _, name := range []string{"../../../etc/passwd", "/etc/passwd", `..\..\x`, "a\x00b", "~/.ssh/id", strings.Repeat("x", 5000), "CON", "-rf", "$(touch x)", "\r\nX: y"} {
		in := formPart{"file", name, wavOf(t, tone(8000, 16000), 16000)}
		a := s.upload("/studio/api/jobs", in, formPart{"settings", "", []byte(`{"voice":"spk0"}`)})
		if a.code != 202 && a.code != 400 {
			t.Errorf("job %.40q: %d %s", name, a.code, a.body)
		}
		a = s.do(s.request("POST", "/studio/api/trainings", strings.NewReader(fmt.Sprintf(`{"name":%q}`, strings.ToValidUTF8(name, ""))), "Content-Type", "application/json"))
		if a.code != 201 && a.code != 422 && a.code != 400 {
			t.Errorf("training %.40q: %d %s", name, a.code, a.body)
		}
	}
	for _, path := range []string{
		"/studio/api/voices/..%2f..%2fserver.go/file", "/studio/api/jobs/..%2f..%2fx/result", "/studio/api/trainings/..%2fx/samples/1/..%2f..%2ftraining.json",
		"/studio/..%2f..%2f..%2fetc%2fpasswd", "/studio/%2e%2e/%2e%2e/etc/passwd", "/v1/voices/%00", "/v1/voices/..%2f/preview",
	} {
		if a := s.get(path); a.code != 404 && a.code != 400 {
			t.Errorf("%s: %d %.100s", path, a.code, a.body)
		}
	}
	for folder, code := range map[string]int{
		"ann": 201, "..": 403, "../secret": 403, secret: 403, "out": 403, "out/ann": 403, "ann/../..": 403, "none": 404, "a/\x00": 404,
	} {
		a := s.do(s.request("POST", "/studio/api/trainings", bytes.NewReader(must(json.Marshal(map[string]string{"name": "x", "folder": folder}))), "Content-Type", "application/json"))
		if a.code != code {
			t.Errorf("folder %q: %d %s, want %d", folder, a.code, a.body, code)
		}
	}
	none := start(t, nil)
	if a := none.do(none.request("POST", "/studio/api/trainings", strings.NewReader(`{"name":"x","folder":"ann"}`), "Content-Type", "application/json")); a.code != 403 {
		t.Errorf("without a folder: %d %s", a.code, a.body)
	}
	// All that was made lies in the data folder, under names of the server's.
	filepath.WalkDir(filepath.Dir(s.data), func(path string, d os.DirEntry, err error) error {
		if rel, _ := filepath.Rel(s.data, path); strings.HasPrefix(rel, "..") && rel != ".." {
			t.Errorf("%s lies outside of the data folder", path)
		}
		if strings.ContainsAny(d.Name(), "$\\ ~") || strings.Contains(d.Name(), "passwd.") {
			t.Errorf("a client has named %s", path)
		}
		return err
	})
}

// TestHeaderBombs: what a header claims takes no memory.
func TestHeaderBombs(t *testing.T) {
	s := start(t, nil)
	wav := wavOf(t, tone(8000, 16000), 16000)
	huge := bytes.Clone(wav)
	binary.LittleEndian.PutUint32(huge[4:], 0xfffffff0)
	binary.LittleEndian.PutUint32(huge[40:], 0xfffffff0)
	rate := bytes.Clone(wav)
	binary.LittleEndian.PutUint32(rate[24:], 0x7fffffff)
	channels := bytes.Clone(wav)
	binary.LittleEndian.PutUint16(channels[22:], 0xffff)
	slow := bytes.Clone(wav)
	binary.LittleEndian.PutUint32(slow[24:], 1)
	flac := append([]byte("fLaC\x80\x00\x00\x22"), bytes.Repeat([]byte{0xff}, 34)...)
	ogg := append([]byte("OggS"), bytes.Repeat([]byte{0xff}, 4000)...)
	id3 := append([]byte("ID3\x04\x00\x00\x7f\x7f\x7f\x7f"), make([]byte, 1000)...)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for name, b := range map[string][]byte{
		"WAV of 4 GB": huge, "WAV of 2 GHz": rate, "WAV of 1 Hz": slow, "WAV of 65535 channels": channels, "FLAC of all ones": flac, "Ogg of all ones": ogg, "ID3 of 256 MB": id3,
	} {
		a := s.upload("/v1/speech-to-speech/spk0?output_format=wav", formPart{"audio", "x", b})
		if a.code != 400 && a.code != 200 && a.code != 413 {
			t.Errorf("%s: %d %s", name, a.code, a.body)
		}
		t.Logf("%s: %d %.150s", name, a.code, strings.ToValidUTF8(string(a.body), "?"))
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 256<<20 {
		t.Errorf("%d MiB were allocated", grown>>20)
	}
}

// TestBusy: past what the cores carry, requests wait for a while and are then refused, with a time to try again.
func TestBusy(t *testing.T) {
	s := start(t, func(c *Config) { c.Limits.Waiting, c.Limits.Patience = 1, 200*time.Millisecond })
	s.capacity.mu.Lock()
	s.capacity.conversions = s.capacity.most.conversions
	s.capacity.mu.Unlock()
	in := formPart{"audio", "x.wav", wavOf(t, tone(8000, 16000), 16000)}
	if a := s.upload("/v1/speech-to-speech/spk0?output_format=wav", in); a.code != 503 || a.status() != "busy" || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s %v", a.code, a.body, a.header)
	}
	s.capacity.mu.Lock()
	s.capacity.waiting = 1
	s.capacity.mu.Unlock()
	if a := s.upload("/v1/speech-to-speech/spk0?output_format=wav", in); a.code != 503 || a.status() != "busy" {
		t.Errorf("%d %s %v", a.code, a.body, a.header)
	}
	s.capacity.mu.Lock()
	s.capacity.waiting, s.capacity.conversions = 0, 0
	s.capacity.mu.Unlock()
	if a := s.upload("/v1/speech-to-speech/spk0?output_format=wav", in); a.code != 200 {
		t.Errorf("%d %s", a.code, a.body)
	}
}

// TestIdleConnections: a thousand connections that send nothing or nonsense keep nobody else out, and leave nothing behind.
func TestIdleConnections(t *testing.T) {
	s := start(t, nil)
	http.DefaultClient.CloseIdleConnections()
	before := runtime.NumGoroutine()
	var conns []net.Conn
	for i := range 1000 {
		c, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Skipf("%d connections are all that can be had: %v", i, err)
		}
		conns = append(conns, c)
		switch i % 4 {
		case 1:
			io.WriteString(c, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 nonsense")
		case 2:
			io.WriteString(c, "GET /v1/voices HTTP/1.1\r\nHost: local")
		case 3:
			c.Write(bytes.Repeat([]byte{0xff}, 3000))
		}
	}
	for range 20 {
		began := time.Now()
		if a := s.get("/v1/voices"); a.code != 200 {
			t.Errorf("%d %s", a.code, a.body)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("an answer took %v", took)
		}
	}
	for _, c := range conns {
		c.Close()
	}
	http.DefaultClient.CloseIdleConnections()
	waitFor(t, "the goroutines of the connections end", func() bool { return runtime.NumGoroutine() < before+20 })
}

// TestStopFinishes: a conversion that is under way when the server is asked to stop is finished.
func TestStopFinishes(t *testing.T) {
	s := start(t, nil)
	done := make(chan answer, 1)
	body, kind := formOf(formPart{"audio", "x.wav", wavOf(t, tone(48000, 16000), 16000)})
	r := s.request("POST", "/v1/speech-to-speech/spk0?output_format=pcm_16000", body, "Content-Type", kind)
	go func() {
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			done <- answer{body: []byte(err.Error())}
			return
		}
		b, _ := io.ReadAll(res.Body)
		done <- answer{res.StatusCode, res.Header, b}
	}()
	waitFor(t, "the conversion begins", func() bool {
		s.capacity.mu.Lock()
		defer s.capacity.mu.Unlock()
		return s.capacity.conversions > 0 || len(done) > 0
	})
	s.stop()
	if a := <-done; a.code != 200 || len(a.body) != 96000 {
		t.Errorf("%d, %d bytes %.100s", a.code, len(a.body), a.body)
	}
	if _, _, err := websocket.Dial(context.Background(), s.url+"/v1/stream", nil); err == nil {
		t.Error("a server that was stopped takes streams")
	}
}
