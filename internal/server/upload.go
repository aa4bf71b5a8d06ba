package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/starvc/vc/audio"
)

// Raw gives an operation the request and the answer themselves. Its fields are no parameters.
type Raw struct {
	r *http.Request
	w http.ResponseWriter
}

// Resolve is called by huma before the handler.
func (u *Raw) Resolve(ctx huma.Context) []error {
	u.r, u.w = humago.Unwrap(ctx)
	return nil
}

// form is what came as multipart/form-data. Files lie under names of the server's own.
type form struct {
	values map[string]string
	files  map[string]upload
}

// upload is a file that came.
type upload struct {
	path  string
	name  string // as the client calls it, to be shown to people and for nothing else
	bytes int64
}

const (
	maxFormParts = 32
	maxFormValue = 64 << 10
)

// readForm reads the body of a request: values of any name, and files of the names given, which are written to the folder of the
// session as they come. The caller closes the form.
func (s *Server) readForm(r *http.Request, files ...string) (*form, error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return nil, fail(http.StatusBadRequest, "invalid_request", "the body is to be multipart/form-data, with a file in %s", strings.Join(files, " or "))
	}
	f := &form{values: map[string]string{}, files: map[string]upload{}}
	if err := f.read(multipart.NewReader(r.Body, params["boundary"]), s.temp, files); err != nil {
		f.close()
		var own *problem
		var tooLarge *http.MaxBytesError
		if errors.As(err, &own) || errors.As(err, &tooLarge) {
			return nil, asProblem(err)
		}
		var disk *os.PathError
		if errors.As(err, &disk) {
			return nil, err
		}
		return nil, fail(http.StatusBadRequest, "invalid_request", "the form in the body is cut short or damaged")
	}
	// To the very end, which is where the deadline of the body ends.
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		f.close()
		return nil, asProblem(err)
	}
	return f, nil
}

func (f *form) read(m *multipart.Reader, folder string, files []string) error {
	for range maxFormParts {
		p, err := m.NextPart()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		name := p.FormName()
		if !slices.Contains(files, name) {
			value, err := io.ReadAll(io.LimitReader(p, maxFormValue+1))
			if err != nil {
				return err
			}
			if len(value) > maxFormValue {
				return invalid(fmt.Sprintf("has more than %d bytes", maxFormValue), "body", oneLine(name, maxNameRunes))
			}
			f.values[name] = string(value)
			continue
		}
		if _, twice := f.files[name]; twice {
			return invalid("came twice: one file a request", "body", name)
		}
		u, err := store(p, folder)
		if err != nil {
			return err
		}
		u.name = shownName(p.FileName())
		f.files[name] = u
	}
	return invalid(fmt.Sprintf("more than %d parts", maxFormParts), "body")
}

// store writes a part to a new file.
func store(r io.Reader, folder string) (upload, error) {
	file, err := os.CreateTemp(folder, "upload-")
	if err != nil {
		return upload{}, err
	}
	n, err := io.Copy(file, r)
	if err = errors.Join(err, file.Close()); err != nil {
		os.Remove(file.Name())
		return upload{}, err
	}
	return upload{path: file.Name(), bytes: n}, nil
}

// shownName is a client's file name without folders, whichever way its system writes them.
func shownName(name string) string {
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	return oneLine(name, maxNameRunes)
}

// take gives away a file, which is then not removed with the form.
func (f *form) take(name string) (upload, error) {
	u, ok := f.files[name]
	if !ok {
		return upload{}, invalid("is missing: a file", "body", name)
	}
	delete(f.files, name)
	return u, nil
}

func (f *form) file(name string) (upload, error) {
	u, ok := f.files[name]
	if !ok {
		return upload{}, invalid("is missing: a file", "body", name)
	}
	return u, nil
}

func (f *form) close() {
	for _, u := range f.files {
		os.Remove(u.path)
	}
}

// sound is a recording that was read, at the rate of a model.
type sound struct {
	samples  []float32
	rate     int // Hz
	from     int // Hz, of the recording itself
	warnings []string
}

func (s sound) seconds() float64 { return float64(len(s.samples)) / float64(s.rate) }

// readSound reads a recording and brings it to a rate, 0 for its own. Memory is bounded by the length that is allowed, whatever the file claims.
func readSound(ctx context.Context, u upload, rate int, most time.Duration) (sound, error) {
	var sides [][]float32
	var in []*audio.Resampler
	var from int
	frames, own := int64(0), rate == 0
	p := audio.Pieces{
		Begin: func(h audio.Heard) error {
			if own {
				rate = h.Rate
			}
			from, frames, sides, in = h.Rate, 0, make([][]float32, h.Sides), make([]*audio.Resampler, h.Sides)
			for i := range in {
				var err error
				if in[i], err = audio.NewResampler(h.Rate, rate); err != nil {
					return err
				}
			}
			return nil
		},
		Take: func(x [][]float32) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			frames += int64(len(x[0]))
			if time.Duration(float64(frames)/float64(from)*float64(time.Second)) > most {
				return fail(http.StatusRequestEntityTooLarge, "sound_too_long", "the recording is longer than %v, which is the most that is taken at once", most)
			}
			for i := range x {
				sides[i] = in[i].Process(sides[i], x[i])
			}
			return nil
		},
	}
	heard, err := p.ReadFile(ctx, u.path)
	var refused *problem
	switch {
	case ctx.Err() != nil:
		return sound{}, ctx.Err()
	case errors.As(err, &refused):
		return sound{}, refused
	case err != nil:
		return sound{}, fail(http.StatusBadRequest, "invalid_audio", "%s", withoutPath(err.Error(), u))
	case frames == 0:
		return sound{}, fail(http.StatusBadRequest, "invalid_audio", "the recording holds no sound")
	}
	for i := range sides {
		sides[i] = in[i].Flush(sides[i])
	}
	mono := heard.Mono.Mix(nil, sides)
	s := sound{samples: mono, rate: rate, from: from}
	for _, text := range heard.Warnings {
		s.warnings = append(s.warnings, withoutPath(text, u))
	}
	return s, nil
}

// withoutPath takes the server's own paths out of a text, which mean nothing to a client.
func withoutPath(text string, u upload) string {
	text = strings.TrimPrefix(text, u.path+": ")
	name := u.name
	if name == "" {
		name = "INPUT"
	}
	text = strings.ReplaceAll(text, u.path+"-pcm.wav", "OUTPUT.wav")
	return strings.ReplaceAll(strings.ReplaceAll(text, u.path, name), filepath.Base(u.path), name)
}
