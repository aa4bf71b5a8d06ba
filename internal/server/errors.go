package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// problem is an answer that says what was wrong. Detail is a detail, or a list of faults for 422, as ElevenLabs has them.
type problem struct {
	code   int
	retry  time.Duration // 0 for never
	Detail any           `json:"detail"`
}

type detail struct {
	Status  string `json:"status" doc:"A word for programs"`
	Message string `json:"message" doc:"A sentence for people"`
}

type fault struct {
	Loc  []string `json:"loc"`
	Msg  string   `json:"msg"`
	Type string   `json:"type"`
}

func fail(code int, status, format string, a ...any) *problem {
	return &problem{code: code, Detail: detail{status, fmt.Sprintf(format, a...)}}
}

// invalid is an answer about one parameter.
func invalid(message string, loc ...string) *problem {
	return &problem{code: http.StatusUnprocessableEntity, Detail: []fault{{loc, message, "value_error"}}}
}

// later is a refusal that ends by itself.
func later(code int, status string, retry time.Duration, format string, a ...any) *problem {
	p := fail(code, status, format, a...)
	p.retry = retry
	return p
}

func (p *problem) GetStatus() int { return p.code }

func (p *problem) Error() string {
	switch d := p.Detail.(type) {
	case detail:
		return d.Message
	case []fault:
		var all []string
		for _, f := range d {
			all = append(all, strings.Join(f.Loc, ".")+": "+f.Msg)
		}
		return strings.Join(all, "; ")
	}
	return http.StatusText(p.code)
}

// status is the word for programs.
func (p *problem) status() string {
	if d, ok := p.Detail.(detail); ok {
		return d.Status
	}
	return "invalid_request"
}

// GetHeaders tells huma of Retry-After.
func (p *problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retry > 0 {
		h.Set("Retry-After", retrySeconds(p.retry))
	}
	return h
}

func retrySeconds(d time.Duration) string {
	return strconv.Itoa(max(1, int((d+time.Second-1)/time.Second)))
}

// write answers a request for which huma has not begun an answer.
func (p *problem) write(w http.ResponseWriter) {
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(p.code)
	json.NewEncoder(w).Encode(p) // whoever asked may be gone
}

// asProblem makes any error an answer. What is no problem already is an error of ours, of which a client learns no more than that.
func asProblem(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return fail(http.StatusRequestEntityTooLarge, "body_too_large", "the request has more than %d bytes, which is the most that is taken", tooLarge.Limit)
	}
	return fail(http.StatusInternalServerError, "internal", "the server failed: its log says why")
}

// words are what the status is called where huma itself refuses.
var words = map[int]string{
	http.StatusBadRequest: "invalid_request", http.StatusNotFound: "not_found", http.StatusMethodNotAllowed: "method_not_allowed",
	http.StatusRequestTimeout: "too_slow", http.StatusRequestEntityTooLarge: "body_too_large", http.StatusUnsupportedMediaType: "unsupported_media_type",
	http.StatusNotAcceptable: "not_acceptable", http.StatusInternalServerError: "internal",
}

// init makes huma's own refusals look like ours; it offers this variable and no other way.
func init() {
	huma.NewError = func(code int, message string, errs ...error) huma.StatusError {
		if code == http.StatusUnprocessableEntity {
			p := &problem{code: code}
			var faults []fault
			for _, err := range errs {
				var own *problem
				if errors.As(err, &own) {
					return own
				}
				f := fault{Loc: []string{}, Msg: err.Error(), Type: "value_error"}
				if d, ok := err.(huma.ErrorDetailer); ok {
					f.Msg, f.Loc = d.ErrorDetail().Message, strings.Split(d.ErrorDetail().Location, ".")
				}
				faults = append(faults, f)
			}
			if faults == nil {
				faults = []fault{{[]string{}, message, "value_error"}}
			}
			p.Detail = faults
			return p
		}
		for _, err := range errs {
			var own *problem
			if errors.As(err, &own) {
				return own
			}
			if code == http.StatusInternalServerError {
				return asProblem(err)
			}
		}
		return fail(code, words[code], "%s", message)
	}
}
