package server

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/sse"
)

type takeForm struct {
	File     huma.FormFile `form:"file" contentType:"audio/*,video/*" required:"true" doc:"The recording"`
	Sentence int           `form:"sentence" doc:"Number of the sentence that was read, from 0"`
}

type trainingList struct {
	Trainings []training `json:"trainings"`
}

type sentenceList struct {
	Sentences []string `json:"sentences"`
}

type takeInput struct {
	IDInput
	Take string `path:"rid"`
}

type startInput struct {
	IDInput
	Body *struct { // may be left out
		Steps int `json:"steps,omitempty" minimum:"0" doc:"0 for the usual"`
	}
}

// metricSeries are a run's figures, thinned out.
type metricSeries struct {
	Steps  []int                 `json:"steps"`
	Values map[string][]*float64 `json:"values" doc:"Means over the steps since the last point; null where there is none"`
}

type sampleList struct {
	Samples []trainSample `json:"samples"`
}

type trainSample struct {
	Step int    `json:"step"`
	Name string `json:"name"`
	URL  string `json:"url"`
}

func (s *Server) trainingRoutes() {
	seen := func(tr *trainee, err error) (*body[training], error) {
		if err != nil {
			return nil, s.told(err)
		}
		return &body[training]{s.trainings.seen(tr)}, nil
	}
	found := func(id string, do func(tr *trainee) error) (*body[training], error) {
		tr, p := s.trainings.find(id)
		if p != nil {
			return nil, p
		}
		return seen(tr, do(tr))
	}
	nothing := func(*trainee) error { return nil }
	op := s.operation
	huma.Register(s.api, op("GET", "/sentences", "list-sentences", "List sentences to read"), func(context.Context, *struct{}) (*body[sentenceList], error) {
		return &body[sentenceList]{sentenceList{append([]string{}, s.c.Sentences...)}}, nil
	})
	huma.Register(s.api, op("GET", "/trainings", "list-trainings", "List trainings"), func(context.Context, *struct{}) (*body[trainingList], error) {
		list := trainingList{Trainings: []training{}}
		for _, tr := range slices.Backward(s.trainings.list()) {
			list.Trainings = append(list.Trainings, s.trainings.seen(tr))
		}
		return &body[trainingList]{list}, nil
	})
	huma.Register(s.api, status(op("POST", "/trainings", "new-training", "Begin to record a voice"), http.StatusCreated),
		func(_ context.Context, in *struct {
			Body struct {
				Name   string `json:"name"`
				About  string `json:"about,omitempty"`
				Folder string `json:"folder,omitempty" doc:"Of recordings that are there, below the one that the server was given"`
			}
		}) (*body[training], error) {
			return seen(s.trainings.begin(in.Body.Name, in.Body.About, in.Body.Folder))
		})
	huma.Register(s.api, op("GET", "/trainings/{id}", "get-training", "Describe a training"), func(_ context.Context, in *IDInput) (*body[training], error) {
		return found(in.ID, nothing)
	})
	huma.Register(s.api, op("PATCH", "/trainings/{id}", "rename-training", "Rename a voice before it is trained"), func(_ context.Context, in *struct {
		IDInput
		Body renaming
	}) (*body[training], error) {
		return found(in.ID, func(tr *trainee) error { return s.trainings.rename(tr, in.Body) })
	})
	huma.Register(s.api, status(op("DELETE", "/trainings/{id}", "delete-training", "Delete a training with its voice"), http.StatusNoContent),
		func(_ context.Context, in *IDInput) (*struct{}, error) {
			if err := s.trainings.remove(in.ID); err != nil {
				return nil, s.told(err)
			}
			return nil, nil
		})
	registerForm(s.api, status(op("POST", "/trainings/{id}/recordings", "add-recording", "Take in a recording"), http.StatusCreated), takeForm{}, s.newTake)
	huma.Register(s.api, sounds(op("GET", "/trainings/{id}/recordings/{rid}", "get-recording", "A recording"), "audio/wav"), s.sendTake)
	huma.Register(s.api, status(op("DELETE", "/trainings/{id}/recordings/{rid}", "delete-recording", "Delete a recording"), http.StatusNoContent),
		func(_ context.Context, in *takeInput) (*struct{}, error) {
			_, err := found(in.ID, func(tr *trainee) error { return s.trainings.removeTake(tr, in.Take) })
			return nil, err
		})
	for _, do := range []struct {
		name, summary string
		run           func(tr *trainee, steps int) error
	}{
		{"start", "Train", func(tr *trainee, steps int) error { return s.trainings.start(tr, steps, false) }},
		{"stop", "Save and stop a training", func(tr *trainee, _ int) error { return s.trainings.halt(tr) }},
		{"resume", "Go on with a training", func(tr *trainee, _ int) error { return s.trainings.start(tr, 0, true) }},
	} {
		huma.Register(s.api, status(op("POST", "/trainings/{id}/"+do.name, do.name+"-training", do.summary), http.StatusAccepted),
			func(_ context.Context, in *startInput) (*body[training], error) {
				steps := 0
				if in.Body != nil {
					steps = in.Body.Steps
				}
				return found(in.ID, func(tr *trainee) error { return do.run(tr, steps) })
			})
	}
	sse.Register(s.api, op("GET", "/trainings/{id}/events", "watch-training", "Follow a training"), map[string]any{"training": training{}}, s.watchTraining)
	huma.Register(s.api, op("GET", "/trainings/{id}/metrics", "get-metrics", "The figures of a training"), func(_ context.Context, in *struct {
		IDInput
		Points int `query:"points" minimum:"1" maximum:"5000" default:"300"`
	}) (*body[metricSeries], error) {
		tr, p := s.trainings.find(in.ID)
		if p != nil {
			return nil, p
		}
		return &body[metricSeries]{s.trainings.metrics(tr, in.Points)}, nil
	})
	huma.Register(s.api, op("GET", "/trainings/{id}/samples", "list-samples", "List what came out on the way"), func(_ context.Context, in *IDInput) (*body[sampleList], error) {
		tr, p := s.trainings.find(in.ID)
		if p != nil {
			return nil, p
		}
		return &body[sampleList]{sampleList{s.trainings.samples(tr)}}, nil
	})
	huma.Register(s.api, sounds(op("GET", "/trainings/{id}/samples/{step}/{name}", "get-sample", "A sound or picture of a training"), "audio/wav", "image/png"), s.sendTrainSample)
}

func (s *Server) newTake(ctx context.Context, in *IDInput) (*body[recorded], error) {
	tr, p := s.trainings.find(in.ID)
	if p != nil {
		return nil, p
	}
	f, err := s.readForm(in.r, "file")
	if err != nil {
		return nil, s.told(err)
	}
	defer f.close()
	r, err := s.trainings.addTake(ctx, tr, f)
	if err != nil {
		return nil, s.told(err)
	}
	return &body[recorded]{r}, nil
}

func (s *Server) sendTake(_ context.Context, in *takeInput) (*huma.StreamResponse, error) {
	tr, p := s.trainings.find(in.ID)
	if p != nil {
		return nil, p
	}
	r, p := s.trainings.findTake(tr, in.Take)
	if p != nil {
		return nil, p
	}
	return s.sendOpen(in.Raw, tr.path("takes", r.ID+".wav"), "audio/wav")
}

// sendOpen sends a file of the data folder.
func (s *Server) sendOpen(in Raw, name, kind string) (*huma.StreamResponse, error) {
	file, err := s.root.Open(name)
	if err != nil {
		return nil, fail(http.StatusNotFound, "not_found", "there is no such file any more")
	}
	return &huma.StreamResponse{Body: func(huma.Context) {
		defer file.Close()
		in.w.Header().Set("Content-Type", kind)
		http.ServeContent(in.w, in.r, "", time.Time{}, file)
	}}, nil
}

// watchTraining tells how a training goes, for as long as anybody listens.
func (s *Server) watchTraining(ctx context.Context, in *IDInput, send sse.Sender) {
	tr, p := s.trainings.find(in.ID)
	if p != nil {
		send.Data(training{ID: in.ID, State: failed, Message: p.Error(), Recordings: []recorded{}, Log: []string{}}) // the answer has begun
		return
	}
	var last []byte
	told := time.Time{}
	for {
		now := s.trainings.seen(tr)
		now.Recordings = []recorded{}
		text, err := json.Marshal(now)
		if err != nil {
			return
		}
		if !bytes.Equal(text, last) || time.Since(told) > eventRepeat {
			if send.Data(now) != nil {
				return
			}
			last, told = text, time.Now()
		}
		if !pause(ctx, s.stopping, time.Second) {
			return
		}
	}
}

// mostMetrics is how much of a run's figures is read.
const mostMetrics = 64 << 20

// metrics are the figures of a run as means over so many stretches of steps.
func (t *trains) metrics(tr *trainee, points int) metricSeries {
	out := metricSeries{Steps: []int{}, Values: map[string][]*float64{}}
	var records []map[string]*float64
	for line := range bytes.Lines(t.tail(tr.path("run", "metrics.jsonl"), mostMetrics)) {
		var m map[string]*float64
		if json.Unmarshal(line, &m) == nil && m["step"] != nil {
			records = append(records, m)
		}
	}
	n := min(points, len(records))
	for i := range n {
		part := records[i*len(records)/n : (i+1)*len(records)/n]
		out.Steps = append(out.Steps, int(*part[len(part)-1]["step"])+1)
		sums, counts := map[string]float64{}, map[string]float64{}
		for _, m := range part {
			for name, v := range m {
				if v != nil && name != "step" {
					sums[name] += *v
					counts[name]++
				}
			}
		}
		for name, sum := range sums {
			if out.Values[name] == nil {
				out.Values[name] = make([]*float64, n)
			}
			mean := sum / counts[name]
			if mean-mean == 0 {
				mean, _ = strconv.ParseFloat(fmt.Sprintf("%.5g", mean), 64)
				out.Values[name][i] = &mean
			}
		}
	}
	return out
}

// samples are the sounds and pictures that a run has written.
func (t *trains) samples(tr *trainee) []trainSample {
	all := []trainSample{}
	names, err := fs.Glob(t.s.root.FS(), tr.path("run", "samples", "step-*", "*"))
	if err != nil {
		return all
	}
	for _, path := range names {
		parts := strings.Split(path, "/")
		name := parts[len(parts)-1]
		step, err := strconv.Atoi(strings.TrimPrefix(parts[len(parts)-2], "step-"))
		if err != nil || sampleKind(name) == "" {
			continue
		}
		all = append(all, trainSample{step, name, fmt.Sprintf("/studio/api/trainings/%s/samples/%d/%s", tr.ID, step, escape(name))})
	}
	slices.SortStableFunc(all, func(a, b trainSample) int {
		return cmp.Or(cmp.Compare(a.Step, b.Step), strings.Compare(a.Name, b.Name))
	})
	return all
}

func sampleKind(name string) string {
	return map[string]string{".wav": "audio/wav", ".png": "image/png"}[extension(name)]
}

func (s *Server) sendTrainSample(_ context.Context, in *struct {
	IDInput
	Step int    `path:"step" minimum:"0"`
	Name string `path:"name"`
}) (*huma.StreamResponse, error) {
	tr, p := s.trainings.find(in.ID)
	if p != nil {
		return nil, p
	}
	for _, sample := range s.trainings.samples(tr) { // so that a name leads nowhere else
		if sample.Step == in.Step && sample.Name == in.Name {
			return s.sendOpen(in.Raw, tr.path("run", "samples", fmt.Sprintf("step-%08d", in.Step), in.Name), sampleKind(in.Name))
		}
	}
	return nil, fail(http.StatusNotFound, "not_found", "there is no such sample")
}
