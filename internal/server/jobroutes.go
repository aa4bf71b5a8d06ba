package server

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/sse"
	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/internal/livesound"
)

type jobForm struct {
	File     huma.FormFile `form:"file" contentType:"audio/*,video/*" required:"true" doc:"The recording"`
	Settings string        `form:"settings" required:"true" doc:"JSON: voice or mix, pitch, formant, strength, melody"`
}

type jobList struct {
	Jobs []job `json:"jobs"`
}

// state is what the page needs to know first.
type state struct {
	Version    string            `json:"version"`
	Model      string            `json:"model"`
	FFmpeg     bool              `json:"ffmpeg"`
	SampleRate int               `json:"sample_rate"`
	Secure     bool              `json:"secure" doc:"The connection is encrypted, or to this computer"`
	Formats    []resultFormat    `json:"formats"`
	Limits     stateLimits       `json:"limits"`
	Latencies  []stateLatency    `json:"latencies"`
	Settings   map[string]bounds `json:"settings"`
	Training   stateTraining     `json:"training"`
}

type stateLimits struct {
	UploadBytes  int64   `json:"upload_bytes"`
	SoundSeconds float64 `json:"sound_seconds"`
	Streams      int     `json:"streams"`
	Conversions  int     `json:"conversions"`
	Jobs         int     `json:"jobs"`
}

type stateLatency struct {
	ID    string  `json:"id"`
	Delay float64 `json:"delay_ms"`
	About string  `json:"about"`
}

type bounds struct {
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
	Usual float64 `json:"usual"`
}

type stateTraining struct {
	Available bool   `json:"available"`
	WhyNot    string `json:"why_not"`
}

func (s *Server) state(r *http.Request) state {
	l := s.c.Limits
	st := state{
		Version: s.c.Version, Model: s.c.ModelName, FFmpeg: audio.HasFFmpeg(), SampleRate: s.c.Model.Features().SampleRate,
		Secure: r.TLS != nil || s.c.Loopback, Formats: resultFormats(), Latencies: s.delays,
		Limits: stateLimits{l.UploadBytes, l.Sound.Seconds(), s.capacity.most.streams, s.capacity.most.conversions, l.Jobs},
		Settings: map[string]bounds{
			"pitch": {-vc.MaxPitchSemitones, vc.MaxPitchSemitones, 0}, "formant": {-vc.MaxFormantSemitones, vc.MaxFormantSemitones, 0},
			"strength": {vc.MinStrength, vc.MaxStrength, 1},
		},
		Training: stateTraining{s.c.Train != nil, s.c.NoTraining},
	}
	return st
}

// measureDelays is the delay of each setting for sound at 48 kHz.
func measureDelays(m *vc.Model) ([]stateLatency, error) {
	const rate = 48000
	var all []stateLatency
	for _, l := range livesound.Latencies() {
		stream, err := m.NewStream(m.SpeakerVoice(0), l.Options(m, rate))
		if err != nil {
			return nil, err
		}
		all = append(all, stateLatency{l.Name, milliseconds(stream.Delay(stream.Pieces(l.Chunk))), l.About})
	}
	return all, nil
}

// eventEvery is how often progress is told at most, and repeated at least.
const (
	eventEvery  = 200 * time.Millisecond
	eventRepeat = 15 * time.Second
)

func (s *Server) jobRoutes() {
	huma.Register(s.api, s.operation("GET", "/state", "get-state", "Tell what the studio can do"), func(_ context.Context, in *struct{ Raw }) (*body[state], error) {
		return &body[state]{s.state(in.r)}, nil
	})
	registerForm(s.api, status(s.operation("POST", "/jobs", "convert", "Convert a recording"), http.StatusAccepted), jobForm{}, s.newJob)
	huma.Register(s.api, s.operation("GET", "/jobs", "list-jobs", "List conversions"), func(context.Context, *struct{}) (*body[jobList], error) {
		list := jobList{Jobs: []job{}}
		for _, w := range slices.Backward(s.jobs.list()) {
			seen, _ := s.jobs.seen(w)
			list.Jobs = append(list.Jobs, seen)
		}
		return &body[jobList]{list}, nil
	})
	huma.Register(s.api, s.operation("GET", "/jobs/{id}", "get-job", "Describe a conversion"), func(_ context.Context, in *IDInput) (*body[job], error) {
		w, p := s.jobs.find(in.ID)
		if p != nil {
			return nil, p
		}
		seen, _ := s.jobs.seen(w)
		return &body[job]{seen}, nil
	})
	huma.Register(s.api, status(s.operation("POST", "/jobs/{id}/again", "convert-again", "Convert a recording another time"), http.StatusAccepted), s.again)
	huma.Register(s.api, status(s.operation("DELETE", "/jobs/{id}", "delete-job", "End a conversion and drop its sound"), http.StatusNoContent),
		func(_ context.Context, in *IDInput) (*struct{}, error) {
			w, p := s.jobs.find(in.ID)
			if p != nil {
				return nil, p
			}
			s.jobs.remove(w)
			return nil, nil
		})
	sse.Register(s.api, s.operation("GET", "/jobs/{id}/events", "watch-job", "Follow a conversion"), map[string]any{"job": job{}}, s.watchJob)
	huma.Register(s.api, sounds(s.operation("GET", "/jobs/{id}/source", "get-source", "The recording, at the model's rate"), "audio/wav"),
		func(_ context.Context, in *IDInput) (*huma.StreamResponse, error) {
			w, p := s.jobs.find(in.ID)
			if p != nil {
				return nil, p
			}
			s.jobs.mu.Lock()
			read := w.read
			s.jobs.mu.Unlock()
			if !read {
				return nil, wrongState("%s was not read yet", w.Name)
			}
			return s.sendFile(in.Raw, w.source(), "audio/wav", "")
		})
	huma.Register(s.api, sounds(s.operation("GET", "/jobs/{id}/result", "get-result", "The converted recording"), "audio/wav", "audio/flac", "audio/mpeg", "audio/ogg",
		"audio/mp4"), s.sendResult)
	huma.Register(s.api, s.operation("GET", "/jobs/{id}/peaks", "get-peaks", "The outline of a sound"), func(_ context.Context, in *struct {
		IDInput
		Of string `query:"of" enum:"source,result" default:"result"`
		N  int    `query:"n" minimum:"1" maximum:"20000" default:"1000"`
	}) (*body[peaks], error) {
		w, p := s.jobs.find(in.ID)
		if p != nil {
			return nil, p
		}
		path := w.result()
		if in.Of == "source" {
			path = w.source()
		}
		if seen, _ := s.jobs.seen(w); seen.State != done {
			return nil, wrongState("the conversion of %s is not done", w.Name)
		}
		out, err := readPeaks(path, in.N)
		if err != nil {
			return nil, s.told(err)
		}
		return &body[peaks]{out}, nil
	})
}

func (s *Server) newJob(_ context.Context, in *struct{ Raw }) (*body[job], error) {
	if s.stopping.Err() != nil {
		return nil, stopping()
	}
	f, err := s.readForm(in.r, "file")
	if err != nil {
		return nil, s.told(err)
	}
	defer f.close()
	var ask wish
	if p := decodeStrictly(f.values["settings"], &ask, "settings"); p != nil {
		return nil, p
	}
	v, set, p := s.voices.wished(ask)
	if p != nil {
		return nil, p
	}
	u, err := f.take("file")
	if err != nil {
		return nil, err
	}
	if u.name == "" {
		u.name = "recording"
	}
	return s.addJob(&shared{upload: u}, u.name, v, ask.Mix, set)
}

func (s *Server) addJob(from *shared, name string, v *voice, mix []part, set settings) (*body[job], error) {
	w, err := s.jobs.add(from, name, v, mix, set)
	if err != nil {
		if from.users == 0 {
			os.Remove(from.path)
		}
		return nil, s.told(err)
	}
	seen, _ := s.jobs.seen(w)
	return &body[job]{seen}, nil
}

func (s *Server) again(_ context.Context, in *struct {
	IDInput
	Body wish
}) (*body[job], error) {
	w, p := s.jobs.find(in.ID)
	if p != nil {
		return nil, p
	}
	v, set, p := s.voices.wished(in.Body)
	if p != nil {
		return nil, p
	}
	return s.addJob(w.upload, w.Name, v, in.Body.Mix, set)
}

// watchJob tells how a job goes until it has ended.
func (s *Server) watchJob(ctx context.Context, in *IDInput, send sse.Sender) {
	w, p := s.jobs.find(in.ID)
	if p != nil {
		send.Data(job{ID: in.ID, State: failed, Error: p.Error()}) // the answer has begun
		return
	}
	for {
		seen, changed := s.jobs.seen(w)
		if send.Data(seen) != nil || seen.State != waiting && seen.State != running {
			return
		}
		if !pause(ctx, s.stopping, eventEvery) {
			return
		}
		select {
		case <-changed:
		case <-time.After(eventRepeat):
		case <-ctx.Done():
			return
		case <-s.stopping.Done():
			return
		}
	}
}

// pause waits, and is false where ctx or stopping ended.
func pause(ctx, stopping context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
	case <-stopping.Done():
	}
	return false
}

func (s *Server) sendResult(ctx context.Context, in *struct {
	IDInput
	Format   string `query:"format" default:"wav" doc:"One of the formats of the state"`
	Download bool   `query:"download"`
}) (*huma.StreamResponse, error) {
	w, p := s.jobs.find(in.ID)
	if p != nil {
		return nil, p
	}
	if seen, _ := s.jobs.seen(w); seen.State != done {
		return nil, wrongState("the conversion of %s is not done", w.Name)
	}
	all := resultFormats()
	i := slices.IndexFunc(all, func(f resultFormat) bool { return f.ID == in.Format })
	if i < 0 {
		message := fmt.Sprintf("%q cannot be written here", oneLine(in.Format, 20))
		if !audio.HasFFmpeg() {
			message += ": there is no ffmpeg on this computer, without which there are wav and flac"
		}
		return nil, invalid(message, "query", "format")
	}
	path, err := s.resultAs(ctx, w, all[i])
	if err != nil {
		return nil, s.told(err)
	}
	name := ""
	if in.Download {
		name = w.resultName(all[i].Ending)
	}
	return s.sendFile(in.Raw, path, all[i].kind, name)
}

// sendFile sends a file of the server's own, as a download where it has a name.
func (s *Server) sendFile(in Raw, path, kind, name string) (*huma.StreamResponse, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, s.told(err)
	}
	return &huma.StreamResponse{Body: func(huma.Context) {
		defer file.Close()
		in.w.Header().Set("Content-Type", kind)
		in.w.Header().Set("Cache-Control", "private, max-age=3600")
		if name != "" {
			attach(in.w, name, kind)
		}
		http.ServeContent(in.w, in.r, "", time.Time{}, file)
	}}, nil
}
