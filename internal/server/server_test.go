package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/untrained"
)

// TestMain is also the program that a training of the tests runs.
func TestMain(m *testing.M) {
	if os.Getenv(trainerRole) != "" {
		os.Exit(pretendToTrain())
	}
	os.Exit(m.Run())
}

// tinyModel is quick and knows no voice.
func tinyModel() *vc.Model { return vc.New(untrained.Model(gan.Tiny(), 3, 1)) }

// testServer is one that listens, as the program's does.
type testServer struct {
	*Server
	t    testing.TB
	url  string
	data string
	stop func() // and wait until it has ended
}

var sharedModel = sync.OnceValue(tinyModel)

func testConfig(t testing.TB) Config {
	c := DefaultConfig()
	c.Version, c.Model, c.ModelName, c.Data = "test", sharedModel(), "tiny", filepath.Join(t.TempDir(), "data")
	c.Studio, c.Sentences = true, []string{"One.", "Two.", "Three."}
	c.Page = fstest.MapFS{"index.html": {Data: []byte("<!doctype html>hello")}, "js/a.js": {Data: []byte("1")}}
	c.Policy = "default-src 'self'"
	c.SampleClip = func() (audio.Clip, error) { return audio.Decode(bytes.NewReader(wavOf(t, tone(8000, 16000), 16000))) }
	c.Limits.RequestsPerSec, c.Limits.Burst = 1e6, 1e6
	c.Limits.Streams = 100
	return c
}

func start(t testing.TB, change func(*Config)) *testServer {
	t.Helper()
	c := testConfig(t)
	if change != nil {
		change(&c)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l, nil) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	t.Cleanup(stop)
	return &testServer{Server: s, t: t, url: "http://" + l.Addr().String(), data: c.Data, stop: stop}
}

// answer is what came back.
type answer struct {
	code   int
	header http.Header
	body   []byte
}

func (a answer) status() string {
	var p struct {
		Detail json.RawMessage `json:"detail"`
	}
	var d detail
	if json.Unmarshal(a.body, &p) != nil || json.Unmarshal(p.Detail, &d) != nil {
		return ""
	}
	return d.Status
}

func (s *testServer) do(r *http.Request) answer {
	s.t.Helper()
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, b}
}

func (s *testServer) request(method, path string, body io.Reader, headers ...string) *http.Request {
	s.t.Helper()
	r, err := http.NewRequest(method, s.url+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func (s *testServer) get(path string, headers ...string) answer {
	s.t.Helper()
	return s.do(s.request("GET", path, nil, headers...))
}

// ask sends JSON and reads JSON, and wants a code.
func (s *testServer) ask(method, path string, code int, in, out any) {
	s.t.Helper()
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			s.t.Fatal(err)
		}
		body = bytes.NewReader(text)
	}
	a := s.do(s.request(method, path, body, "Content-Type", "application/json"))
	if a.code != code {
		s.t.Fatalf("%s %s: %d, want %d: %s", method, path, a.code, code, a.body)
	}
	if out != nil {
		if err := json.Unmarshal(a.body, out); err != nil {
			s.t.Fatalf("%s %s: %v: %s", method, path, err, a.body)
		}
	}
}

// formPart is a part of a form; a file where it has a name.
type formPart struct {
	field, name string
	data        []byte
}

func formOf(parts ...formPart) (body *bytes.Buffer, kind string) {
	body = &bytes.Buffer{}
	m := multipart.NewWriter(body)
	for _, p := range parts {
		if p.name == "" {
			m.WriteField(p.field, string(p.data))
			continue
		}
		w, _ := m.CreateFormFile(p.field, p.name)
		w.Write(p.data)
	}
	m.Close()
	return body, m.FormDataContentType()
}

func (s *testServer) upload(path string, parts ...formPart) answer {
	s.t.Helper()
	body, kind := formOf(parts...)
	return s.do(s.request("POST", path, body, "Content-Type", kind))
}

// tone is n samples of something like a vowel, with pauses.
func tone(n, rate int) []float32 {
	x := make([]float32, n)
	for i := range x {
		at := float64(i) / float64(rate)
		if math.Mod(at, 1) > 0.8 {
			continue
		}
		for k := 1; k <= 12; k++ {
			x[i] += float32(0.2 / float64(k) * math.Sin(2*math.Pi*float64(k)*(120+10*math.Sin(3*at))*at))
		}
		x[i] *= 0.5
	}
	return x
}

func wavOf(t testing.TB, x []float32, rate int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := audio.EncodeWAV(&b, audio.Clip{Samples: x, Rate: rate}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestService(t *testing.T) {
	s := start(t, nil)
	if a := s.get("/healthz"); a.code != 200 || !strings.Contains(string(a.body), `"ok"`) {
		t.Errorf("healthz: %d %s", a.code, a.body)
	}
	s.get("/v1/voices")
	if a := s.get("/metrics"); a.code != 200 || !strings.Contains(string(a.body), `vc_http_requests_total{code="200",method="GET",route="/v1/voices"} 1`) {
		t.Errorf("metrics: %d %s", a.code, a.body)
	}
	if a := s.get("/nothing"); a.code != 404 || a.status() != "not_found" {
		t.Errorf("nothing: %d %s", a.code, a.body)
	}
	for _, c := range []struct {
		path string
		code int
		has  string
	}{{"/studio/", 200, "hello"}, {"/studio/js/a.js", 200, "1"}, {"/studio/js/", 404, ""}, {"/studio/../server.go", 404, ""}, {"/studio/none", 404, ""}} {
		if a := s.get(c.path); a.code != c.code || !strings.Contains(string(a.body), c.has) {
			t.Errorf("%s: %d %.80s", c.path, a.code, a.body)
		}
	}
	if h := s.get("/studio/").header; h.Get("Content-Security-Policy") == "" || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers of the page: %v", h)
	}
}

// TestDescribed: the description made from the code and the one written for people name the same routes.
func TestDescribed(t *testing.T) {
	s := start(t, nil)
	a := s.get("/openapi.json")
	var api struct {
		OpenAPI string                                `json:"openapi"`
		Paths   map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(a.body, &api); err != nil || !strings.HasPrefix(api.OpenAPI, "3.1") {
		t.Fatalf("%v: %.100s", err, a.body)
	}
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	written := map[string]bool{}
	for _, m := range regexp.MustCompile("`(?:(GET|POST|PATCH|DELETE) )?(/(?:v1|v2|studio|healthz|metrics)[^` ?]*)[^`]*`").FindAllStringSubmatch(string(text), -1) {
		if m[1] != "" {
			written[m[1]+" "+m[2]] = true
		}
	}
	made := map[string]bool{}
	for path, methods := range api.Paths {
		for method := range methods {
			name := strings.ToUpper(method) + " " + path
			made[name] = true
			if !written[name] && !strings.Contains(path, "voice-changer") {
				t.Errorf("%s is not in docs/api.md", name)
			}
		}
	}
	for name := range written {
		if !made[name] && !strings.HasPrefix(name, "GET /studio/?") {
			t.Errorf("%s is in docs/api.md, and not in the server", name)
		}
	}
}

func TestVoicesOfElevenLabs(t *testing.T) {
	s := start(t, nil)
	var list struct {
		Voices []elevenVoice `json:"voices"`
		More   bool          `json:"has_more"`
		Total  int           `json:"total_count"`
	}
	s.ask("GET", "/v1/voices", 200, nil, &list)
	if len(list.Voices) != 3 || list.Voices[0].ID != "spk0" || list.Voices[0].Category != "premade" {
		t.Fatalf("%+v", list)
	}
	if a := s.do(must(http.NewRequest("GET", list.Voices[0].PreviewURL, nil))); a.code != 200 || !bytes.HasPrefix(a.body, []byte("RIFF")) {
		t.Errorf("preview: %d", a.code)
	}
	s.ask("GET", "/v2/voices?search=SPK1", 200, nil, &list)
	if list.Total != 1 || list.More || list.Voices[0].ID != "spk1" {
		t.Errorf("search: %+v", list)
	}
	var one elevenVoice
	s.ask("GET", "/v1/voices/spk2", 200, nil, &one)
	if one.ID != "spk2" {
		t.Errorf("%+v", one)
	}
	if a := s.get("/v1/voices/nobody"); a.code != 404 || a.status() != "voice_not_found" {
		t.Errorf("nobody: %d %s", a.code, a.body)
	}
	s.ask("GET", "/v1/models", 200, nil, nil)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestSpeechToSpeech(t *testing.T) {
	s := start(t, nil)
	const n, rate = 6000, 16000
	in := formPart{"audio", "in.wav", wavOf(t, tone(n, rate), rate)}
	paths := []string{"/v1/speech-to-speech/spk0", "/v1/voice-changer/spk0/stream", "/v1/voice-changer/spk0", "/v1/speech-to-speech/spk0/stream"}
	for i, f := range formats() {
		if f.own == "" && !audio.HasFFmpeg() {
			continue
		}
		for _, path := range paths[i%2*2 : i%2*2+2] {
			name := path + "?output_format=" + f.name
			a := s.upload(name, in, formPart{"voice_settings", "", []byte(`{"stability":0.3,"style":0.2,"pitch":-2}`)}, formPart{"seed", "", []byte("7")})
			if a.code != 200 || a.header.Get("Content-Type") != f.kind {
				t.Errorf("%s: %d %s %.100s", name, a.code, a.header.Get("Content-Type"), a.body)
				continue
			}
			if streams := a.header.Get("Content-Length") == ""; streams != strings.HasSuffix(path, "stream") {
				t.Errorf("%s: streamed %t", name, streams)
			}
			to := f.rate
			if to == 0 {
				to = 16000
			}
			want := (2*n*to + rate) / (2 * rate)
			switch f.own {
			case "pcm":
				if len(a.body) != 2*want {
					t.Errorf("%s: %d bytes, want %d", name, len(a.body), 2*want)
				}
			case "wav", "flac":
				clip, err := audio.Decode(bytes.NewReader(a.body))
				if err != nil || clip.Rate != to || len(clip.Samples) != want || clip.Warnings != nil {
					t.Errorf("%s: %d samples at %d, %v, %v; want %d", name, len(clip.Samples), clip.Rate, clip.Warnings, err, want)
				}
			default:
				if strings.Contains(f.name, "law") {
					if len(a.body) != want {
						t.Errorf("%s: %d bytes, want %d", name, len(a.body), want)
					}
					break
				}
				clip, err := audio.DecodeStream(context.Background(), bytes.NewReader(a.body))
				if err != nil || math.Abs(clip.Duration().Seconds()-float64(n)/rate) > 0.2 {
					t.Errorf("%s: %v, %v", name, clip.Duration(), err)
				}
			}
		}
	}
	// Raw samples, and every setting of the delay.
	raw := &bytes.Buffer{}
	must(audio.NewPCMWriter(raw, audio.S16LE).Write(tone(n, rate)))
	for hurry := range 5 {
		path := fmt.Sprintf("/v1/speech-to-speech/spk1/stream?output_format=pcm_16000&optimize_streaming_latency=%d", hurry)
		a := s.upload(path, formPart{"audio", "x", raw.Bytes()}, formPart{"file_format", "", []byte("pcm_s16le_16")})
		if a.code != 200 || len(a.body) != 2*n {
			t.Errorf("%s: %d, %d bytes", path, a.code, len(a.body))
		}
	}
}

func TestSpeechToSpeechRefuses(t *testing.T) {
	s := start(t, func(c *Config) { c.Limits.Sound = 3 * time.Second })
	good := formPart{"audio", "in.wav", wavOf(t, tone(8000, 16000), 16000)}
	const path = "/v1/speech-to-speech/spk0"
	for _, c := range []struct {
		name, path string
		parts      []formPart
		code       int
		has        string
	}{
		{"no such voice", "/v1/speech-to-speech/x", []formPart{good}, 404, "voice_not_found"},
		{"no such format", path + "?output_format=mp4", []formPart{good}, 422, `"loc":["query","output_format"]`},
		{"latency", path + "?optimize_streaming_latency=9", []formPart{good}, 422, "optimize_streaming_latency"},
		{"no file", path, []formPart{{"x", "", []byte("y")}}, 422, `"loc":["body","audio"]`},
		{"no sound", path, []formPart{{"audio", "in.wav", []byte("hello, this is no sound at all, but text")}}, 400, "invalid_audio"},
		{"empty", path, []formPart{{"audio", "in.wav", nil}}, 400, "invalid_audio"},
		{"settings", path, []formPart{good, {"voice_settings", "", []byte("{")}}, 422, "voice_settings"},
		{"pitch", path, []formPart{good, {"voice_settings", "", []byte(`{"pitch":99}`)}}, 422, "pitch is 99"},
		{"style", path, []formPart{good, {"voice_settings", "", []byte(`{"style":2}`)}}, 422, "style is 2"},
		{"file format", path, []formPart{good, {"file_format", "", []byte("mp3")}}, 422, "file_format"},
		{"twice", path, []formPart{good, good}, 422, "twice"},
		{"too long", path, []formPart{{"audio", "in.wav", wavOf(t, tone(64000, 16000), 16000)}}, 413, "sound_too_long"},
	} {
		if a := s.upload(c.path, c.parts...); a.code != c.code || !strings.Contains(string(a.body), c.has) {
			t.Errorf("%s: %d %s, want %d with %s", c.name, a.code, a.body, c.code, c.has)
		} else if strings.Contains(string(a.body), s.temp) || strings.Contains(string(a.body), "upload-") {
			t.Errorf("%s: the answer names the server's own files: %s", c.name, a.body)
		}
	}
	if a := s.do(s.request("POST", path, strings.NewReader("{}"), "Content-Type", "application/json")); a.code != 400 || a.status() != "invalid_request" {
		t.Errorf("JSON: %d %s", a.code, a.body)
	}
	left, err := os.ReadDir(s.temp)
	if err != nil || len(left) > 0 {
		t.Errorf("%v left behind, %v", left, err)
	}
}

// TestNoFFmpeg: what needs one says so, and the rest goes on.
func TestNoFFmpeg(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	s := start(t, nil)
	in := formPart{"audio", "in.wav", wavOf(t, tone(8000, 16000), 16000)}
	if a := s.upload("/v1/speech-to-speech/spk0?output_format=mp3_44100_128", in); a.code != 400 || a.status() != "output_format_unavailable" ||
		!strings.Contains(string(a.body), "ffmpeg") {
		t.Errorf("mp3: %d %s", a.code, a.body)
	}
	if a := s.upload("/v1/speech-to-speech/spk0", in); a.code != 200 || a.header.Get("Content-Type") != "audio/wav" {
		t.Errorf("usual: %d %s", a.code, a.header)
	}
}

func TestCardsComeAndGo(t *testing.T) {
	s := start(t, nil)
	var made, kept card
	s.ask("POST", "/studio/api/voices/mix", 201, map[string]any{"name": "half", "parts": []part{{"spk0", 1}, {"spk1", 3}}}, &made)
	if made.Kind != kindUnsaved || made.Name != "half" {
		t.Errorf("%+v", made)
	}
	s.ask("POST", "/studio/api/voices/random", 201, map[string]any{"of": "spk1", "seed": 7}, &made)
	if !strings.Contains(made.About, "seed 7") {
		t.Errorf("%+v", made)
	}
	s.ask("POST", "/studio/api/voices/"+made.ID+"/keep", 200, map[string]any{"name": "Zoë/../x"}, &kept)
	if kept.Kind != kindSaved || kept.Name != "Zoë/../x" || strings.ContainsAny(kept.ID, "/.") {
		t.Errorf("%+v", kept)
	}
	s.ask("PATCH", "/studio/api/voices/"+kept.ID, 200, map[string]any{"name": "Zoë", "about": "a line\nand another"}, &kept)
	if kept.Name != "Zoë" || kept.About != "a line and another" {
		t.Errorf("%+v", kept)
	}
	file := s.get(kept.FileURL)
	if file.code != 200 || !strings.Contains(file.header.Get("Content-Disposition"), "attachment") {
		t.Errorf("file: %d %v", file.code, file.header)
	}
	if a := s.get(kept.SampleURL); a.code != 200 || !bytes.HasPrefix(a.body, []byte("RIFF")) {
		t.Errorf("sample: %d %s", a.code, a.body)
	}
	if a := s.upload("/studio/api/voices/upload", formPart{"file", `C:\x\..\mine.voice`, file.body}); a.code != 201 || !strings.Contains(string(a.body), `"name":"mine"`) {
		t.Errorf("upload: %d %s", a.code, a.body)
	}
	if a := s.upload("/studio/api/voices/upload", formPart{"file", "x.voice", []byte("{}")}); a.code != 400 || a.status() != "invalid_voice" {
		t.Errorf("no voice: %d %s", a.code, a.body)
	}
	a := s.upload("/studio/api/voices/like", formPart{"file", "me.wav", wavOf(t, tone(48000, 16000), 16000)}, formPart{"keep", "", []byte("true")})
	if a.code != 201 || !strings.Contains(string(a.body), "5 to 10 s") {
		t.Errorf("like: %d %s", a.code, a.body)
	}
	if a := s.upload("/studio/api/voices/like", formPart{"file", "me.wav", wavOf(t, make([]float32, 48000), 16000)}); a.code != 400 || a.status() != "too_little_speech" {
		t.Errorf("like silence: %d %s", a.code, a.body)
	}
	s.ask("POST", "/studio/api/voices/adjusted", 201, map[string]any{"voice": "spk0", "settings": map[string]any{"pitch": 2, "formant": 1}, "keep": true}, &made)
	for _, c := range []struct {
		method, path, in string
		code             int
	}{
		{"DELETE", "/studio/api/voices/spk0", "", 409},
		{"PATCH", "/studio/api/voices/spk0", `{"name":"x"}`, 409},
		{"POST", "/studio/api/voices/mix", `{"parts":[]}`, 422},
		{"POST", "/studio/api/voices/mix", `{"parts":[{"voice":"spk0","weight":0}]}`, 422},
		{"POST", "/studio/api/voices/mix", `{"parts":[{"voice":"none","weight":1}]}`, 404},
		{"POST", "/studio/api/voices/mix", `{"parts":[{"voice":"spk0","weight":1}],"extra":1}`, 422},
		{"POST", "/studio/api/voices/random", `{"of":"` + kept.ID + `"}`, 422},
		{"POST", "/studio/api/voices/adjusted", `{"voice":"spk0","settings":{"pitch":100}}`, 422},
		{"DELETE", "/studio/api/voices/none", "", 404},
	} {
		if a := s.do(s.request(c.method, c.path, strings.NewReader(c.in), "Content-Type", "application/json")); a.code != c.code {
			t.Errorf("%s %s %s: %d %s, want %d", c.method, c.path, c.in, a.code, a.body, c.code)
		}
	}
	before := cardNames(s)
	s.stop()

	// Another server on the same folder knows what was kept.
	again := start(t, func(c *Config) { c.Data = s.data })
	after := cardNames(again)
	if after != before || !strings.Contains(after, "Zoë:saved") {
		t.Errorf("after a restart %s, want %s", after, before)
	}
	again.ask("DELETE", "/studio/api/voices/"+kept.ID, 204, nil, nil)
	if a := again.get("/studio/api/voices/" + kept.ID); a.code != 404 {
		t.Errorf("deleted: %d", a.code)
	}
	if left, _ := filepath.Glob(filepath.Join(s.data, "voices", kept.ID+"*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// The line about consent comes with a recording, is shown, and stays with the voice: kept, adjusted, mixed, downloaded, taken in, and
// after a restart.
func TestConsentOfVoices(t *testing.T) {
	s := start(t, nil)
	const line = "Ada Example, 2026-11-30, CC BY 4.0"
	recording := formPart{"file", "ada.wav", wavOf(t, tone(96000, 16000), 16000)}
	for words, want := range map[string]string{
		"yes": "want who speaks", "Ada\x1b[2J, 2026, CC0": "without control characters", "Ada, 2026, " + strings.Repeat("x", 200): "at most 200",
	} {
		a := s.upload("/studio/api/voices/like", recording, formPart{"consent", "", []byte(words)})
		if a.code != 422 || !strings.Contains(string(a.body), want) || !strings.Contains(string(a.body), `"consent"`) {
			t.Errorf("%q: %d %s, want 422 with %q", words, a.code, a.body, want)
		}
	}
	has := func(what string, c card, lines ...string) {
		t.Helper()
		if !slices.Equal(c.Consent, lines) {
			t.Errorf("%s: consent %q, want %q", what, c.Consent, lines)
		}
		file := s.get(c.FileURL)
		f, err := vc.ReadVoice(bytes.NewReader(file.body))
		if err != nil {
			t.Fatalf("%s: %d, %v", what, file.code, err)
		}
		var in []string
		for _, l := range f.Consent {
			in = append(in, l.String())
		}
		if !slices.Equal(in, lines) {
			t.Errorf("%s: consent %q in the file, want %q", what, in, lines)
		}
	}
	upload := func(path string, parts ...formPart) (c card) {
		t.Helper()
		a := s.upload(path, parts...)
		var heard heardVoice
		err := json.Unmarshal(a.body, &c)
		if strings.HasSuffix(path, "like") {
			err = json.Unmarshal(a.body, &heard)
			c = heard.Voice
		}
		if a.code != 201 || err != nil {
			t.Fatalf("%s: %d %s, %v", path, a.code, a.body, err)
		}
		return c
	}
	without := upload("/studio/api/voices/like", recording, formPart{"consent", "", []byte("  ")})
	has("without", without)
	if a := s.get("/studio/api/voices/" + without.ID); !strings.Contains(string(a.body), `"consent":[]`) {
		t.Errorf("without: %s", a.body)
	}
	ada := upload("/studio/api/voices/like", recording, formPart{"consent", "", []byte(" " + line + " ")})
	has("like", ada, line)
	var kept, made card
	s.ask("POST", "/studio/api/voices/"+ada.ID+"/keep", 200, map[string]any{"name": "Ada"}, &kept)
	has("kept", kept, line)
	s.ask("POST", "/studio/api/voices/mix", 201, map[string]any{"parts": []part{{"spk0", 1}, {kept.ID, 1}}}, &made)
	has("mixed", made, line)
	s.ask("POST", "/studio/api/voices/mix", 201, map[string]any{"parts": []part{{"spk0", 1}, {kept.ID, 0}}}, &made)
	has("mixed with no share", made)
	s.ask("POST", "/studio/api/voices/adjusted", 201, map[string]any{"voice": kept.ID, "settings": map[string]any{"pitch": 2, "strength": 1.2}, "keep": true}, &made)
	has("adjusted", made, line)
	s.ask("PATCH", "/studio/api/voices/"+kept.ID, 200, map[string]any{"about": "a woman"}, &made)
	has("renamed", made, line)
	file := s.get(kept.FileURL)
	has("taken in", upload("/studio/api/voices/upload", formPart{"file", "ada.voice", file.body}), line)

	// One of a model that was trained here, which is not read until the voice is used.
	trained := vc.New(untrained.Model(gan.Tiny(), 3, 2))
	s.voices.addTrained(&voice{id: "me", name: "me", kind: kindTrained, space: trained.StyleSpace(), model: func() (*vc.Model, error) { return trained, nil },
		find: func(m *vc.Model) (vc.Voice, error) { return m.Voice("spk0") }})
	v := trained.SpeakerVoice(0)
	v.AddConsent(vc.Consent{Who: "Me", When: "2026", Licence: "my own voice"})
	f, err := trained.VoiceFile(v, "me")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	has("of a trained model", upload("/studio/api/voices/upload", formPart{"file", "me.voice", b.Bytes()}), "Me, 2026, my own voice")
	s.stop()

	s = start(t, func(c *Config) { c.Data = s.data })
	s.ask("GET", "/studio/api/voices/"+kept.ID, 200, nil, &made)
	has("after a restart", made, line)
}

func cardNames(s *testServer) string {
	var list cardList
	s.ask("GET", "/studio/api/voices", 200, nil, &list)
	var names []string
	for _, c := range list.Voices {
		if c.Kind != kindUnsaved {
			names = append(names, c.Name+":"+c.Kind)
		}
	}
	slices.Sort(names) // those of one second come in any order
	return strings.Join(names, " ")
}

func TestJobs(t *testing.T) {
	s := start(t, nil)
	const n, rate = 16000, 16000
	in := formPart{"file", "../../talk.final.wav", wavOf(t, tone(n, rate), rate)}
	a := s.upload("/studio/api/jobs", in, formPart{"settings", "", []byte(`{"voice":"spk0","pitch":1}`)})
	var j job
	if err := json.Unmarshal(a.body, &j); err != nil || a.code != 202 || j.Name != "talk.final.wav" {
		t.Fatalf("%d %s", a.code, a.body)
	}
	events := string(s.get("/studio/api/jobs/" + j.ID + "/events").body) // until it is done
	if !strings.HasPrefix(events, "event: job\ndata: {") || !strings.Contains(events, `"state":"done","progress":1`) {
		t.Errorf("events: %s", events)
	}
	for format, kind := range map[string]string{"wav": "audio/wav", "flac": "audio/flac"} {
		a := s.get(j.ResultURL + "?download=true&format=" + format)
		clip, err := audio.Decode(bytes.NewReader(a.body))
		if err != nil || len(clip.Samples) != n || a.header.Get("Content-Type") != kind ||
			!strings.Contains(a.header.Get("Content-Disposition"), "talk.final-spk0."+format) {
			t.Errorf("%s: %d samples, %v %v", format, len(clip.Samples), a.header, err)
		}
	}
	if a := s.get(j.ResultURL + "?format=doc"); a.code != 422 {
		t.Errorf("format doc: %d %s", a.code, a.body)
	}
	if a := s.get(j.SourceURL, "Range", "bytes=44-47"); a.code != 206 || len(a.body) != 4 {
		t.Errorf("range: %d, %d bytes", a.code, len(a.body))
	}
	var p peaks
	s.ask("GET", "/studio/api/jobs/"+j.ID+"/peaks?of=source&n=50", 200, nil, &p)
	if len(p.Min) != 50 || p.Seconds != 1 || p.Max[1] <= p.Min[1] {
		t.Errorf("peaks %+v", p)
	}
	var again job
	s.ask("POST", "/studio/api/jobs/"+j.ID+"/again", 202, map[string]any{"mix": []part{{"spk0", 1}, {"spk1", 1}}, "melody": "keep"}, &again)
	s.get("/studio/api/jobs/" + again.ID + "/events")
	s.ask("DELETE", "/studio/api/jobs/"+j.ID, 204, nil, nil) // the recording is still wanted
	s.ask("POST", "/studio/api/jobs/"+again.ID+"/again", 202, map[string]any{"voice": "spk1"}, &again)
	s.get("/studio/api/jobs/" + again.ID + "/events")
	var list jobList
	s.ask("GET", "/studio/api/jobs", 200, nil, &list)
	if len(list.Jobs) != 2 || list.Jobs[0].ID != again.ID || list.Jobs[0].State != done || list.Jobs[1].Settings.Melody != "keep" {
		t.Errorf("%+v", list)
	}
	// One that is no recording fails in words.
	a = s.upload("/studio/api/jobs", formPart{"file", "x.wav", []byte("text, and no sound at all")}, formPart{"settings", "", []byte(`{"voice":"spk0"}`)})
	if err := json.Unmarshal(a.body, &j); err != nil {
		t.Fatal(err)
	}
	s.get("/studio/api/jobs/" + j.ID + "/events")
	s.ask("GET", "/studio/api/jobs/"+j.ID, 200, nil, &j)
	if j.State != failed || j.Error == "" || strings.Contains(j.Error, s.temp) {
		t.Errorf("%+v", j)
	}
	if a := s.get(j.ResultURL); a.code != 409 || a.status() != "wrong_state" {
		t.Errorf("result of a failure: %d %s", a.code, a.body)
	}
	for _, settings := range []string{"", "{", `{"voice":"none"}`, `{}`, `{"voice":"spk0","speed":2}`, `{"voice":"spk0","mix":[{"voice":"spk0","weight":1}]}`} {
		if a := s.upload("/studio/api/jobs", in, formPart{"settings", "", []byte(settings)}); a.code != 422 && a.code != 404 {
			t.Errorf("settings %s: %d %s", settings, a.code, a.body)
		}
	}
	temp := s.temp
	s.stop()
	if _, err := os.Stat(temp); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the sound of the session is left: %v", err)
	}
}

// TestJobsWaitAndEnd: what waits says how much is before it, can be ended, and ends with the server.
func TestJobsWaitAndEnd(t *testing.T) {
	s := start(t, func(c *Config) { c.Limits.Conversions = 1; c.Limits.Jobs = 2 })
	end, p := s.capacity.startStream() // all cores but what a stream leaves
	if p != nil {
		t.Fatal(p)
	}
	defer end()
	s.capacity.mu.Lock()
	s.capacity.used = s.capacity.total
	s.capacity.mu.Unlock()
	var j [3]job
	for i := range j {
		a := s.upload("/studio/api/jobs", formPart{"file", "x.wav", wavOf(t, tone(8000, 16000), 16000)}, formPart{"settings", "", []byte(`{"voice":"spk0"}`)})
		if err := json.Unmarshal(a.body, &j[i]); err != nil {
			t.Fatal(err)
		}
		if j[i].State != waiting || j[i].Ahead != i {
			t.Errorf("%+v", j[i])
		}
	}
	s.ask("DELETE", "/studio/api/jobs/"+j[0].ID, 204, nil, nil)
	s.ask("GET", "/studio/api/jobs/"+j[2].ID, 200, nil, &j[2])
	if j[2].Ahead != 1 {
		t.Errorf("%+v", j[2])
	}
	s.stop() // at once
}
