package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// liveClient is one end of a stream.
type liveClient struct {
	t     testing.TB
	ctx   context.Context
	conn  *websocket.Conn
	sound []float32
	texts []map[string]any
}

func (s *testServer) dial(headers ...string) *liveClient {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	s.t.Cleanup(cancel)
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	conn, _, err := websocket.Dial(ctx, s.url+"/v1/stream", &websocket.DialOptions{HTTPHeader: h})
	if err != nil {
		s.t.Fatal(err)
	}
	conn.SetReadLimit(1 << 20)
	s.t.Cleanup(func() { conn.CloseNow() })
	return &liveClient{t: s.t, ctx: ctx, conn: conn}
}

func (c *liveClient) say(v any) {
	c.t.Helper()
	text := must(json.Marshal(v))
	if err := c.conn.Write(c.ctx, websocket.MessageText, text); err != nil {
		c.t.Fatal(err)
	}
}

// speak sends samples, in f32le.
func (c *liveClient) speak(x []float32) error {
	var b []byte
	for _, v := range x {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return c.conn.Write(c.ctx, websocket.MessageBinary, b)
}

// hear reads until a message of some type comes.
func (c *liveClient) hear(kind string) map[string]any {
	c.t.Helper()
	for {
		k, b, err := c.conn.Read(c.ctx)
		if err != nil {
			c.t.Fatalf("waiting for %s: %v", kind, err)
		}
		if k == websocket.MessageBinary {
			for ; len(b) > 0; b = b[4:] {
				c.sound = append(c.sound, math.Float32frombits(binary.LittleEndian.Uint32(b)))
			}
			continue
		}
		var m map[string]any
		if err := json.Unmarshal(b, &m); err != nil {
			c.t.Fatalf("%v: %s", err, b)
		}
		c.texts = append(c.texts, m)
		if m["type"] == kind {
			return m
		}
	}
}

// closed reads until the server closes.
func (c *liveClient) closed() (code websocket.StatusCode, reason string) {
	for {
		if _, _, err := c.conn.Read(c.ctx); err != nil {
			var e websocket.CloseError
			if !asError(err, &e) {
				return -1, err.Error()
			}
			return e.Code, e.Reason
		}
	}
}

func asError(err error, e *websocket.CloseError) bool {
	for ; err != nil; err = unwrap(err) {
		if c, ok := err.(websocket.CloseError); ok {
			*e = c
			return true
		}
	}
	return false
}

func unwrap(err error) error {
	if u, ok := err.(interface{ Unwrap() error }); ok {
		return u.Unwrap()
	}
	return nil
}

type fields = map[string]any

func startWith(more fields) fields {
	m := fields{"type": "start", "format": "f32le", "sample_rate": 16000, "voice": "spk0"}
	for k, v := range more {
		m[k] = v
	}
	return m
}

func TestStream(t *testing.T) {
	s := start(t, nil)
	c := s.dial()
	c.say(startWith(fields{"settings": fields{"pitch": 1}}))
	ready := c.hear("ready")
	sum := 0.0
	for _, p := range ready["parts"].([]any) {
		sum += p.(fields)["ms"].(float64)
	}
	if ms := ready["latency_ms"].(float64); math.Abs(sum-ms) > 0.01 || ms < 20 || ms > 200 || ready["chunk_samples"].(float64) != 160 {
		t.Errorf("%v", ready)
	}
	x := tone(32000, 16000)
	began := time.Now()
	for i := 0; i < len(x); i += 320 { // in real time
		if err := c.speak(x[i:min(len(x), i+320)]); err != nil {
			t.Fatal(err)
		}
		switch i {
		case 3200:
			c.say(fields{"type": "set", "seq": 1, "voice": "spk1", "settings": fields{"pitch": -3, "gain": -6}})
		case 6400:
			c.say(fields{"type": "set", "seq": 2, "mix": []part{{"spk0", 1}, {"spk2", 2}}})
		case 9600:
			c.say(fields{"type": "set", "seq": 3, "voice": "nobody"})
		case 12800:
			c.say(fields{"type": "set", "seq": 4, "settings": fields{"pitch": 100}})
		case 16000:
			c.say(fields{"type": "ping", "id": "x7"})
		}
		time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / 16000)))
	}
	c.say(fields{"type": "flush"})
	flushed := c.hear("flushed")
	if flushed["received_samples"].(float64) != 32000 {
		t.Errorf("%v", flushed)
	}
	got := map[string]fields{}
	dropped := int(flushed["dropped_samples"].(float64)) // a busy computer makes some wait too long
	for _, m := range c.texts {
		got[fmt.Sprint(m["type"], m["seq"])] = m
		if m["type"] == "stats" {
			for _, name := range []string{"queue_ms", "queue_max_ms", "ahead_ms", "rtf", "input_db", "output_db", "chunk_p99_ms", "speaker_hz", "late"} {
				if _, ok := m[name].(float64); !ok {
					t.Errorf("stats without %s: %v", name, m)
				}
			}
		}
	}
	if len(c.sound)+dropped != 32000 {
		t.Errorf("%d samples came back and %d were dropped, of 32000", len(c.sound), dropped)
	}
	if m := got["set1"]; m["voice"] != "spk1" || m["settings"].(fields)["pitch"] != -3.0 || m["settings"].(fields)["gain"] != -6.0 {
		t.Errorf("set 1: %v", m)
	}
	if m := got["set2"]; m == nil || m["settings"].(fields)["pitch"] != -3.0 {
		t.Errorf("set 2: %v", m)
	}
	if m := got["error3"]; m["status"] != "voice_not_found" {
		t.Errorf("set 3: %v", m)
	}
	if m := got["error4"]; m == nil || !strings.Contains(m["message"].(string), "pitch is 100") {
		t.Errorf("set 4: %v", m)
	}
	if m := got["pong<nil>"]; m["id"] != "x7" || m["received_samples"].(float64) < 16000 {
		t.Errorf("pong: %v", m)
	}
	if got["stats<nil>"] == nil {
		t.Error("no stats came")
	}

	// The stream is as new: muted, it is silent; stopped, it closes.
	c.sound = nil
	c.say(fields{"type": "mute", "on": true})
	if err := c.speak(x[:8000]); err != nil {
		t.Fatal(err)
	}
	c.say(fields{"type": "stop"})
	c.hear("flushed")
	for _, v := range c.sound {
		if v != 0 {
			t.Errorf("a muted stream gives %g", v)
			break
		}
	}
	if code, reason := c.closed(); code != websocket.StatusNormalClosure || reason == "" {
		t.Errorf("closed with %d %q", code, reason)
	}
}

// TestStreamCodings: 16-bit samples go in and come out, and wet 0 gives the input back, late.
func TestStreamCodings(t *testing.T) {
	s := start(t, nil)
	c := s.dial()
	c.say(startWith(fields{"format": "s16le", "sample_rate": 24000, "latency": "low", "max_delay_ms": 5000, "settings": fields{"wet": 0}}))
	c.hear("ready")
	x := tone(12000, 24000)
	var b []byte
	for _, v := range x {
		b = binary.LittleEndian.AppendUint16(b, uint16(int16(v*32767)))
	}
	if err := c.conn.Write(c.ctx, websocket.MessageBinary, b); err != nil {
		t.Fatal(err)
	}
	c.say(fields{"type": "flush"})
	var got []byte
	for {
		kind, m, err := c.conn.Read(c.ctx)
		if err != nil {
			t.Fatal(err)
		}
		if kind == websocket.MessageBinary {
			got = append(got, m...)
		} else if bytes.Contains(m, []byte(`"flushed"`)) {
			break
		}
	}
	if len(got) != len(b) {
		t.Fatalf("%d bytes came back of %d", len(got), len(b))
	}
	for i := 0; i < len(b); i += 2 {
		if d := int16(binary.LittleEndian.Uint16(got[i:])) - int16(binary.LittleEndian.Uint16(b[i:])); d < -2 || d > 2 {
			t.Fatalf("sample %d differs by %d", i/2, d)
		}
	}
}

func TestStreamRefuses(t *testing.T) {
	s := start(t, func(c *Config) { c.Limits.IdleStream = 300 * time.Millisecond })
	nan := binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(math.NaN())))
	for _, c := range []struct {
		name  string
		first any // to say, or bytes
		then  any
		code  websocket.StatusCode
		has   string
	}{
		{"sound first", []byte{1, 2, 3, 4}, nil, 1002, "start"},
		{"no JSON", json.RawMessage(`"x"`), nil, 1007, "JSON"},
		{"no start", fields{"type": "set"}, nil, 1002, "start"},
		{"format", startWith(fields{"format": "mp3"}), nil, 4400, "f32le"},
		{"rate", startWith(fields{"sample_rate": 1}), nil, 4400, "sample_rate is 1"},
		{"latency", startWith(fields{"latency": "none"}), nil, 4400, "low, normal or high"},
		{"delay", startWith(fields{"max_delay_ms": 1e9}), nil, 4400, "max_delay_ms"},
		{"setting", startWith(fields{"settings": fields{"strength": 9}}), nil, 4400, "strength is 9"},
		{"wet", startWith(fields{"settings": fields{"wet": 2}}), nil, 4400, "wet is 2"},
		{"no voice", startWith(fields{"voice": ""}), nil, 4400, "missing"},
		{"unknown voice", startWith(fields{"voice": strings.Repeat("nobody", 99)}), nil, 4404, "there is no voice"},
		{"half a sample", startWith(nil), []byte{1, 2, 3}, 1007, "whole samples"},
		{"no number", startWith(nil), nan, 1007, "numbers"},
		{"start twice", startWith(nil), startWith(nil), 1002, "twice"},
		{"unknown type", startWith(nil), fields{"type": "dance"}, 1002, "dance"},
		{"a second and more", startWith(nil), make([]byte, 4*16000+longestText), 1009, ""},
		{"idle", startWith(nil), fields{"type": "mute"}, 1008, "nothing came"},
	} {
		l := s.dial()
		for _, m := range []any{c.first, c.then} {
			if b, ok := m.([]byte); ok {
				l.conn.Write(l.ctx, websocket.MessageBinary, b)
			} else if m != nil {
				l.conn.Write(l.ctx, websocket.MessageText, must(json.Marshal(m)))
			}
		}
		if code, reason := l.closed(); code != c.code || !strings.Contains(reason, c.has) {
			t.Errorf("%s: closed with %d %q, want %d with %q", c.name, code, reason, c.code, c.has)
		}
	}
}

// TestStreamFloods: sound faster than it is spoken, and messages without end, are cut off.
func TestStreamFloods(t *testing.T) {
	s := start(t, nil)
	for name, flood := range map[string]func(c *liveClient) error{
		"sound": func(c *liveClient) error { return c.speak(make([]float32, 8000)) },
		"text": func(c *liveClient) error {
			return c.conn.Write(c.ctx, websocket.MessageText, []byte(`{"type":"ping"}`))
		},
		"voices": func(c *liveClient) error {
			return c.conn.Write(c.ctx, websocket.MessageText, []byte(`{"type":"set","voice":"spk1"}`))
		},
		"empty frames": func(c *liveClient) error { return c.speak(nil) },
	} {
		c := s.dial()
		c.say(startWith(nil))
		c.hear("ready")
		go func() {
			for i := 0; i < 20000 && flood(c) == nil; i++ {
			}
		}()
		if code, reason := c.closed(); code != websocket.StatusPolicyViolation {
			t.Errorf("%s: closed with %d %q", name, code, reason)
		}
	}
	waitFor(t, "no stream is left", func() bool {
		s.capacity.mu.Lock()
		defer s.capacity.mu.Unlock()
		return s.capacity.streams == 0 && s.capacity.used < 1e-9
	})
}

func waitFor(t testing.TB, what string, is func() bool) {
	t.Helper()
	for range 600 {
		if is() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("not within half a minute: %s", what)
}

// TestStreamsAreCounted: past what the cores carry, the handshake is refused with a time to try again.
func TestStreamsAreCounted(t *testing.T) {
	s := start(t, func(c *Config) { c.Limits.Streams = 1 })
	c := s.dial()
	c.say(startWith(nil))
	c.hear("ready")
	late := s.do(s.request("GET", "/v1/stream", nil))
	if late.code != 503 || late.status() != "busy" || late.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", late.code, late.body)
	}
	c.say(fields{"type": "stop"})
	c.closed()
	waitFor(t, "room for another", s.capacity.hasRoomForStream)

	few := start(t, func(c *Config) { c.Limits.StreamsPerHost = 1 })
	few.dial()
	if a := few.do(few.request("GET", "/v1/stream", nil)); a.code != 429 || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.code, a.body)
	}
}

// TestStopTellsStreams: a server that stops says so to whoever streams.
func TestStopTellsStreams(t *testing.T) {
	s := start(t, nil)
	c := s.dial()
	c.say(startWith(nil))
	c.hear("ready")
	idle := s.dial() // has not said what it wants
	go s.stop()
	for _, c := range []*liveClient{c, idle} {
		if code, reason := c.closed(); code != websocket.StatusGoingAway || !strings.Contains(reason, "stopping") {
			t.Errorf("closed with %d %q", code, reason)
		}
	}
}

// TestStreamDropsWhatIsOld: after a standstill of the client's, or of the way, the oldest sound is dropped.
func TestStreamDropsWhatIsOld(t *testing.T) {
	s := start(t, nil)
	c := s.dial()
	c.say(startWith(fields{"max_delay_ms": 100}))
	c.hear("ready")
	x := tone(16000, 16000)
	began := time.Now()
	for i := 0; i < 16000; i += 320 {
		if err := c.speak(x[i : i+320]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / 16000)))
	}
	for range 3 { // one and a half seconds at once
		if err := c.speak(x[:8000]); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < 32000; i += 320 {
		if err := c.speak(x[i%16000 : i%16000+320]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(began.Add(time.Second + time.Duration(i)*time.Second/16000)))
	}
	c.say(fields{"type": "flush"})
	dropped := int(c.hear("flushed")["dropped_samples"].(float64))
	if dropped < 16*800 {
		t.Errorf("%d ms were dropped of 1500 too many", dropped/16)
	}
	if len(c.sound)+dropped != 16000+24000+32000 {
		t.Errorf("%d samples came back and %d were dropped, of 72000", len(c.sound), dropped)
	}
}
