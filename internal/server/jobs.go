package server

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/starvc/vc/audio"
)

// States of a job.
const (
	waiting   = "waiting"
	running   = "running"
	done      = "done"
	failed    = "failed"
	cancelled = "cancelled"
)

// job is a conversion as the studio shows it.
type job struct {
	ID        string    `json:"id"`
	Name      string    `json:"name" doc:"Of the file, as the client called it"`
	State     string    `json:"state" enum:"waiting,running,done,failed,cancelled"`
	Progress  float64   `json:"progress" doc:"0 to 1"`
	Voice     jobVoice  `json:"voice"`
	Mix       []part    `json:"mix"`
	Settings  settings  `json:"settings"`
	Seconds   float64   `json:"seconds" doc:"Of sound; 0 until it was read"`
	Took      float64   `json:"took_seconds"`
	Ahead     int       `json:"ahead" doc:"Jobs that come first"`
	Created   time.Time `json:"created"`
	Error     string    `json:"error"`
	Warnings  []string  `json:"warnings"`
	SourceURL string    `json:"source_url"`
	ResultURL string    `json:"result_url"`
}

type jobVoice struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// work is a job with what it is made of.
type work struct {
	job
	upload  *shared // what came
	folder  string  // of its own, for source.wav and result.*
	voice   *voice
	begun   time.Time
	cancel  context.CancelFunc
	changed chan struct{} // closed, and made anew, when the job changes
	encode  sync.Mutex    // held while the result is written in another format
	read    bool          // the source is there
}

// shared is a file that several jobs use.
type shared struct {
	upload
	users int
}

// jobs are the session's conversions, which run as far as there are cores, in the order in which they came.
type jobs struct {
	s    *Server
	mu   sync.Mutex
	all  []*work // in order
	wake chan struct{}
}

func newJobs(s *Server) *jobs {
	j := &jobs{s: s, wake: make(chan struct{}, 1)}
	s.begun.Go(j.run)
	return j
}

// run starts jobs one after the other, when there is a core.
func (j *jobs) run() {
	var running sync.WaitGroup
	defer running.Wait()
	for {
		w := j.next()
		if w == nil {
			select {
			case <-j.wake:
				continue
			case <-j.s.stopping.Done():
				j.abandon()
				return
			}
		}
		end, err := j.s.capacity.awaitConversion(j.s.stopping)
		if err != nil {
			j.abandon()
			return
		}
		ctx, cancel := context.WithTimeout(j.s.work, j.s.c.Limits.Request)
		if !j.begin(w, cancel) { // it was cancelled in the meantime
			cancel()
			end()
			continue
		}
		running.Go(func() {
			defer end()
			defer cancel()
			j.finish(ctx, w, j.s.convertJob(ctx, j, w))
		})
	}
}

func (j *jobs) next() *work {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, w := range j.all {
		if w.State == waiting {
			return w
		}
	}
	return nil
}

// update changes a job and tells those who watch it.
func (j *jobs) update(w *work, change func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change()
	close(w.changed)
	w.changed = make(chan struct{})
}

func (j *jobs) begin(w *work, cancel context.CancelFunc) bool {
	ok := false
	j.update(w, func() {
		if ok = w.State == waiting; ok {
			w.State, w.begun, w.cancel = running, time.Now(), cancel
		}
	})
	return ok
}

func (j *jobs) finish(ctx context.Context, w *work, err error) {
	if err != nil && ctx.Err() == nil {
		j.s.told(err)
	}
	j.update(w, func() {
		w.Took = math.Round(100*time.Since(w.begun).Seconds()) / 100
		switch {
		case err == nil:
			w.State, w.Progress = done, 1
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			w.State, w.Error = failed, fmt.Sprintf("it took longer than %v and was given up: convert it in parts", j.s.c.Limits.Request)
		case ctx.Err() != nil:
			w.State = cancelled
		default:
			w.State, w.Error = failed, asProblem(err).Error()
		}
	})
}

// abandon ends all that waits.
func (j *jobs) abandon() {
	for _, w := range j.list() {
		j.update(w, func() {
			if w.State == waiting {
				w.State, w.Error = cancelled, "the server was stopped"
			}
		})
	}
}

func (j *jobs) list() []*work {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.all)
}

// seen is what a client is told of a job, and what is closed when that changes.
func (j *jobs) seen(w *work) (job, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := w.job
	if w.State == waiting {
		for _, o := range j.all {
			if o == w {
				break
			}
			if o.State == waiting || o.State == running {
				out.Ahead++
			}
		}
	}
	if w.State == running {
		out.Took = math.Round(100*time.Since(w.begun).Seconds()) / 100
	}
	return out, w.changed
}

func (j *jobs) find(id string) (*work, *problem) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, w := range j.all {
		if w.ID == id {
			return w, nil
		}
	}
	return nil, fail(http.StatusNotFound, "job_not_found", "there is no job %q: it may be of an earlier session", oneLine(id, maxNameRunes))
}

// maxWaitingJobs may wait at a time.
const maxWaitingJobs = 200

// add takes in a job on what was uploaded.
func (j *jobs) add(from *shared, name string, v *voice, mix []part, set settings) (*work, error) {
	folder, err := os.MkdirTemp(j.s.temp, "job-")
	if err != nil {
		return nil, err
	}
	id := newID("")
	if mix == nil {
		mix = []part{}
	}
	w := &work{upload: from, folder: folder, voice: v, changed: make(chan struct{}), job: job{
		ID: id, Name: name, State: waiting, Voice: jobVoice{v.id, v.name}, Mix: mix, Settings: set, Created: time.Now().UTC(), Warnings: []string{},
		SourceURL: "/studio/api/jobs/" + id + "/source", ResultURL: "/studio/api/jobs/" + id + "/result",
	}}
	j.mu.Lock()
	waits := 0
	var old []*work
	for _, o := range j.all {
		if o.State == waiting {
			waits++
		} else if o.State != running && len(j.all)-len(old) >= j.s.c.Limits.Jobs {
			old = append(old, o)
		}
	}
	if waits >= maxWaitingJobs {
		j.mu.Unlock()
		os.RemoveAll(folder)
		return nil, later(http.StatusServiceUnavailable, "busy", time.Minute, "%d recordings wait to be converted, which is the most", waits)
	}
	from.users++
	j.all = append(j.all, w)
	j.mu.Unlock()
	for _, o := range old {
		j.remove(o)
	}
	select {
	case j.wake <- struct{}{}:
	default:
	}
	return w, nil
}

// remove ends a job where it is under way, and drops its sound.
func (j *jobs) remove(w *work) {
	j.mu.Lock()
	i := slices.Index(j.all, w)
	if i < 0 {
		j.mu.Unlock()
		return
	}
	j.all = slices.Delete(j.all, i, i+1)
	if w.State == waiting || w.State == running {
		w.State = cancelled
	}
	if w.cancel != nil {
		w.cancel()
	}
	w.upload.users--
	last := w.upload.users == 0
	close(w.changed)
	w.changed = make(chan struct{})
	j.mu.Unlock()
	if last {
		os.Remove(w.upload.path)
	}
	os.RemoveAll(w.folder)
}

func (w *work) source() string { return filepath.Join(w.folder, "source.wav") }
func (w *work) result() string { return filepath.Join(w.folder, "result.wav") }

// convertJob reads the recording, writes it down as it is compared with, and converts it.
func (s *Server) convertJob(ctx context.Context, j *jobs, w *work) error {
	m, v, err := w.voice.use()
	if err != nil {
		return err
	}
	start := time.Now()
	in, err := readSound(ctx, w.upload.upload, m.Features().SampleRate, s.c.Limits.Sound)
	if err != nil {
		return err
	}
	announced := audio.Sound{Rate: in.rate, Channels: 1, Frames: int64(len(in.samples))}
	err = audio.WriteSound(ctx, w.source(), announced, "", func(e audio.Encoder) error { return e.Write(in.samples) })
	if err != nil {
		return err
	}
	j.update(w, func() {
		w.read = true
		w.Seconds = math.Round(1000*in.seconds()) / 1000
		w.Warnings = append(w.Warnings, in.warnings...)
	})
	o := w.Settings.options()
	o.Progress = func(part float64) {
		j.mu.Lock()
		moved := part-w.Progress >= 0.01
		j.mu.Unlock()
		if moved {
			j.update(w, func() { w.Progress = math.Round(1000*min(part, 0.999)) / 1000 })
		}
	}
	announced.Depth, announced.Tags = audio.DepthFloat, audio.Tags(nil).Marked(w.Voice.Name, s.c.Version)
	err = audio.WriteSound(ctx, w.result(), announced, "", func(e audio.Encoder) error {
		return convertSound(ctx, m, in, v, o, e.Write)
	})
	s.countConversion(ctx, in, time.Since(start), err)
	return err
}

// resultFormat is what a result can be downloaded as.
type resultFormat struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Ending string `json:"ending"`
	kind   string
}

func resultFormats() []resultFormat {
	all := []resultFormat{
		{"wav", "WAV", ".wav", "audio/wav"}, {"flac", "FLAC", ".flac", "audio/flac"},
	}
	if audio.HasFFmpeg() {
		all = append(all, resultFormat{"mp3", "MP3", ".mp3", "audio/mpeg"}, resultFormat{"ogg", "Ogg Vorbis", ".ogg", "audio/ogg"},
			resultFormat{"opus", "Opus", ".opus", "audio/ogg"}, resultFormat{"m4a", "MPEG-4 (AAC)", ".m4a", "audio/mp4"})
	}
	return all
}

// resultAs is the file of a result in some format, which is written when it is first asked for.
func (s *Server) resultAs(ctx context.Context, w *work, f resultFormat) (string, error) {
	w.encode.Lock()
	defer w.encode.Unlock()
	path := filepath.Join(w.folder, "as"+f.Ending)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	clip, err := audio.ReadFile(w.result())
	if err != nil {
		return "", err
	}
	announced := audio.Sound{Rate: clip.Rate, Channels: 1, Frames: int64(len(clip.Samples)), Tags: audio.Tags(nil).Marked(w.Voice.Name, s.c.Version)}
	return path, audio.WriteSound(ctx, path, announced, "", func(e audio.Encoder) error { return e.Write(clip.Samples) })
}

// peaks are for a waveform.
type peaks struct {
	Seconds float64   `json:"seconds"`
	Min     []float32 `json:"min"`
	Max     []float32 `json:"max"`
}

func readPeaks(path string, n int) (peaks, error) {
	clip, err := audio.ReadFile(path)
	if err != nil {
		return peaks{}, err
	}
	x := clip.Samples
	n = min(n, len(x))
	p := peaks{Seconds: clip.Duration().Seconds(), Min: make([]float32, n), Max: make([]float32, n)}
	for i := range n {
		part := x[i*len(x)/n : (i+1)*len(x)/n]
		p.Min[i], p.Max[i] = slices.Min(part), slices.Max(part)
	}
	return p, nil
}

// resultName is what a downloaded result is called.
func (w *work) resultName(ending string) string {
	name := strings.TrimSuffix(w.Name, extension(w.Name))
	if name == "" {
		name = "recording"
	}
	return name + "-" + w.Voice.Name + ending
}
