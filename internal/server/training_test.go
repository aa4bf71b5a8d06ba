package server

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/starvc/vc/gan"
	"github.com/starvc/vc/internal/untrained"
)

// trainerRole makes the test binary pretend to train: it writes what a run writes, and ends in order when it is told to.
const trainerRole = "VC_TEST_TRAINER"

// trainerCommand runs the test binary as a trainer; steps is how many it makes in 10 ms each.
func trainerCommand(r TrainRequest) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	text, _ := json.Marshal(r)
	cmd.Env = append(os.Environ(), trainerRole+"="+string(text))
	return cmd
}

func pretendToTrain() int {
	var r TrainRequest
	if err := json.Unmarshal([]byte(os.Getenv(trainerRole)), &r); err != nil {
		return 2
	}
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	config := filepath.Join(r.Run, "config.json")
	first := 0
	if r.Resume {
		var c struct {
			Config  struct{ Steps int }
			Request TrainRequest
			Done    int
		}
		text, err := os.ReadFile(config)
		if err != nil || json.Unmarshal(text, &c) != nil {
			return 1
		}
		r.Steps, first, r.Output, r.Speakers = c.Config.Steps, c.Done, c.Request.Output, c.Request.Speakers
	} else if r.Steps == 13 {
		fmt.Fprintln(os.Stderr, "vc: the recordings are all the same: record others")
		return 1
	}
	write := func(done int) {
		os.MkdirAll(filepath.Join(r.Run, "samples", "step-00000001"), 0o755)
		os.WriteFile(filepath.Join(r.Run, "samples", "step-00000001", "me as a.wav"), []byte("RIFF"), 0o644)
		os.WriteFile(filepath.Join(r.Run, "samples", "step-00000001", "notes.txt"), []byte("x"), 0o644)
		text, _ := json.Marshal(map[string]any{"config": map[string]any{"steps": r.Steps}, "Request": r, "Done": done})
		os.WriteFile(config, text, 0o644)
	}
	write(first)
	log, err := os.OpenFile(filepath.Join(r.Run, "metrics.jsonl"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 1
	}
	names, _ := filepath.Glob(filepath.Join(r.Speakers, "*"))
	if len(names) != 1 {
		return 1
	}
	for step := first; step < r.Steps; step++ {
		select {
		case <-told:
			write(step)
			fmt.Fprintf(os.Stderr, "vc: stopped after step %d of %d and saved\n", step, r.Steps)
			return 130
		case <-time.After(10 * time.Millisecond):
		}
		fmt.Fprintf(log, `{"step":%d,"rate":0.001,"loss":%g,"odd":null}`+"\n", step, 1/float64(step+1))
		if step%10 == 0 {
			fmt.Fprintf(os.Stderr, "vc: step %d\n", step)
		}
	}
	m := untrained.Model(gan.Tiny(), 4, 1)
	m.Speakers[3].Name = filepath.Base(names[0])
	if m.Save(r.Output, gan.Full) != nil {
		return 1
	}
	write(r.Steps)
	return 0
}

func unixOnly(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("children are not told to stop here")
	}
}

// readSentences gives a training so many sentences.
func readSentences(s *testServer, id string, n int) {
	s.t.Helper()
	for i := range n {
		x := tone(48000*4, 48000)
		if a := s.upload("/studio/api/trainings/"+id+"/recordings", formPart{"file", "take.wav", wavOf(s.t, x, 48000)}, formPart{"sentence", "", []byte(strconv.Itoa(i))}); a.code != 201 {
			s.t.Fatalf("%d %s", a.code, a.body)
		}
	}
}

func (s *testServer) training(id string) training {
	s.t.Helper()
	var tr training
	s.ask("GET", "/studio/api/trainings/"+id, 200, nil, &tr)
	return tr
}

func (s *testServer) untilState(id string, states ...string) training {
	s.t.Helper()
	var tr training
	waitFor(s.t, "the training is "+strings.Join(states, " or "), func() bool {
		tr = s.training(id)
		return slices.Contains(states, tr.State)
	})
	return tr
}

func TestTraining(t *testing.T) {
	unixOnly(t)
	s := start(t, func(c *Config) { c.Train = trainerCommand })
	var tr training
	s.ask("POST", "/studio/api/trainings", 201, map[string]string{"name": "Me & co", "about": "a test"}, &tr)
	at := "/studio/api/trainings/" + tr.ID
	if tr.State != recording || tr.Enough || tr.Advice == "" {
		t.Errorf("%+v", tr)
	}
	if a := s.do(s.request("POST", at+"/start", strings.NewReader("{}"), "Content-Type", "application/json")); a.code != 409 {
		t.Errorf("without recordings: %d %s", a.code, a.body)
	}
	readSentences(s, tr.ID, 3)
	readSentences(s, tr.ID, 1) // again
	tr = s.training(tr.ID)
	if len(tr.Recordings) != 3 || tr.Speech < 5 || tr.Recordings[2].ID != "0004" {
		t.Errorf("%+v", tr)
	}
	if a := s.get(tr.Recordings[0].URL); a.code != 200 || string(a.body[:4]) != "RIFF" {
		t.Errorf("recording: %d", a.code)
	}
	if a := s.upload(at+"/recordings", formPart{"file", "x.wav", wavOf(t, tone(16000, 16000), 16000)}, formPart{"sentence", "", []byte("3")}); a.code != 422 {
		t.Errorf("sentence 3 of 3: %d %s", a.code, a.body)
	}
	var extra recorded
	a := s.upload(at+"/recordings", formPart{"file", "x.wav", wavOf(t, make([]float32, 48000), 48000)})
	if err := json.Unmarshal(a.body, &extra); err != nil || extra.OK || !strings.Contains(extra.Remarks[0], "silence") {
		t.Errorf("%d %s", a.code, a.body)
	}
	s.ask("DELETE", at+"/recordings/"+extra.ID, 204, nil, nil)

	s.ask("POST", at+"/start", 202, map[string]int{"steps": 3000}, &tr)
	if tr.State != running {
		t.Errorf("%+v", tr)
	}
	if a := s.do(s.request("POST", at+"/start", strings.NewReader("{}"), "Content-Type", "application/json")); a.code != 409 {
		t.Errorf("twice: %d %s", a.code, a.body)
	}
	if a := s.do(s.request("DELETE", at, nil)); a.code != 409 {
		t.Errorf("deleted while it runs: %d %s", a.code, a.body)
	}
	waitFor(t, "steps", func() bool { return s.training(tr.ID).Step > 20 })
	if tr = s.training(tr.ID); tr.Steps != 3000 || tr.Progress <= 0 || len(tr.Log) == 0 {
		t.Errorf("%+v", tr)
	}
	s.ask("POST", at+"/stop", 202, nil, nil)
	tr = s.untilState(tr.ID, stopped)
	var m metricSeries
	s.ask("GET", at+"/metrics?points=5", 200, nil, &m)
	if len(m.Steps) != 5 || len(m.Values["loss"]) != 5 || *m.Values["loss"][0] <= *m.Values["loss"][4] {
		t.Errorf("%+v", m)
	}
	var samples sampleList
	s.ask("GET", at+"/samples", 200, nil, &samples)
	if len(samples.Samples) != 1 {
		t.Errorf("%+v", samples)
	} else if a := s.get(samples.Samples[0].URL); a.code != 200 || string(a.body) != "RIFF" {
		t.Errorf("%s: %d %s", samples.Samples[0].URL, a.code, a.body)
	}
	if a := s.get(at + "/samples/1/notes.txt"); a.code != 404 {
		t.Errorf("notes: %d", a.code)
	}

	// It goes on, the server stops and tells it to, and the next server goes on with it.
	s.ask("POST", at+"/resume", 202, nil, nil)
	waitFor(t, "steps", func() bool { return s.training(tr.ID).Step > tr.Step+5 })
	s.stop()
	s = start(t, func(c *Config) { c.Data = s.data; c.Train = trainerCommand })
	if tr = s.training(tr.ID); tr.State != stopped || tr.Step == 0 || len(tr.Recordings) != 3 {
		t.Fatalf("%+v", tr)
	}
	shorten(t, s, tr.ID)
	s.ask("POST", at+"/resume", 202, nil, nil)
	tr = s.untilState(tr.ID, done, failed)
	if tr.State != done || tr.Voice != tr.ID || tr.Progress != 1 {
		t.Fatalf("%+v", tr)
	}
	var c card
	s.ask("GET", "/studio/api/voices/"+tr.Voice, 200, nil, &c)
	if c.Kind != kindTrained || c.Name != "Me & co" || c.About != "a test" {
		t.Errorf("%+v", c)
	}
	if a := s.upload("/v1/speech-to-speech/"+tr.Voice+"?output_format=pcm_16000", formPart{"audio", "x.wav", wavOf(t, tone(8000, 16000), 16000)}); a.code != 200 || len(a.body) != 16000 {
		t.Errorf("in that voice: %d %s", a.code, a.body)
	}
	if a := s.get(c.FileURL + "?model=true"); a.code != 200 || len(a.body) < 1000 {
		t.Errorf("its model: %d", a.code)
	}
	// A live stream goes over to the other model and back.
	l := s.dial()
	l.say(startWith(fields{"max_delay_ms": 5000}))
	l.hear("ready")
	x := tone(16000, 16000)
	for i := 0; i < len(x); i += 1600 {
		if i == 4800 {
			l.say(fields{"type": "set", "seq": 1, "voice": tr.Voice})
			l.hear("set")
		}
		if err := l.speak(x[i : i+1600]); err != nil {
			t.Fatal(err)
		}
	}
	l.say(fields{"type": "flush"})
	if m := l.hear("flushed"); len(l.sound)+int(m["dropped_samples"].(float64)) < 15500 {
		t.Errorf("%d samples came back: %v", len(l.sound), m)
	}
	s.ask("PATCH", "/studio/api/voices/"+tr.Voice, 200, map[string]string{"name": "Myself"}, nil)
	s.stop()
	s = start(t, func(c *Config) { c.Data = s.data; c.Train = trainerCommand })
	s.ask("GET", "/studio/api/voices/"+tr.Voice, 200, nil, &c)
	if c.Name != "Myself" {
		t.Errorf("%+v", c)
	}
	s.ask("DELETE", at, 204, nil, nil)
	if a := s.get("/studio/api/voices/" + tr.Voice); a.code != 404 {
		t.Errorf("deleted: %d", a.code)
	}
	if _, err := os.Stat(filepath.Join(s.data, "trainings", tr.ID)); err == nil {
		t.Error("its folder is left")
	}
}

// shorten leaves few steps to a run.
func shorten(t *testing.T, s *testServer, id string) {
	path := filepath.Join(s.data, "trainings", id, "run", "config.json")
	var c map[string]any
	if err := json.Unmarshal(must(os.ReadFile(path)), &c); err != nil {
		t.Fatal(err)
	}
	c["config"] = map[string]any{"steps": c["Done"].(float64) + 20}
	if err := os.WriteFile(path, must(json.Marshal(c)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestTrainingOutlivesTheServer: the child of a server that was killed is found again by the next one.
func TestTrainingOutlivesTheServer(t *testing.T) {
	unixOnly(t)
	s := start(t, func(c *Config) { c.Train = trainerCommand })
	var tr training
	s.ask("POST", "/studio/api/trainings", 201, map[string]string{"name": "me"}, &tr)
	readSentences(s, tr.ID, 3)
	s.ask("POST", "/studio/api/trainings/"+tr.ID+"/start", 202, map[string]int{"steps": 300}, nil)
	// To the next server it is the same whether this one was killed, or lives on and is not asked.
	next := start(t, func(c *Config) { c.Data = s.data; c.Train = trainerCommand })
	if tr = next.training(tr.ID); tr.State != running {
		t.Errorf("%+v", tr)
	}
	next.ask("POST", "/studio/api/trainings/"+tr.ID+"/stop", 202, nil, nil)
	if tr = next.untilState(tr.ID, stopped, done); tr.State != stopped {
		t.Errorf("%+v", tr)
	}
	s.untilState(tr.ID, stopped, failed)
}

// TestTrainingFails in the child's own words.
func TestTrainingFails(t *testing.T) {
	unixOnly(t)
	s := start(t, func(c *Config) { c.Train = trainerCommand })
	var tr training
	s.ask("POST", "/studio/api/trainings", 201, map[string]string{"name": "me"}, &tr)
	readSentences(s, tr.ID, 3)
	s.ask("POST", "/studio/api/trainings/"+tr.ID+"/start", 202, map[string]int{"steps": 13}, nil)
	if tr = s.untilState(tr.ID, failed); tr.Message != "the recordings are all the same: record others" {
		t.Errorf("%+v", tr)
	}
	none := start(t, func(c *Config) { c.NoTraining = "no reason" })
	none.ask("POST", "/studio/api/trainings", 201, map[string]string{"name": "me"}, &tr)
	a := none.do(none.request("POST", "/studio/api/trainings/"+tr.ID+"/start", strings.NewReader("{}"), "Content-Type", "application/json"))
	if a.code != 409 || !strings.Contains(string(a.body), "no reason") {
		t.Errorf("%d %s", a.code, a.body)
	}
}

// TestRecordingsAreJudged in words that say what to do.
func TestRecordingsAreJudged(t *testing.T) {
	const rate = 48000
	speak := func(gain float64, noise float32) []float32 {
		x := tone(4*rate, rate)
		seed := uint32(1)
		for i, v := range x {
			seed = seed*1664525 + 1013904223
			x[i] = max(-1, min(1, float32(gain)*v+noise*(float32(seed>>8)/(1<<23)-1)))
		}
		return x
	}
	for _, c := range []struct {
		name string
		x    []float32
		from int
		ok   bool
		has  string
	}{
		{"good", speak(1, 0.0002), rate, true, ""},
		{"silence", make([]float32, rate), rate, false, "silence"},
		{"overdriven", speak(30, 0), rate, false, "cut off"},
		{"whispered far away", speak(0.01, 0), rate, false, "too quiet"},
		{"quiet", speak(0.04, 0), rate, true, "rather quiet"},
		{"noisy", speak(1, 0.03), rate, true, "noise in the background"},
		{"in a storm", speak(0.3, 0.1), rate, false, "background"},
		{"short", speak(1, 0)[:rate/4], rate, false, "hardly any speech"},
		{"by phone", speak(1, 0.0002), 16000, true, "16000 Hz"},
	} {
		r := hear(c.x, rate, c.from)
		if words := strings.Join(r.Remarks, "; "); r.OK != c.ok || !strings.Contains(words, c.has) || c.has == "" && words != "" {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
}
