package server

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/starvc/vc"
	"github.com/starvc/vc/audio"
	"github.com/starvc/vc/internal/livesound"
)

// elevenVoice is a voice as ElevenLabs describes one.
type elevenVoice struct {
	ID          string            `json:"voice_id"`
	Name        string            `json:"name"`
	Category    string            `json:"category" enum:"premade,generated,cloned"`
	Description string            `json:"description"`
	Labels      map[string]string `json:"labels"`
	PreviewURL  string            `json:"preview_url"`
	Settings    elevenUsual       `json:"settings"`
	Tiers       []string          `json:"available_for_tiers"`
	Samples     []string          `json:"samples" doc:"Always null"`
}

// elevenUsual are settings that clients expect to find.
type elevenUsual struct {
	Stability       float64 `json:"stability"`
	SimilarityBoost float64 `json:"similarity_boost"`
	Style           float64 `json:"style"`
	SpeakerBoost    bool    `json:"use_speaker_boost"`
}

func elevenOf(v *voice, r *http.Request) elevenVoice {
	category := map[string]string{kindModel: "premade", kindTrained: "cloned"}[v.kind]
	if category == "" {
		category = "generated"
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return elevenVoice{
		ID: v.id, Name: v.name, Category: category, Description: v.about, Labels: map[string]string{"pitch_hz": strconv.Itoa(int(math.Round(v.pitchHz)))},
		PreviewURL: scheme + "://" + r.Host + "/v1/voices/" + escape(v.id) + "/preview",
		Settings:   elevenUsual{Stability: 0.5, SimilarityBoost: 0.75}, Tiers: []string{},
	}
}

// ElevenList is the answer to a question for all voices. It is exported because it is embedded in what the description is made of.
type ElevenList struct {
	Voices []elevenVoice `json:"voices"`
}

type elevenPage struct {
	ElevenList
	More  bool    `json:"has_more"`
	Total int     `json:"total_count"`
	Next  *string `json:"next_page_token"`
}

type elevenModel struct {
	ID        string   `json:"model_id"`
	Name      string   `json:"name"`
	Converts  bool     `json:"can_do_voice_conversion"`
	Speaks    bool     `json:"can_do_text_to_speech"`
	Languages []string `json:"languages"`
}

// VoiceInput is what a route of one voice takes.
type VoiceInput struct {
	Raw
	VoiceID string `path:"voice_id" doc:"Id of a voice"`
}

type body[T any] struct{ Body T }

type speechInput struct {
	VoiceInput
	OutputFormat string `query:"output_format" doc:"One of those in docs/api.md; mp3_44100_128 by default, or wav_44100 where there is no ffmpeg"`
	Latency      int    `query:"optimize_streaming_latency" minimum:"0" maximum:"4" doc:"Of /stream: 0 knows all of the recording before it begins, 1 to 4 begin at once"`
	Logging      string `query:"enable_logging" doc:"Taken and not used: nothing of a request is kept"`
}

func (s *Server) speechRoutes() {
	huma.Register(s.api, huma.Operation{OperationID: "list-voices", Method: "GET", Path: "/v1/voices", Summary: "List voices", Tags: []string{"speech"}},
		func(ctx context.Context, in *struct{ Raw }) (*body[ElevenList], error) {
			return &body[ElevenList]{ElevenList{s.elevenVoices(in.r, "")}}, nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "search-voices", Method: "GET", Path: "/v2/voices", Summary: "Search voices", Tags: []string{"speech"}},
		func(ctx context.Context, in *struct {
			Raw
			Search string `query:"search" doc:"Part of a name or description"`
		}) (*body[elevenPage], error) {
			found := s.elevenVoices(in.r, in.Search)
			return &body[elevenPage]{elevenPage{ElevenList: ElevenList{found}, Total: len(found)}}, nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "get-voice", Method: "GET", Path: "/v1/voices/{voice_id}", Summary: "Describe a voice", Tags: []string{"speech"}},
		func(ctx context.Context, in *VoiceInput) (*body[elevenVoice], error) {
			v, p := s.voices.find(in.VoiceID)
			if p != nil {
				return nil, p
			}
			return &body[elevenVoice]{elevenOf(v, in.r)}, nil
		})
	huma.Register(s.api, sounds(huma.Operation{OperationID: "preview-voice", Method: "GET", Path: "/v1/voices/{voice_id}/preview",
		Summary: "A sentence in a voice", Tags: []string{"speech"}}, "audio/wav"), s.serveSample)
	huma.Register(s.api, huma.Operation{OperationID: "list-models", Method: "GET", Path: "/v1/models", Summary: "List models", Tags: []string{"speech"}},
		func(ctx context.Context, in *struct{}) (*body[[]elevenModel], error) {
			return &body[[]elevenModel]{[]elevenModel{{ID: "vc", Name: s.c.ModelName, Converts: true, Languages: []string{}}}}, nil
		})
	for _, path := range []string{"/v1/speech-to-speech/{voice_id}", "/v1/voice-changer/{voice_id}"} {
		id := strings.Split(path, "/")[2]
		registerForm(s.api, s.speechOperation(id, path, "Convert a recording"), speechForm{}, func(ctx context.Context, in *speechInput) (*huma.StreamResponse, error) {
			return s.speech(ctx, in, false)
		})
		registerForm(s.api, s.speechOperation(id+"-stream", path+"/stream", "Convert a recording, and send the result while it is made"), speechForm{},
			func(ctx context.Context, in *speechInput) (*huma.StreamResponse, error) {
				return s.speech(ctx, in, true)
			})
	}
}

func (s *Server) elevenVoices(r *http.Request, search string) []elevenVoice {
	found := []elevenVoice{}
	for _, v := range s.voices.all() {
		if v.kind != kindUnsaved && strings.Contains(strings.ToLower(v.name+" "+v.about), strings.ToLower(search)) {
			found = append(found, elevenOf(v, r))
		}
	}
	return found
}

// speechForm is what the form of a conversion holds, for the description of the routes.
type speechForm struct {
	Audio       huma.FormFile `form:"audio" contentType:"audio/*,video/*" required:"true" doc:"The recording"`
	FileFormat  string        `form:"file_format" enum:"other,pcm_s16le_16" doc:"pcm_s16le_16 for raw samples of 16 bits and 16 kHz"`
	Settings    string        `form:"voice_settings" doc:"JSON with pitch, formant, strength, melody, style"`
	Seed        int           `form:"seed" doc:"Taken and not used"`
	ModelID     string        `form:"model_id" doc:"Taken and not used"`
	RemoveNoise bool          `form:"remove_background_noise" doc:"Taken and not used"`
}

func (s *Server) speechOperation(id, path, summary string) huma.Operation {
	return sounds(huma.Operation{OperationID: id, Method: "POST", Path: path, Summary: summary, Tags: []string{"speech"}},
		"audio/mpeg", "audio/wav", "audio/flac", "audio/ogg", "application/octet-stream")
}

// converting is one conversion of a request.
type converting struct {
	v      *voice
	model  *vc.Model
	voice  vc.Voice
	set    settings
	format format
	stream bool
	hurry  int // 1 to 4 converts as a live stream does
}

func (s *Server) speech(ctx context.Context, in *speechInput, stream bool) (*huma.StreamResponse, error) {
	c := converting{stream: stream}
	if stream {
		c.hurry = in.Latency
	}
	var p *problem
	if c.format, p = findFormat(in.OutputFormat); p != nil {
		return nil, p
	}
	if c.v, p = s.voices.find(in.VoiceID); p != nil {
		return nil, p
	}
	if s.stopping.Err() != nil {
		return nil, stopping()
	}
	ctx, cancel := context.WithTimeout(ctx, s.c.Limits.Request)
	stopped := context.AfterFunc(s.work, cancel)
	give := func() { stopped(); cancel() }
	f, err := s.readForm(in.r, "audio")
	if err != nil {
		give()
		return nil, s.told(err)
	}
	out, err := s.startSpeech(ctx, c, f)
	if err != nil {
		f.close()
		give()
		return nil, s.told(s.timed(ctx, err))
	}
	return &huma.StreamResponse{Body: func(huma.Context) {
		defer give()
		defer f.close()
		out(in.w)
	}}, nil
}

// timed says where an error comes of the time that a request may take.
func (s *Server) timed(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return later(http.StatusServiceUnavailable, "busy", time.Minute, "the conversion took longer than %v and was given up: send a shorter recording", s.c.Limits.Request)
	}
	if s.work.Err() != nil {
		return stopping()
	}
	return err
}

func stopping() *problem {
	return later(http.StatusServiceUnavailable, "stopping", 10*time.Second, "the server is stopping: try again in a moment")
}

// told logs an error that is ours, of which the client learns little.
func (s *Server) told(err error) error {
	var p *problem
	if !errors.As(err, &p) && !errors.Is(err, context.Canceled) {
		s.log.Error("failed", "why", err)
	}
	return asProblem(err)
}

// startSpeech reads the recording and takes a core. What it returns writes the answer and gives the core back.
func (s *Server) startSpeech(ctx context.Context, c converting, f *form) (answer func(w http.ResponseWriter), err error) {
	u, err := f.file("audio")
	if err != nil {
		return nil, err
	}
	var p *problem
	if c.set, p = readElevenSettings(f.values["voice_settings"]); p != nil {
		return nil, p
	}
	read := readSound
	switch kind := f.values["file_format"]; kind {
	case "", "other":
	case "pcm_s16le_16":
		read = readRaw16
	default:
		return nil, invalid("want other or pcm_s16le_16", "body", "file_format")
	}
	if c.model, c.voice, err = c.v.use(); err != nil {
		return nil, err
	}
	end, err := s.capacity.startConversion(ctx)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	in, err := read(ctx, u, c.model.Features().SampleRate, s.c.Limits.Sound)
	if err != nil {
		end()
		return nil, err
	}
	finish := func(err error) {
		end()
		s.countConversion(ctx, in, time.Since(start), err)
	}
	if c.stream {
		return func(w http.ResponseWriter) { s.streamSpeech(ctx, c, in, w, finish) }, nil
	}
	file, err := os.CreateTemp(s.temp, "answer-")
	if err == nil {
		os.Remove(file.Name()) // where that is possible, it goes with its last user
		err = c.write(ctx, file, in, s.c.Version)
	}
	finish(err)
	if err != nil {
		if file != nil {
			file.Close()
			os.Remove(file.Name())
		}
		return nil, err
	}
	return func(w http.ResponseWriter) {
		defer os.Remove(file.Name())
		defer file.Close()
		n, err := file.Seek(0, io.SeekEnd)
		if err == nil {
			_, err = file.Seek(0, io.SeekStart)
		}
		if err != nil {
			s.told(err)
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", c.format.kind)
		w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
		io.Copy(w, file)
	}, nil
}

func (s *Server) countConversion(ctx context.Context, in sound, took time.Duration, err error) {
	result := "done"
	switch {
	case ctx.Err() != nil:
		result = "cancelled"
	case err != nil:
		result = "failed"
	default:
		s.metrics.converted.Add(in.seconds())
		s.metrics.converting.Add(took.Seconds())
	}
	s.metrics.conversions.WithLabelValues(result).Inc()
}

// streamSpeech sends the result while it is made.
func (s *Server) streamSpeech(ctx context.Context, c converting, in sound, w http.ResponseWriter, finish func(error)) {
	w.Header().Set("Content-Type", c.format.kind)
	w.Header().Set("Cache-Control", "no-store")
	out := &flushing{w: w, control: http.NewResponseController(w)}
	err := c.write(ctx, out, in, s.c.Version)
	finish(err)
	switch {
	case err == nil:
		return
	case out.written == 0 && ctx.Err() == nil:
		s.told(err).(*problem).write(w)
		return
	}
	if ctx.Err() == nil {
		s.told(err)
	}
	panic(http.ErrAbortHandler) // so that the client sees that it is not whole
}

// flushing sends what it gets at once.
type flushing struct {
	w       io.Writer
	control *http.ResponseController
	written int64
}

func (f *flushing) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	f.written += int64(n)
	return n, errors.Join(err, f.control.Flush())
}

// write converts a recording and writes the result in the format that was asked for.
func (c converting) write(ctx context.Context, w io.Writer, in sound, version string) error {
	e, err := c.format.encode(ctx, w, in.rate, int64(len(in.samples)), audio.Tags(nil).Marked(c.v.name, version))
	if err != nil {
		return err
	}
	convert := c.whole
	if c.hurry > 0 {
		convert = c.asStream
	}
	return errors.Join(convert(ctx, in, e.Write), e.Close())
}

// whole knows all of the recording before the first of the result comes.
func (c converting) whole(ctx context.Context, in sound, take func(x []float32) error) error {
	return convertSound(ctx, c.model, in, c.voice, c.set.options(), take)
}

func convertSound(ctx context.Context, m *vc.Model, in sound, v vc.Voice, o vc.Options, take func(x []float32) error) error {
	conversion, err := m.NewConversion(in.rate, v, o)
	if err != nil {
		return err
	}
	defer conversion.Close()
	if err := conversion.Write(in.samples); err != nil {
		return err
	}
	y := make([]float32, 1<<14)
	for {
		n, err := conversion.Read(ctx, y)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := take(y[:n]); err != nil {
			return err
		}
	}
}

// asStream begins at once.
func (c converting) asStream(ctx context.Context, in sound, take func(x []float32) error) error {
	l := livesound.Latencies()[max(0, 3-c.hurry)] // 1 is high, 2 normal, 3 and 4 low
	stream, err := c.model.NewStream(c.voice, c.set.streamOptions(c.model, l, in.rate))
	if err != nil {
		return err
	}
	piece := in.rate / 10
	y := make([]float32, 0, 2*piece)
	for x := in.samples; len(x) > 0; x = x[min(len(x), piece):] {
		if err := ctx.Err(); err != nil {
			return err
		}
		if y = stream.Process(y[:0], x[:min(len(x), piece)]); len(y) > 0 {
			if err := take(y); err != nil {
				return err
			}
		}
	}
	return take(stream.Flush(y[:0]))
}

// readRaw16 reads 16-bit samples of 16 kHz without a header.
func readRaw16(ctx context.Context, u upload, rate int, most time.Duration) (sound, error) {
	const from = 16000
	file, err := os.Open(u.path)
	if err != nil {
		return sound{}, err
	}
	defer file.Close()
	if float64(u.bytes)/2/from > most.Seconds() {
		return sound{}, fail(http.StatusRequestEntityTooLarge, "sound_too_long", "the recording is longer than %v, which is the most that is taken at once", most)
	}
	clip, err := audio.DecodeRaw(file, audio.S16LE, from, 1)
	if err != nil {
		return sound{}, fail(http.StatusBadRequest, "invalid_audio", "%v", err)
	}
	return sound{samples: audio.Resample(clip.Samples, from, rate), rate: rate, from: from, warnings: clip.Warnings}, nil
}
