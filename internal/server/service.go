package server

import (
	"bytes"
	"context"
	"io/fs"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

type health struct {
	Status string `json:"status" enum:"ok,stopping"`
}

// serviceRoutes are those for whoever runs the server.
func (s *Server) serviceRoutes(mux *http.ServeMux) {
	huma.Register(s.api, huma.Operation{OperationID: "health", Method: "GET", Path: "/healthz", Summary: "Tell whether the server works", Tags: []string{"service"}},
		func(ctx context.Context, in *struct{}) (*struct {
			Status int
			Body   health
		}, error) {
			out := &struct {
				Status int
				Body   health
			}{http.StatusOK, health{"ok"}}
			if s.stopping.Err() != nil {
				out.Status, out.Body = http.StatusServiceUnavailable, health{"stopping"}
			}
			return out, nil
		})
	mux.Handle("GET /metrics", s.metrics.handler())
	s.api.OpenAPI().AddOperation(&huma.Operation{OperationID: "metrics", Method: "GET", Path: "/metrics", Summary: "Figures for Prometheus", Tags: []string{"service"},
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{"text/plain": {}}}}})
}

// serveSample sends a sentence in a voice.
func (s *Server) serveSample(ctx context.Context, in *VoiceInput) (*huma.StreamResponse, error) {
	v, p := s.voices.find(in.VoiceID)
	if p != nil {
		return nil, p
	}
	wav, err := s.voices.sample(ctx, v)
	if err != nil {
		return nil, s.told(err)
	}
	return &huma.StreamResponse{Body: func(huma.Context) {
		in.w.Header().Set("Content-Type", "audio/wav")
		in.w.Header().Set("Cache-Control", "no-cache")
		http.ServeContent(in.w, in.r, "", time.Time{}, bytes.NewReader(wav))
	}}, nil
}

// pageRoutes are the studio's page.
func (s *Server) pageRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/studio/", http.StatusSeeOther) })
	mux.HandleFunc("GET /studio", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/studio/", http.StatusSeeOther) })
	if s.c.Page == nil {
		return
	}
	files := http.StripPrefix("/studio/", http.FileServerFS(onlyFiles{s.c.Page}))
	mux.HandleFunc("GET /studio/", func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", s.c.Policy)
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "microphone=(self), camera=(), geolocation=()")
		h.Set("Cache-Control", "no-cache")
		files.ServeHTTP(w, r)
	})
}

// onlyFiles lists no folders.
type onlyFiles struct{ fs.FS }

func (o onlyFiles) Open(name string) (fs.File, error) {
	f, err := o.FS.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		if _, err = fs.Stat(o.FS, name+"/index.html"); name == "." {
			_, err = fs.Stat(o.FS, "index.html")
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
