package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/starvc/vc"
	"github.com/starvc/vc/internal/atomicfile"
)

// TrainRequest is what a training is to do. Paths are whole.
type TrainRequest struct {
	Speakers string // folder that holds the speaker's folder of recordings
	Run      string // folder of the run
	Output   string // file of the model that is made
	Steps    int    // 0 for the usual
	Resume   bool   // go on with the run, for which the rest is known
}

// TrainCommand makes the command that trains. It is started in its own process group, says how it goes on standard error, and ends
// in order, having saved, when it is interrupted.
type TrainCommand func(TrainRequest) *exec.Cmd

// States of a training.
const (
	recording = "recording"
	halting   = "stopping"
	stopped   = "stopped"
)

const (
	trainingsDir  = "trainings"
	trainingFile  = "training.json"
	leastSpeech   = 5.0   // seconds, to begin with
	enoughSpeech  = 120.0 // seconds
	goodSpeech    = 300.0 // seconds
	maxTrainings  = 50
	maxRecordings = 500
	maxSteps      = 100000
)

// training is one as the studio shows it, and as its file keeps it.
type training struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	About      string     `json:"about"`
	State      string     `json:"state" enum:"recording,running,stopping,stopped,done,failed"`
	Recordings []recorded `json:"recordings"`
	Speech     float64    `json:"speech_seconds"`
	Enough     bool       `json:"enough"`
	Advice     string     `json:"advice"`
	Step       int        `json:"step"`
	Steps      int        `json:"steps"`
	Progress   float64    `json:"progress"`
	Left       float64    `json:"left_seconds"`
	Message    string     `json:"message"`
	Log        []string   `json:"log"`
	Voice      string     `json:"voice"`
	Created    time.Time  `json:"created"`
	Started    *time.Time `json:"started"`
}

// kept is what a training's file holds besides.
type kept struct {
	training
	Folder     string  `json:"folder,omitempty"`    // of recordings that were there, below the server's
	Speaker    string  `json:"speaker"`             // what the voice is called in the model
	Next       int     `json:"next_recording"`      // number of the next one
	PID        int     `json:"pid,omitempty"`       // of the child
	PIDBegun   string  `json:"pid_begun,omitempty"` // so that another process of that number is not taken for it
	PitchHz    float64 `json:"pitch_hz,omitempty"`
	Space      string  `json:"space,omitempty"`
	VoiceName  string  `json:"voice_name,omitempty"`
	VoiceAbout string  `json:"voice_about,omitempty"`
}

// trainee is a training with what goes on.
type trainee struct {
	kept
	child *os.Process
	pace  []mark // steps and when they were made, the latest
}

type mark struct {
	at   time.Time
	step int
}

// trains are all trainings on the data folder.
type trains struct {
	s   *Server
	mu  sync.Mutex
	all []*trainee // in order
}

// openTrainings finds the trainings of earlier servers.
func openTrainings(s *Server) (*trains, error) {
	t := &trains{s: s}
	if err := s.root.MkdirAll(trainingsDir, 0o700); err != nil {
		return nil, fmt.Errorf("folder of trainings: %w", err)
	}
	names, err := fs.Glob(s.root.FS(), trainingsDir+"/*/"+trainingFile)
	if err != nil {
		return nil, fmt.Errorf("folder of trainings: %w", err)
	}
	for _, name := range names {
		tr, err := t.open(name)
		if err != nil {
			s.log.Warn("a training is left out", "file", name, "why", err)
			continue
		}
		t.all = append(t.all, tr)
	}
	slices.SortFunc(t.all, func(a, b *trainee) int { return a.Created.Compare(b.Created) })
	for _, tr := range t.all {
		switch tr.State {
		case running, halting:
			t.adopt(tr)
		case done:
			t.addVoice(tr)
		}
	}
	return t, nil
}

func (t *trains) open(name string) (*trainee, error) {
	text, err := t.s.root.ReadFile(name)
	if err != nil {
		return nil, err
	}
	tr := &trainee{}
	if err := json.Unmarshal(text, &tr.kept); err != nil {
		return nil, err
	}
	if folder := filepath.Base(filepath.Dir(name)); tr.ID != folder {
		return nil, fmt.Errorf("it is of training %q and lies in the folder of %q", tr.ID, folder)
	}
	return tr, nil
}

// path is that of a file of a training, in the data folder.
func (tr *trainee) path(parts ...string) string {
	return strings.Join(append([]string{trainingsDir, tr.ID}, parts...), "/")
}

// whole is the same as other programs are told it.
func (t *trains) whole(tr *trainee, parts ...string) string {
	return filepath.Join(t.s.data, filepath.FromSlash(tr.path(parts...)))
}

// save writes a training's file. t.mu is held.
func (t *trains) save(tr *trainee) error {
	text, err := json.MarshalIndent(tr.kept, "", " ")
	if err != nil {
		return err
	}
	if err := atomicfile.WriteIn(t.s.root, tr.path(trainingFile), text, 0o600); err != nil {
		return fmt.Errorf("training: %w", err)
	}
	return nil
}

func (t *trains) find(id string) (*trainee, *problem) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, tr := range t.all {
		if tr.ID == id {
			return tr, nil
		}
	}
	return nil, fail(http.StatusNotFound, "training_not_found", "there is no training %q", oneLine(id, maxNameRunes))
}

// begin makes a training, to which recordings may come.
func (t *trains) begin(name, about, folder string) (*trainee, error) {
	name = oneLine(name, 40)
	if name == "" {
		return nil, invalid("is empty: what shall the voice be called?", "body", "name")
	}
	tr := &trainee{kept: kept{training: training{
		ID: newID(name), Name: name, About: oneLine(about, 100), State: recording, Recordings: []recorded{}, Log: []string{},
		Created: time.Now().UTC().Truncate(time.Second),
	}, Speaker: t.speakerName(name)}}
	if folder != "" {
		if err := t.allow(folder); err != nil {
			return nil, err
		}
		tr.Folder = folder
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.all) >= maxTrainings {
		return nil, wrongState("%d trainings are kept, which is the most: delete some", len(t.all))
	}
	if err := t.s.root.MkdirAll(tr.path("takes"), 0o700); err != nil {
		return nil, fmt.Errorf("training: %w", err)
	}
	if err := t.save(tr); err != nil {
		return nil, err
	}
	t.all = append(t.all, tr)
	return tr, nil
}

// allow sees that a folder of recordings lies below the one that the server was given.
func (t *trains) allow(folder string) error {
	refuse := func(why string) error {
		return fail(http.StatusForbidden, "folder_not_allowed", "recordings cannot be taken from %q: %s", oneLine(folder, 2*maxNameRunes), why)
	}
	if t.s.c.Recordings == "" {
		return refuse("this server was given no folder of recordings; send the recordings themselves")
	}
	if !filepath.IsLocal(filepath.FromSlash(folder)) {
		return refuse("name a folder below the one that this server was given")
	}
	root, err := os.OpenRoot(t.s.c.Recordings)
	if err != nil {
		return err
	}
	defer root.Close()
	info, err := root.Stat(filepath.FromSlash(folder))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail(http.StatusNotFound, "not_found", "there is no folder %q below the one that this server was given", oneLine(folder, 2*maxNameRunes))
	case err != nil:
		return refuse("it leads out of the folder that this server was given")
	case !info.IsDir():
		return refuse("it is no folder")
	}
	return nil
}

// speakerName makes a name fit for a folder of recordings, that no voice of the model has.
func (t *trains) speakerName(name string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, name)
	clean = strings.Trim(clean, "-_")
	if clean == "" {
		clean = "voice"
	}
	taken := func(name string) bool {
		for _, v := range t.s.c.Model.Voices() {
			if strings.EqualFold(v.Name, name) {
				return true
			}
		}
		return false
	}
	unique := clean
	for n := 2; taken(unique); n++ {
		unique = fmt.Sprintf("%s-%d", clean, n)
	}
	return unique
}

// seen is what a client is told.
func (t *trains) seen(tr *trainee) training {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := tr.training
	out.Recordings = slices.Clone(tr.Recordings)
	out.Speech, out.Enough, out.Advice = t.judge(tr)
	out.Log = t.lastLines(tr)
	if out.State != recording && out.State != done {
		out.Step, out.Steps = t.progress(tr)
		tr.Step, tr.Steps = out.Step, out.Steps
	}
	if out.Steps > 0 {
		out.Progress = min(1, math.Round(1000*float64(out.Step)/float64(out.Steps))/1000)
	}
	if out.State == running {
		out.Left = tr.left(time.Now(), out.Step, out.Steps)
	}
	return out
}

// judge says how much speech there is and what else would do.
func (t *trains) judge(tr *trainee) (seconds float64, enough bool, advice string) {
	for _, r := range tr.Recordings {
		if r.OK {
			seconds += r.Speech
		}
	}
	seconds = math.Round(10*seconds) / 10
	if tr.Folder != "" && len(tr.Recordings) == 0 {
		return 0, true, "the recordings lie in a folder on the server, and are looked at when the training begins"
	}
	const sentence = 3.5
	more := func(goal float64) int { return max(1, int(math.Ceil((goal-seconds)/sentence))) }
	switch {
	case seconds < leastSpeech:
		return seconds, false, fmt.Sprintf("%d more sentences at least are needed to begin at all", more(leastSpeech))
	case seconds < enoughSpeech:
		return seconds, false, fmt.Sprintf("%.0f seconds of speech are here: %d more sentences would do, and five minutes of speech are good", seconds, more(enoughSpeech))
	case seconds < goodSpeech:
		return seconds, true, fmt.Sprintf("%.0f seconds of speech are enough to begin; five minutes are better", seconds)
	}
	return seconds, true, "this is plenty of speech"
}

// left is how long the rest takes at the pace of the last minutes, in seconds; 0 where that is not known yet.
func (tr *trainee) left(now time.Time, step, steps int) float64 {
	if n := len(tr.pace); n == 0 || tr.pace[n-1].step != step {
		if n > 0 && step < tr.pace[n-1].step {
			tr.pace = nil
		}
		tr.pace = append(tr.pace, mark{now, step})
		if len(tr.pace) > 60 {
			tr.pace = slices.Delete(tr.pace, 0, 1)
		}
	}
	first, last := tr.pace[0], tr.pace[len(tr.pace)-1]
	if last.step <= first.step || steps <= step {
		return 0
	}
	return math.Round(float64(steps-step) * last.at.Sub(first.at).Seconds() / float64(last.step-first.step))
}

// progress is how far a run is, by what it has written. The training may have more steps than were asked for.
func (t *trains) progress(tr *trainee) (step, steps int) {
	step, steps = tr.Step, tr.Steps
	if text, err := t.s.root.ReadFile(tr.path("run", "config.json")); err == nil {
		var c struct {
			Config struct {
				Steps int `json:"steps"`
			} `json:"config"`
		}
		if json.Unmarshal(text, &c) == nil && c.Config.Steps > 0 {
			steps = c.Config.Steps
		}
	}
	if text := t.tail(tr.path("run", "metrics.jsonl"), 1<<16); len(text) > 0 {
		for line := range bytes.Lines(text) {
			var m struct {
				Step *int `json:"step"`
			}
			if json.Unmarshal(line, &m) == nil && m.Step != nil {
				step = *m.Step + 1
			}
		}
	}
	return step, steps
}

// tail is the end of a file.
func (t *trains) tail(name string, n int64) []byte {
	f, err := t.s.root.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > n {
		f.Seek(-n, io.SeekEnd)
	}
	text, err := io.ReadAll(io.LimitReader(f, n))
	if err != nil {
		return nil
	}
	return text
}

// lastLines are the last that the child has said.
func (t *trains) lastLines(tr *trainee) []string {
	lines := []string{}
	for line := range strings.Lines(string(t.tail(tr.path("log.txt"), 8<<10))) {
		line = strings.ReplaceAll(strings.TrimPrefix(oneLine(line, 300), "vc: "), t.s.data, "")
		if line != "" {
			lines = append(lines, line)
		}
	}
	return lines[max(0, len(lines)-20):]
}

// addVoice lists the voice that a training has made. Its model is read when it is needed.
func (t *trains) addVoice(tr *trainee) {
	path, speaker := t.whole(tr, "model.safetensors"), tr.Speaker
	t.s.voices.addTrained(&voice{
		id: tr.ID, name: tr.VoiceName, about: tr.VoiceAbout, kind: kindTrained, pitchHz: tr.PitchHz, created: tr.Created, space: tr.Space,
		model: sync.OnceValues(func() (*vc.Model, error) {
			m, err := vc.Open(path)
			if err == nil && t.s.c.Unmarked {
				m = m.Unmarked()
			}
			return m, err
		}),
		find: func(m *vc.Model) (vc.Voice, error) { return m.Voice(speaker) },
	})
}

// learn looks at the model that a training has made, and lists its voice.
func (t *trains) learn(tr *trainee) error {
	m, err := vc.Open(t.whole(tr, "model.safetensors"))
	if err != nil {
		return err
	}
	v, err := m.Voice(tr.Speaker)
	if err != nil {
		return err
	}
	tr.PitchHz, tr.Space = math.Exp(v.LogF0.Mean), m.StyleSpace()
	tr.VoiceName, tr.VoiceAbout, tr.Voice = tr.Name, tr.About, tr.ID
	if tr.VoiceAbout == "" {
		tr.VoiceAbout = "trained here"
	}
	t.addVoice(tr)
	return nil
}

// renameVoice changes what a trained voice is called.
func (t *trains) renameVoice(id, name, about string) error {
	tr, p := t.find(id)
	if p != nil {
		return p
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	tr.VoiceName, tr.VoiceAbout = name, about
	return t.save(tr)
}

// rename changes what a voice will be called.
func (t *trains) rename(tr *trainee, r renaming) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if tr.State != recording {
		return wrongState("the training has begun: rename the voice itself")
	}
	if r.Name != nil {
		name := oneLine(*r.Name, 40)
		if name == "" {
			return invalid("is empty", "body", "name")
		}
		tr.Name, tr.Speaker = name, t.speakerName(name)
	}
	if r.About != nil {
		tr.About = oneLine(*r.About, 100)
	}
	return t.save(tr)
}

// remove deletes a training with all that it made.
func (t *trains) remove(id string) error {
	tr, p := t.find(id)
	if p != nil {
		return p
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if tr.State == running || tr.State == halting {
		return wrongState("%s is being trained: stop that first", tr.Name)
	}
	t.s.voices.drop(tr.ID)
	t.all = slices.DeleteFunc(t.all, func(o *trainee) bool { return o == tr })
	return t.s.root.RemoveAll(tr.path())
}

// openModel opens the file of a trained voice's model.
func (t *trains) openModel(id string) (*os.File, error) {
	tr, p := t.find(id)
	if p != nil {
		return nil, p
	}
	return t.s.root.Open(tr.path("model.safetensors"))
}
